//! Callers who go before they are answered.

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, queued},
};
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_before_their_batch_began_has_asked_for_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let gate = service.faults.hold(Point::Begin);
    let begun = service.faults.count(Point::Begin);
    let stays = queued(ana.start("plans", &["ben"], "stays")).await;
    let goes = queued(ana.start("plans", &["ben"], "goes")).await;
    service.faults.reached(Point::Begin, begun + 1).await;
    drop(goes);
    gate.open();
    soon("an answer", stays).await.unwrap();
    assert_eq!(ben.lines_of_inbox().await, ["1 ana: stays"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_while_the_turn_does_not_come_has_asked_for_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let faults = &service.faults;
    let first = faults.hold(Point::TakeTurn);
    faults.once(Point::TakeTurn, Fault::Fails(Cause::Timeout));
    let second = faults.hold(Point::TakeTurn);
    let turns = faults.count(Point::TakeTurn);
    let goes = queued(ana.start("plans", &["ben"], "goes")).await;
    let stays = queued(ana.start("plans", &["ben"], "stays")).await;
    faults.reached(Point::TakeTurn, turns + 1).await;
    first.open();
    faults.reached(Point::TakeTurn, turns + 2).await;
    drop(goes);
    second.open();
    soon("an answer", stays).await.unwrap();
    assert_eq!(ben.lines_of_inbox().await, ["1 ana: stays"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_while_their_batch_commits_may_have_it_done_and_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] done: bool,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    let faults = &service.faults;
    let gate = faults.hold(Point::Commit);
    faults.once(
        Point::Commit,
        if done {
            Fault::AnswerLost(Cause::Outage)
        } else {
            Fault::Fails(Cause::Outage)
        },
    );
    let commits = faults.count(Point::Commit);
    let goes = queued(ana.start("plans", &["ben"], "goes")).await;
    faults.reached(Point::Commit, commits + 1).await;
    drop(goes);
    gate.open();
    assert_eq!(watch.lines(1).await, ["1 ana: goes"]);
    ana.start("plans", &["ben"], "stays").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: stays"]);
    let lines = ben.lines_of_inbox().await;
    assert_eq!(lines, ["1 ana: goes", "1 ana: stays"]);
    service.assert_sound().await;
}
