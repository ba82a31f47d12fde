//! Batches that take no turn: nobody notices, whoever else writes, and whatever is lost on its way.

use std::{sync::Arc, time::Duration};

use letterbox::model::RequestId;

use super::{
    faults::{Cause, Fault, Faults, Gate, Point},
    service::{Answer, Service, assert_internal, assert_unavailable, queued},
};
use crate::support::prelude::*;

const CAUSES: [Cause; 4] = [Cause::Outage, Cause::Data, Cause::Defect, Cause::Timeout];

/// A service whose batches need no turn: it has written before, to `ana` and `ben`.
async fn service(database: Database) -> (Service, Arc<Faults>) {
    let service = Service::start(database).await;
    let first = service.user("ana").start("plans", &["ben"], "first").await;
    first.unwrap();
    let faults = Arc::clone(&service.faults);
    faults.allow_no_turns();
    (service, faults)
}

fn request_id() -> RequestId {
    RequestId(unused_id().parse().expect("an id"))
}

fn send(service: &Service, content: &'static str) -> impl Future<Output = Answer> + use<> {
    let ana = service.user("ana");
    async move { ana.start("plans", &["ben"], content).await }
}

/// Checks what has been sent, and that it agrees.
async fn assert_sent(service: Service, contents: &[&str]) {
    let lines = contents.iter().map(|content| format!("1 ana: {content}"));
    let lines: Vec<String> = lines.collect();
    assert_eq!(service.user("ben").lines_of_inbox().await, lines);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_else_writes_a_batch_takes_no_turn(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    let mut watch = service.user("ben").watch(None).await;
    let begun = faults.count(Point::Begin);
    let calls = ["1", "2", "3"].map(|content| send(&service, content));
    for answer in service.together(calls.into()).await {
        answer.unwrap();
    }
    assert_eq!(faults.count(Point::Begin), begun);
    assert_eq!(faults.count(Point::SaveWithoutTurn), 1, "one batch");
    assert_eq!(watch.lines(3).await, ["1 ana: 1", "1 ana: 2", "1 ana: 3"]);
    assert_sent(service, &["first", "1", "2", "3"]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_brings_new_users_takes_the_turn(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    let turns = faults.count(Point::TakeTurn);
    let cleo = service.user("ana").start("plans", &["cleo"], "Hi").await;
    cleo.unwrap();
    assert_eq!(faults.count(Point::TakeTurn), turns + 1);
    assert_eq!(faults.count(Point::SaveWithoutTurn), 0);
    let lines = service.user("cleo").lines_of_inbox().await;
    assert_eq!(lines, ["1 ana: Hi"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_fails_is_done_again_with_the_turn(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    for (cause, content) in CAUSES.into_iter().zip(["1", "2", "3", "4"]) {
        faults.once(Point::LoadWithoutTurn, Fault::Fails(cause));
        send(&service, content).await.unwrap();
    }
    assert_eq!(faults.count(Point::SaveWithoutTurn), 0);
    assert_sent(service, &["first", "1", "2", "3", "4"]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_lost_its_answer_is_answered_and_not_done_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    let mut watch = service.user("ben").watch(None).await;
    let lost = Fault::AnswerLost(Cause::Outage);
    faults.once(Point::SaveWithoutTurn, lost);
    send(&service, "1").await.unwrap();
    assert_eq!(faults.count(Point::HoldsEvent), 1, "it is looked for");
    assert_eq!(watch.lines(1).await, ["1 ana: 1"]);
    send(&service, "2").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: 2"]);
    assert_sent(service, &["first", "1", "2"]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_was_not_done_is_done_again_and_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    let mut watch = service.user("ben").watch(None).await;
    for (cause, content) in CAUSES.into_iter().zip(["1", "2", "3", "4"]) {
        faults.once(Point::SaveWithoutTurn, Fault::Fails(cause));
        send(&service, content).await.unwrap();
        assert_eq!(watch.lines(1).await, [format!("1 ana: {content}")]);
    }
    assert_sent(service, &["first", "1", "2", "3", "4"]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_command_fails_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    faults.poison("poison");
    let calls = ["1", "poison", "2"].map(|content| send(&service, content));
    let answers = service.together(calls.into()).await;
    let [first, poisonous, second] = answers.try_into().unwrap();
    first.unwrap();
    assert_internal(poisonous);
    second.unwrap();
    assert_sent(service, &["first", "1", "2"]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_to_save_is_not_in_doubt(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, faults) = service(database).await;
    let (refuse, allow) = match database {
        Database::Sqlite => (
            "CREATE TRIGGER refuse BEFORE INSERT ON audience BEGIN SELECT raise(ABORT, 'no'); END",
            "DROP TRIGGER refuse",
        ),
        Database::Postgres => (
            "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE 'no' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON audience EXECUTE FUNCTION disk_full()",
            "DROP TRIGGER refuse ON audience",
        ),
    };
    let and_a_row = "UPDATE deployment SET one = one";
    service.execute(&format!("{refuse}; {and_a_row}")).await;
    assert!(send(&service, "1").await.is_err());
    assert_eq!(faults.count(Point::SaveWithoutTurn), 1);
    assert_eq!(faults.count(Point::HoldsEvent), 0, "it is known");
    service.execute(&format!("{allow}; {and_a_row}")).await;
    send(&service, "2").await.unwrap();
    assert_sent(service, &["first", "2"]).await;
}

/// What was lost on its way to the database arrives when it has long been done again.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_arrives_after_it_was_done_again_does_nothing() {
    let (service, faults) = service(Database::Postgres).await;
    let gate = Gate::new();
    faults.once(Point::SaveWithoutTurn, Fault::DoneLater(gate.clone()));
    send(&service, "1").await.unwrap();
    gate.open();
    assert!(!faults.was_done_late().await);
    assert_sent(service, &["first", "1"]).await;
}

/// The answer to doing it again was lost as well, and what that was about is given up: the log has not
/// gone on.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_arrives_between_two_attempts_to_do_it_again_is_found() {
    let (service, faults) = service(Database::Postgres).await;
    let gate = Gate::new();
    faults.once(Point::SaveWithoutTurn, Fault::DoneLater(gate.clone()));
    let second = faults.hold(Point::Commit);
    faults.once(Point::Commit, Fault::Fails(Cause::Outage));
    let (begun, commits) = (faults.count(Point::Begin), faults.count(Point::Commit));
    let sent = queued(send(&service, "1")).await;
    let arrive = async {
        faults.reached(Point::Commit, commits + 1).await;
        let third = faults.hold(Point::Begin);
        second.open();
        faults.reached(Point::Begin, begun + 2).await;
        // It has waited for the turn, which the second attempt had.
        service
            .execute("SELECT tenant FROM log_heads FOR UPDATE")
            .await;
        gate.open();
        assert!(faults.was_done_late().await);
        third.open();
    };
    let (sent, ()) = tokio::join!(soon("an answer", sent), arrive);
    sent.unwrap();
    assert_sent(service, &["first", "1"]).await;
}

/// The caller was told to try again, and does, after the save has arrived after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_arrives_before_it_is_asked_for_again_is_found() {
    let (service, faults) = service(Database::Postgres).await;
    let (gate, request) = (Gate::new(), request_id());
    let again = || async {
        let ana = service.user("ana");
        ana.start_as(Some(request), "plans", &["ben"], "1").await
    };
    faults.once(Point::SaveWithoutTurn, Fault::DoneLater(gate.clone()));
    faults.always(Point::TakeTurn, Fault::Fails(Cause::Outage));
    assert_unavailable(again().await);
    gate.open();
    assert!(faults.was_done_late().await, "the log has not gone on");
    faults.heal();
    let found = again().await.unwrap().0.id;
    assert_eq!(again().await.unwrap().0.id, found);
    assert_sent(service, &["first", "1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_others_have_overtaken_is_decided_anew_with_the_turn() {
    let (first, faults) = service(Database::Postgres).await;
    let second = first.replica(Duration::from_secs(30)).await;
    let (ana, ben) = (first.user("ana"), second.user("ben"));
    let plans = ana.start("plans", &["ben"], "1").await.unwrap().0.thread;
    let gate = faults.hold(Point::SaveWithoutTurn);
    let saves = faults.count(Point::SaveWithoutTurn);
    let lunch = queued(ana.reply(plans, "Lunch?")).await;
    faults.reached(Point::SaveWithoutTurn, saves + 1).await;
    assert_eq!(ben.reply(plans, "Dinner?").await.unwrap().0.number, 2);
    gate.open();
    assert_eq!(soon("an answer", lunch).await.unwrap().0.number, 3);
    // For a while it takes the turn at once.
    let saves = faults.count(Point::SaveWithoutTurn);
    ana.reply(plans, "Tea?").await.unwrap();
    assert_eq!(faults.count(Point::SaveWithoutTurn), saves);
    let lines = ben.lines(plans).await;
    let expected = ["1 ana: 1", "2 ben: Dinner?", "3 ana: Lunch?", "4 ana: Tea?"];
    assert_eq!(lines, expected);
    first.assert_sound().await;
}

/// A statement sees what was committed when it began, so nobody's turn is waited for within one.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_finds_the_turn_taken_is_decided_anew_when_it_has_it() {
    let (first, faults) = service(Database::Postgres).await;
    let second = first.replica(Duration::from_secs(30)).await;
    let (ana, ben) = (first.user("ana"), second.user("ben"));
    let plans = ana.start("plans", &["ben"], "1").await.unwrap().0.thread;
    let gate = second.faults.hold(Point::Commit);
    let (commits, turns) = (
        second.faults.count(Point::Commit),
        faults.count(Point::TakeTurn),
    );
    let dinner = queued(ben.reply(plans, "Dinner?")).await;
    second.faults.reached(Point::Commit, commits + 1).await;
    let lunch = queued(ana.reply(plans, "Lunch?")).await;
    faults.reached(Point::TakeTurn, turns + 1).await;
    gate.open();
    assert_eq!(soon("an answer", dinner).await.unwrap().0.number, 2);
    assert_eq!(soon("an answer", lunch).await.unwrap().0.number, 3);
    first.assert_sound().await;
}

/// As a failover does that loses commits: the log would go on after a gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_log_has_lost_its_end_is_decided_anew_with_the_turn() {
    let (service, faults) = service(Database::Postgres).await;
    let mut watch = service.user("ben").watch(None).await;
    let kept = watch.position;
    send(&service, "lost").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: lost"]);
    drop(watch);
    let gate = faults.hold(Point::SaveWithoutTurn);
    let saves = faults.count(Point::SaveWithoutTurn);
    let sent = queued(send(&service, "kept")).await;
    faults.reached(Point::SaveWithoutTurn, saves + 1).await;
    for table in ["audience", "events"] {
        let sql = format!("DELETE FROM {table} WHERE position > {}", kept.number);
        service.execute(&sql).await;
    }
    gate.open();
    soon("an answer", sent).await.unwrap();
    let mut watch = service.user("ben").watch(Some(kept)).await;
    assert_eq!(watch.lines(1).await, ["1 ana: kept"]);
    assert_eq!(watch.position.number, kept.number + 1, "no gap");
}
