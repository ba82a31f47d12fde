//! Live watchers while the log cannot be read.

use std::time::{Duration, Instant};

use futures_util::future::join;
use letterbox::model::LogPosition;

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, Watcher, assert_unavailable},
};
use crate::support::prelude::*;

/// Long enough for a few polls, and short enough to wait for.
const INTERVAL: Duration = Duration::from_secs(1);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_reads_of_the_log_fail_comes_once_and_in_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, 10 * INTERVAL).await;
    let ana = service.user("ana");
    let mut watch = service.user("ben").watch(None).await;
    let outage = Fault::Fails(Cause::Outage);
    service.faults.always(Point::LogPage, outage);
    for content in ["1", "2", "3"] {
        ana.start("plans", &["ben"], content).await.unwrap();
    }
    // Long enough for all reads that the writing itself asks for: the next one is the poll's.
    tokio::time::sleep(QUICK).await;
    service.faults.heal();
    assert_eq!(watch.lines(3).await, ["1 ana: 1", "1 ana: 2", "1 ana: 3"]);
    ana.start("plans", &["ben"], "4").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: 4"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_as_the_first_watch_begins_is_told_without_waiting_for_a_poll(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, 10 * INTERVAL).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let gate = service.faults.hold_answer(Point::LogHeads);
    let looked = service.faults.count(Point::LogHeads);
    let write = async {
        // Where the log ends is known, and nobody follows it yet.
        service.faults.reached(Point::LogHeads, looked + 1).await;
        let announced = service.faults.count(Point::Announce);
        ana.start("plans", &["ben"], "Lunch?").await.unwrap();
        service.faults.reached(Point::Announce, announced + 1).await;
        let outage = Fault::Fails(Cause::Outage);
        service.faults.always(Point::LogHeads, outage);
        gate.open();
    };
    let (mut watch, ()) = join(ben.watch(Some(LogPosition::START)), write).await;
    assert_eq!(watch.lines(1).await, ["1 ana: Lunch?"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_log_cannot_be_read_ends_after_an_interval_with_a_token_that_misses_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, INTERVAL).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    let before = watch.heartbeat().await;
    let began = Instant::now();
    // Where the log ends can be read all the while, which is no reason to go there.
    service
        .faults
        .always(Point::LogPage, Fault::Fails(Cause::Outage));
    ana.start("plans", &["ben"], "Lunch?").await.unwrap();
    let (lines, error) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    assert_unavailable::<()>(Err(error));
    assert!(began.elapsed() >= INTERVAL, "{:?}", began.elapsed());
    assert_eq!(watch.position, before);

    service.faults.heal();
    let mut resumed = ben.watch(Some(watch.position)).await;
    assert_eq!(resumed.lines(1).await, ["1 ana: Lunch?"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_watch_whose_log_cannot_be_looked_at_ends_after_an_interval(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, INTERVAL).await;
    let ben = service.user("ben");
    let mut watch = ben.watch(None).await;
    watch.heartbeat().await;
    service
        .faults
        .always(Point::LogHeads, Fault::Fails(Cause::Outage));
    let (lines, error) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    assert_unavailable::<()>(Err(error));
    assert_unavailable(ben.try_watch(None).await.map(drop));
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_log_is_asked_for_and_never_answers_ends_after_an_interval(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Point::LogHeads, Point::LogPage)] point: Point,
) {
    // It reads what ben is told of, and only asks whether there is more of what cleo is.
    let to = if point == Point::LogPage {
        "ben"
    } else {
        "cleo"
    };
    let service = Service::with_heartbeats(database, INTERVAL).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    watch.heartbeat().await;
    service.faults.always(point, Fault::Hangs);
    ana.start("plans", &[to], "Lunch?").await.unwrap();
    let (lines, error) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    assert_unavailable::<()>(Err(error));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_here_does_not_hide_that_the_log_was_asked_for_and_does_not_answer(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, INTERVAL).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    watch.heartbeat().await;
    let asked = service.faults.count(Point::LogHeads);
    service.faults.always(Point::LogHeads, Fault::Hangs);
    service.faults.reached(Point::LogHeads, asked + 1).await;
    ana.start("plans", &["cleo"], "Lunch?").await.unwrap();
    let (lines, error) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    assert_unavailable::<()>(Err(error));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_begins_while_the_log_cannot_be_read_is_refused_or_waits(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, INTERVAL).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let faults = &service.faults;
    faults.once(Point::LogGoesOn, Fault::Fails(Cause::Outage));
    assert_unavailable(ben.try_watch(Some(LogPosition::START)).await.map(drop));

    // It has begun, and so it goes on trying.
    for _ in 0..2 {
        faults.once(Point::LogHeads, Fault::Fails(Cause::Outage));
    }
    let mut watch = ben.watch(Some(LogPosition::START)).await;
    ana.start("plans", &["ben"], "Lunch?").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: Lunch?"]);
    service.assert_sound().await;
}

/// A service whose tail reads when its writer tells it to, and neither an announcement nor a poll comes
/// to the rescue; and a watch of ben's, who has been told of one message.
async fn told_by_its_writer_alone(database: Database) -> (Service, Watcher) {
    let service = Service::start(database).await;
    service.announce_nothing();
    let mut watch = service.user("ben").watch(None).await;
    let first = service.user("ana").start("plans", &["ben"], "first").await;
    first.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: first"]);
    let outage = Fault::Fails(Cause::Outage);
    service.faults.always(Point::LogHeads, outage);
    (service, watch)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_a_tail_reads_is_read_next(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, mut watch) = told_by_its_writer_alone(database).await;
    let ana = service.user("ana");
    let gate = service.faults.hold_answer(Point::LogPage);
    let reads = service.faults.count(Point::LogPage);
    ana.start("plans", &["ben"], "1").await.unwrap();
    service.faults.reached(Point::LogPage, reads + 1).await;
    ana.start("plans", &["cleo"], "for somebody else")
        .await
        .unwrap();
    ana.start("plans", &["ben"], "2").await.unwrap();
    gate.open();
    assert_eq!(watch.lines(2).await, ["1 ana: 1", "1 ana: 2"]);
    service.assert_sound().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_here_is_told_of_is_not_read_though_it_was_written_while_a_tail_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (service, mut watch) = told_by_its_writer_alone(database).await;
    let ana = service.user("ana");
    let gate = service.faults.hold_answer(Point::LogPage);
    let reads = service.faults.count(Point::LogPage);
    ana.start("plans", &["ben"], "1").await.unwrap();
    service.faults.reached(Point::LogPage, reads + 1).await;
    for _ in 0..3 {
        let others = ana.start("plans", &["cleo"], "for somebody else").await;
        others.unwrap();
    }
    gate.open();
    assert_eq!(watch.lines(1).await, ["1 ana: 1"]);
    ana.start("plans", &["ben"], "2").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: 2"]);
    assert_eq!(service.faults.count(Point::LogPage), reads + 2);
    service.assert_sound().await;
}
