//! A database that does not answer at all, or not for so long that callers are told.

use futures_util::future::{join, join_all};
use letterbox::model::RequestId;

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, assert_unavailable},
};
use crate::support::prelude::*;

/// What is waited for here is measured in seconds, so all cases wait at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_costs_time_and_nothing_else() {
    let cases = [Database::Sqlite, Database::Postgres].map(|database| async move {
        let steps = [Point::Begin, Point::TakeTurn, Point::Load, Point::Save];
        let steps =
            steps.map(|step| a_step_that_hangs_is_given_up_and_nothing_is_kept(database, step));
        let commits = [Fault::Hangs, Fault::HangsOnceDone];
        let commits = commits.map(|commit| a_commit_that_hangs_is_settled(database, commit));
        let outcomes = [
            Fault::AnswerLost(Cause::Outage),
            Fault::Fails(Cause::Outage),
            // It may have been committed, so this is not for a defect to say either.
            Fault::AnswerLost(Cause::Defect),
        ];
        let outcomes = outcomes
            .map(|outcome| an_outcome_not_learned_in_time_is_settled_by_a_retry(database, outcome));
        join(join(join_all(steps), join_all(commits)), join_all(outcomes)).await;
    });
    join_all(cases).await;
}

async fn a_step_that_hangs_is_given_up_and_nothing_is_kept(database: Database, step: Point) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    service.faults.once(step, Fault::Hangs);
    let lunch = soon("an answer", ana.start("plans", &["ben"], "Lunch?"));
    assert_unavailable(lunch.await);
    assert_eq!(ben.lines_of_inbox().await, [""; 0]);
    service.assert_sound().await;
}

async fn a_commit_that_hangs_is_settled(database: Database, commit: Fault) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    service.faults.once(Point::Commit, commit);
    let lunch = soon("an answer", ana.start("plans", &["ben"], "Lunch?"));
    assert_eq!(lunch.await.unwrap().0.content, "Lunch?");
    assert_eq!(ben.lines_of_inbox().await, ["1 ana: Lunch?"]);
    service.assert_sound().await;
}

async fn an_outcome_not_learned_in_time_is_settled_by_a_retry(database: Database, outcome: Fault) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    let gate = service.faults.hold(Point::Commit);
    service.faults.once(Point::Commit, outcome);
    let commits = service.faults.count(Point::Commit);
    let down = async {
        service.faults.reached(Point::Commit, commits + 1).await;
        let defect = Fault::Fails(Cause::Defect);
        service.faults.always(Point::Begin, defect);
        gate.open();
    };
    let request = RequestId::parse(&request_id());
    let ask = || ana.start_as(request, "plans", &["ben"], "Lunch?");
    let (answer, ()) = join(soon("an answer", ask()), down).await;
    assert_unavailable(answer);

    service.faults.heal();
    let sent = ask().await.unwrap();
    assert_eq!(ask().await.unwrap(), sent);
    assert_eq!(ben.lines(sent.0.thread).await, ["1 ana: Lunch?"]);
    assert_eq!(watch.lines(1).await, ["1 ana: Lunch?"]);
    ana.start("plans", &["ben"], "afterwards").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: afterwards"]);
    service.assert_sound().await;
}
