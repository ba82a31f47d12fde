//! What fails before a batch is committed has not happened.

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, assert_internal, assert_unavailable},
};
use crate::support::prelude::*;

const STEPS: [Point; 4] = [Point::Begin, Point::TakeTurn, Point::Load, Point::Save];

#[rstest]
#[case::outage(Cause::Outage)]
#[case::timeout(Cause::Timeout)]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_before_the_commit_all_are_told_to_try_again_and_nothing_is_kept(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] cause: Cause,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    for step in STEPS {
        if (step, cause) == (Point::TakeTurn, Cause::Timeout) {
            // A wait for the turn is no failure: see `turns`.
            continue;
        }
        service.faults.always(step, Fault::Fails(cause));
        let calls = ["1", "2", "3"].map(|content| ana.start("plans", &["ben"], content));
        for answer in service.together(calls.into()).await {
            assert_unavailable(answer);
        }
        service.faults.heal();
    }
    assert_eq!(ben.lines_of_inbox().await, [""; 0]);
    watch.assert_quiet();
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_statement_is_a_defect_that_all_are_told_of_and_nothing_is_kept(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    for step in STEPS {
        service.faults.always(step, Fault::Fails(Cause::Defect));
        let calls = ["1", "2"].map(|content| ana.start("plans", &["ben"], content));
        for answer in service.together(calls.into()).await {
            assert_internal(answer);
        }
        service.faults.heal();
    }
    assert_eq!(ben.lines_of_inbox().await, [""; 0]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_done_and_loses_its_answer_is_undone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    for step in STEPS {
        service.faults.once(step, Fault::AnswerLost(Cause::Outage));
        assert_unavailable(ana.start("plans", &["ben"], "Lunch?").await);
    }
    assert_eq!(ben.lines_of_inbox().await, [""; 0]);
    let sent = ana.start("plans", &["ben"], "Dinner?").await;
    assert_eq!(ben.lines(sent.unwrap().0.thread).await, ["1 ana: Dinner?"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_queues_while_a_batch_fails_is_the_next_batch_and_is_carried_out(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let gate = service.faults.hold(Point::Save);
    service
        .faults
        .once(Point::Save, Fault::Fails(Cause::Outage));
    let saves = service.faults.count(Point::Save) + 1;
    let first = async { ana.start("plans", &["ben"], "Lunch?").await };
    let second = async {
        service.faults.reached(Point::Save, saves).await;
        let dinner = super::service::queued(ana.start("plans", &["ben"], "Dinner?")).await;
        gate.open();
        dinner.await
    };
    let (first, second) = soon("both answers", futures_util::future::join(first, second)).await;
    assert_unavailable(first);
    assert_eq!(second.unwrap().0.content, "Dinner?");
    assert_eq!(ben.lines_of_inbox().await, ["1 ana: Dinner?"]);
    service.assert_sound().await;
}
