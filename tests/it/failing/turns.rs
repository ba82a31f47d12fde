//! Turns: waited for anew, and one batch of a tenant after the other.

use futures_util::future::join_all;

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, queued},
};
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_does_not_come_is_waited_for_anew_and_what_came_meanwhile_goes_along(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let faults = &service.faults;
    for _ in 0..3 {
        faults.once(Point::TakeTurn, Fault::Fails(Cause::Timeout));
    }
    let gate = faults.hold(Point::TakeTurn);
    let (turns, commits) = (faults.count(Point::TakeTurn), faults.count(Point::Commit));
    let lunch = queued(ana.start("plans", &["ben"], "Lunch?")).await;
    faults.reached(Point::TakeTurn, turns + 4).await;
    let dinner = queued(ana.start("plans", &["ben"], "Dinner?")).await;
    gate.open();
    soon("an answer", lunch).await.unwrap();
    soon("an answer", dinner).await.unwrap();
    assert_eq!(faults.count(Point::Commit), commits + 1, "one batch");
    let lines = ben.lines_of_inbox().await;
    assert_eq!(lines, ["1 ana: Lunch?", "1 ana: Dinner?"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_before_the_commit_is(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    let gate = service.faults.hold(Point::Commit);
    let commits = service.faults.count(Point::Commit);
    let lunch = tokio::spawn(async move { ana.start("plans", &["ben"], "Lunch?").await });
    service.faults.reached(Point::Commit, commits + 1).await;
    // Long enough for an answer that does not wait.
    tokio::time::sleep(QUICK).await;
    assert!(!lunch.is_finished(), "not committed, and answered");
    assert_eq!(ben.lines_of_inbox().await, [""; 0]);
    watch.assert_quiet();

    gate.open();
    soon("an answer", lunch).await.unwrap().unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: Lunch?"]);
    service.assert_sound().await;
}

/// On a slow disk it takes longer than any call waits.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_what_is_committed_to_be_taken_into_the_database_file(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let taken_in = service.faults.count(Point::TakeIn);
    let gate = service.faults.hold(Point::TakeIn);
    let ana = service.user("ana");
    let lunch = soon("an answer", ana.start("plans", &["ben"], "Lunch?")).await;
    assert_eq!(lunch.unwrap().0.content, "Lunch?");
    service.faults.reached(Point::TakeIn, taken_in + 1).await;
    gate.open();
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_next_batch_of_a_tenant_is_decided_on_what_the_one_before_it_has_committed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let plans = ana.start("plans", &["ben"], "1").await.unwrap().0.thread;
    let faults = &service.faults;
    let gate = faults.hold(Point::Commit);
    let (commits, loads) = (faults.count(Point::Commit), faults.count(Point::Load));
    let second = queued(ana.reply(plans, "2")).await;
    faults.reached(Point::Commit, commits + 1).await;
    let third = queued(ana.reply(plans, "3")).await;
    // Long enough for a batch that does not wait for its turn.
    tokio::time::sleep(QUICK).await;
    assert_eq!(faults.count(Point::Load), loads + 1, "the third waits");
    gate.open();
    assert_eq!(soon("an answer", second).await.unwrap().0.number, 2);
    assert_eq!(soon("an answer", third).await.unwrap().0.number, 3);
    let lines = ben.lines(plans).await;
    assert_eq!(lines, ["1 ana: 1", "2 ana: 2", "3 ana: 3"]);
    service.assert_sound().await;
}

/// On SQLite there is one transaction at a time, for all.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_batch_hangs_holds_up_nobody_else() {
    let service = Service::start(Database::Postgres).await;
    let gate = service.faults.hold(Point::Save);
    let saves = service.faults.count(Point::Save);
    let waiting = service.user_in("a", "ana");
    let waiting = tokio::spawn(async move { waiting.start("plans", &["ben"], "1").await });
    service.faults.reached(Point::Save, saves + 1).await;
    let other = service.user_in("b", "ana");
    for content in ["1", "2", "3"] {
        let sent = soon("an answer", other.start("plans", &["ben"], content)).await;
        sent.unwrap();
    }
    assert!(!waiting.is_finished(), "tenant a waits");
    gate.open();
    soon("an answer", waiting).await.unwrap().unwrap();
    service.assert_sound().await;
}

/// On SQLite one transaction carries the batches of all tenants, up to so many commands.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_fills_each_transaction_keeps_no_other_one_out() {
    let service = Service::start(Database::Sqlite).await;
    let [first, busy, quiet] = ["first", "busy", "quiet"].map(|name| service.user_in(name, "ana"));
    let (gate, begun) = (
        service.faults.hold(Point::Begin),
        service.faults.count(Point::Begin),
    );
    let lunch = queued(first.start("plans", &["ben"], "Lunch?")).await;
    service.faults.reached(Point::Begin, begun + 1).await;
    let many = queued(join_all(
        (0..4 * 256).map(|_| busy.start("plans", &["ben"], "Lunch?")),
    ))
    .await;
    let one = queued(quiet.start("plans", &["ben"], "Lunch?")).await;
    gate.open();
    let (_, many, one) = soon("all answers", async { tokio::join!(lunch, many, one) }).await;
    let (last, _) = many.into_iter().last().unwrap().unwrap();
    let (one, _) = one.unwrap();
    assert!(one.send_time < last.send_time, "it had to wait to the end");
    service.assert_sound().await;
}
