//! A command that the database refuses for its data fails alone.

use super::{
    faults::{Cause, Fault, Point},
    service::{Answer, Service, assert_internal, assert_unavailable},
};
use crate::support::prelude::*;

fn calls(
    service: &Service,
    contents: &'static [&'static str],
) -> Vec<impl Future<Output = Answer>> {
    let calls = contents.iter().map(|content| {
        let ana = service.user("ana");
        async move { ana.start("plans", &["ben"], content).await }
    });
    calls.collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_command_fails_alone_and_the_others_are_carried_out_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let mut watch = service.user("ben").watch(None).await;
    service.faults.poison("poison");
    let calls = calls(&service, &["1", "poison", "2"]);
    let [first, poisonous, second] = service.together(calls).await.try_into().unwrap();
    assert_internal(poisonous);
    assert_eq!(first.unwrap().0.content, "1");
    assert_eq!(second.unwrap().0.content, "2");
    let expected = ["1 ana: 1", "1 ana: 2"];
    assert_eq!(service.user("ben").lines_of_inbox().await, expected);
    assert_eq!(watch.lines(2).await, expected);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_poisonous_command_by_itself_is_not_tried_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    service.faults.poison("poison");
    let begun = service.faults.count(Point::Begin);
    assert_internal(service.user("ana").start("plans", &["ben"], "poison").await);
    assert_eq!(service.faults.count(Point::Begin), begun + 1);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_while_commands_are_tried_one_by_one_fails_only_the_one_that_it_hits(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let faults = &service.faults;
    // The batch; then each by itself.
    faults.once(Point::Save, Fault::Fails(Cause::Data));
    faults.once(Point::Save, Fault::Fails(Cause::Outage));
    let calls = calls(&service, &["1", "2", "3"]);
    let [first, second, third] = service.together(calls).await.try_into().unwrap();
    assert_unavailable(first);
    assert_eq!(second.unwrap().0.content, "2");
    assert_eq!(third.unwrap().0.content, "3");
    let lines = service.user("ben").lines_of_inbox().await;
    assert_eq!(lines, ["1 ana: 2", "1 ana: 3"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn commands_tried_one_by_one_are_settled_one_by_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let ben = service.user("ben");
    let mut watch = ben.watch(None).await;
    let faults = &service.faults;
    faults.once(Point::Save, Fault::Fails(Cause::Data));
    faults.once(Point::Commit, Fault::AnswerLost(Cause::Outage));
    faults.once(Point::Commit, Fault::Fails(Cause::Outage));
    let answers = service.together(calls(&service, &["1", "2", "3"])).await;
    let contents = answers.into_iter().map(|answer| answer.unwrap().0.content);
    assert_eq!(contents.collect::<Vec<_>>(), ["1", "2", "3"]);
    let expected = ["1 ana: 1", "1 ana: 2", "1 ana: 3"];
    assert_eq!(ben.lines_of_inbox().await, expected);
    assert_eq!(watch.lines(3).await, expected);
    service.assert_sound().await;
}
