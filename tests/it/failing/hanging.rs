//! A database that does not answer at all, or not for so long that callers are told.
//!
//! What is waited for is measured in seconds, so all cases of a test wait at the same time.

use futures_util::future::join_all;
use letterbox::model::RequestId;

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, assert_unavailable},
};
use crate::support::prelude::*;

const DATABASES: [Database; 2] = [Database::Sqlite, Database::Postgres];

/// Sends once while a step hangs; whether the call is answered within the test's patience.
async fn hang(database: Database, step: Point) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    service.faults.once(step, Fault::Hangs);
    assert_unavailable(soon("an answer", ana.start("plans", &["ben"], "Lunch?")).await);
    assert_eq!(ben.lines_of_inbox().await, [""; 0]);
    service.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_hangs_is_given_up_and_nothing_is_kept() {
    let steps = [Point::Begin, Point::TakeTurn, Point::Load, Point::Save];
    let cases = steps
        .into_iter()
        .flat_map(|step| DATABASES.map(|database| hang(database, step)));
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_hangs_is_settled() {
    let cases = DATABASES.into_iter().flat_map(|database| {
        [Fault::Hangs, Fault::HangsOnceDone].map(|fault| async move {
            let service = Service::start(database).await;
            let (ana, ben) = (service.user("ana"), service.user("ben"));
            service.faults.once(Point::Commit, fault);
            let lunch = soon("an answer", ana.start("plans", &["ben"], "Lunch?"));
            assert_eq!(lunch.await.unwrap().0.content, "Lunch?");
            assert_eq!(ben.lines_of_inbox().await, ["1 ana: Lunch?"]);
            service.assert_sound().await;
        })
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_not_learned_in_time_is_unavailable_and_a_retry_with_the_request_id_settles_it()
{
    let request = RequestId::parse(&request_id());
    let cases = DATABASES.into_iter().flat_map(|database| {
        let lost = [
            Fault::AnswerLost(Cause::Outage),
            Fault::Fails(Cause::Outage),
            // Not for a defect to say either: it may have been committed.
            Fault::AnswerLost(Cause::Defect),
        ];
        lost.map(|lost| async move {
            let service = Service::start(database).await;
            let (ana, ben) = (service.user("ana"), service.user("ben"));
            let mut watch = ben.watch(None).await;
            let gate = service.faults.hold(Point::Commit);
            service.faults.once(Point::Commit, lost);
            let commits = service.faults.count(Point::Commit);
            let down = async {
                service.faults.reached(Point::Commit, commits + 1).await;
                service
                    .faults
                    .always(Point::Begin, Fault::Fails(Cause::Defect));
                gate.open();
            };
            let send = || ana.start_as(request, "plans", &["ben"], "Lunch?");
            let (answer, ()) = futures_util::future::join(soon("an answer", send()), down).await;
            assert_unavailable(answer);

            service.faults.heal();
            let sent = send().await.unwrap();
            assert_eq!(send().await.unwrap(), sent);
            assert_eq!(ben.lines(sent.0.thread).await, ["1 ana: Lunch?"]);
            assert_eq!(watch.lines(1).await, ["1 ana: Lunch?"]);
            ana.start("plans", &["ben"], "afterwards").await.unwrap();
            assert_eq!(watch.lines(1).await, ["1 ana: afterwards"]);
            service.assert_sound().await;
        })
    });
    join_all(cases).await;
}
