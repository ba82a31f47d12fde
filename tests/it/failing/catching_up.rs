//! Watchers who read the log at their own pace, while its reads fail.

use letterbox::model::{EventBody, LogPage, LogPosition, LogReader, TenantId};

use super::{
    faults::{Cause, Fault, Faults, Point},
    service::{Service, assert_unavailable},
};
use crate::support::prelude::*;

/// More than a watcher's queue holds, and more than a page of the log.
const MANY: usize = 600;

/// Has ana write to ben, a hundred at a time; what ben is told.
async fn write_many(service: &Service, count: usize) -> Vec<String> {
    let contents: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    for contents in contents.chunks(100) {
        let calls = contents.iter().map(|content| {
            let ana = service.user("ana");
            async move { ana.start("plans", &["ben"], content).await }
        });
        for answer in service.together(calls.collect()).await {
            answer.unwrap();
        }
    }
    let lines = contents.iter().map(|content| format!("1 ana: {content}"));
    lines.collect()
}

fn fail_a_few_reads(faults: &Faults) {
    for _ in 0..3 {
        faults.once(Point::LogPage, Fault::Fails(Cause::Outage));
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_who_resumes_misses_and_repeats_nothing_when_reads_fail(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let written = write_many(&service, MANY).await;
    fail_a_few_reads(&service.faults);
    let mut watch = service.user("ben").watch(Some(LogPosition::START)).await;
    let mut seen = watch.lines(100).await;
    fail_a_few_reads(&service.faults);
    seen.extend(watch.lines(MANY - 100).await);
    assert_eq!(seen, written);
    let ana = service.user("ana");
    ana.start("plans", &["ben"], "the end").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: the end"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_who_fell_behind_misses_and_repeats_nothing_when_reads_fail(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let mut watch = service.user("ben").watch(None).await;
    let written = write_many(&service, MANY).await;
    fail_a_few_reads(&service.faults);
    let seen = watch.lines(MANY).await;
    assert_eq!(seen, written);
    let ana = service.user("ana");
    ana.start("plans", &["ben"], "the end").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: the end"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_a_watcher_catches_up_comes_after_that_and_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] it_has_read: bool,
) {
    let service = Service::start(database).await;
    service.announce_nothing();
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    for content in ["1", "2"] {
        ana.start("plans", &["ben"], content).await.unwrap();
    }
    let faults = &service.faults;
    let gate = if it_has_read {
        faults.hold_answer(Point::LogPage)
    } else {
        // What it then reads is handed to it as well.
        faults.hold(Point::LogPage)
    };
    let reads = faults.count(Point::LogPage);
    let mut watch = ben.watch(Some(LogPosition::START)).await;
    faults.reached(Point::LogPage, reads + 1).await;
    // Each is read by the tail, and handed out, before the watcher has read what came before.
    for (read, content) in ["3", "4"].into_iter().enumerate() {
        ana.start("plans", &["ben"], content).await.unwrap();
        faults.reached(Point::LogPage, reads + 2 + read).await;
    }
    gate.open();
    let expected = ["1 ana: 1", "1 ana: 2", "1 ana: 3", "1 ana: 4"];
    assert_eq!(watch.lines(4).await, expected);
    ana.start("plans", &["ben"], "5").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: 5"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_who_cannot_catch_up_for_an_interval_is_told_and_resumes(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, QUICK).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    ana.start("plans", &["ben"], "Lunch?").await.unwrap();
    service
        .faults
        .always(Point::LogPage, Fault::Fails(Cause::Outage));
    let mut watch = ben.watch(Some(LogPosition::START)).await;
    let (lines, error) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    assert_unavailable::<()>(Err(error));
    assert_eq!(watch.position, LogPosition::START);
    service.faults.heal();
    let mut resumed = ben.watch(Some(watch.position)).await;
    assert_eq!(resumed.lines(1).await, ["1 ana: Lunch?"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_takes_no_more_memory_than_there_is_for_it_however_long_its_peoples_names_are(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let ana = service.user("ana");
    let people: Vec<String> = (0..100).map(|number| format!("user-{number}")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let (message, _) = ana.start("plans", &people, "Lunch?").await.unwrap();
    for _ in 1..40 {
        ana.reply(message.thread, "Nobody?").await.unwrap();
    }
    let (name, email) = ("é".repeat(150), "e".repeat(254));
    let names = format!("first_name = '{name}', last_name = '{name}', email = '{email}'");
    service.execute(&format!("UPDATE users SET {names}")).await;

    let tenant = TenantId::default_tenant();
    let (mut read, mut after) = (0, LogPosition::START);
    loop {
        let page = service.store();
        let page = page.log_page(&tenant, after, &LogReader::Everyone).await;
        let LogPage::Read(rows) = page.unwrap() else {
            panic!("the log goes on after {after:?}");
        };
        let mut bytes = 0;
        for event in &rows.events {
            read += 1;
            assert_eq!(event.position.number, read);
            let EventBody::MessageSent { thread, .. } = &event.body else {
                panic!("a message was sent");
            };
            // As it is read, and as it is sent.
            bytes += 2 * thread.participants.len() * (2 * name.len() + email.len());
        }
        assert!(bytes <= LogPage::WEIGHT_MAX, "{bytes} bytes of names alone");
        after = rows.through;
        if after == rows.head {
            break;
        }
    }
    assert_eq!(read, 40);
}
