//! A log that loses its end under those who watch it, as a failover or a backup does.

use futures_util::future::join_all;
use letterbox::{messenger::Error, model::LogPosition};

use super::{
    faults::{Cause, Fault, Point},
    service::{Service, User, Watcher},
};
use crate::support::prelude::*;

/// More than waits for a watcher's connection.
const MORE_THAN_WAIT: usize = 10;

/// More than waits for a watcher anywhere: in its place, and for its connection.
const MORE_THAN_A_PLACE_HOLDS: usize = 450;

/// Takes the newest events away.
async fn cut_after(service: &Service, position: i64) {
    for table in ["audience", "events"] {
        let sql = format!("DELETE FROM {table} WHERE position > {position}");
        service.execute(&sql).await;
    }
}

/// A log of three events, which a watcher has seen.
async fn three_seen(service: &Service) -> (User, Watcher) {
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    for content in ["1", "2", "3"] {
        ana.start("plans", &["ben"], content).await.unwrap();
    }
    watch.lines(3).await;
    assert_eq!(watch.position.number, 3);
    (ben, watch)
}

/// Checks that a watch ends as one of a history that is gone, before it tells of another one.
async fn assert_expired(ben: &User, mut watch: Watcher) {
    let (lines, error) = watch.end().await;
    assert!(matches!(error, Error::ResumeTokenExpired), "{error:?}");
    assert_eq!(lines, [""; 0], "nothing of another history");
    let resumed = ben.try_watch(Some(watch.position)).await;
    assert!(matches!(resumed, Err(Error::ResumeTokenExpired)));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_shorter_than_what_was_seen_ends_its_watches(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::with_heartbeats(database, QUICK).await;
    let (ben, watch) = three_seen(&service).await;
    cut_after(&service, 1).await;
    assert_expired(&ben, watch).await;
}

#[rstest]
#[case::shorter(1)]
#[case::as_long(2)]
#[case::longer(3)]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_lost_its_end_and_grown_again_ends_its_watches(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] grown: usize,
    #[values("ben", "cleo")] recipient: &str,
) {
    // No poll: the service's own writes are all that its tail is told of.
    let service = Service::start(database).await;
    let (ben, watch) = three_seen(&service).await;
    cut_after(&service, 1).await;
    for _ in 0..grown {
        let ana = service.user("ana");
        ana.start("plans", &[recipient], "new").await.unwrap();
    }
    assert_expired(&ben, watch).await;
    // Whoever begins anew is told of the new history.
    let mut anew = ben.watch(None).await;
    service
        .user("ana")
        .start("plans", &["ben"], "newer")
        .await
        .unwrap();
    assert_eq!(anew.lines(1).await, ["1 ana: newer"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_loses_its_end_while_it_is_read_ends_the_watch_there(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    service.announce_nothing();
    let (ben, _) = three_seen(&service).await;
    let gate = service.faults.hold(Point::LogPage);
    let reads = service.faults.count(Point::LogPage);
    let from = LogPosition::START;
    let mut begun = ben.watch(Some(from)).await;
    service.faults.reached(Point::LogPage, reads + 1).await;
    cut_after(&service, 1).await;
    let sent = service.user("ana").start("plans", &["ben"], "new").await;
    sent.unwrap();
    gate.open();
    // What is read is one history, as it is now.
    assert_eq!(begun.lines(2).await, ["1 ana: 1", "1 ana: new"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_position_that_is_taken_again_is_of_another_history(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ben, watch) = three_seen(&service).await;
    let seen = watch.position;
    drop(watch);
    cut_after(&service, 1).await;
    for content in ["new 2", "new 3", "new 4"] {
        let ana = service.user("ana");
        ana.start("plans", &["ben"], content).await.unwrap();
    }
    let resumed = ben.try_watch(Some(seen)).await;
    assert!(matches!(resumed, Err(Error::ResumeTokenExpired)));
}

/// A watch begins where the log ends, which its service's tail may not have reached: what the
/// tail then finds there may be something else.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_begins_ahead_of_its_tail_is_not_led_into_another_history(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    service.announce_nothing();
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut behind = ben.watch(None).await;
    ana.start("plans", &["ben"], "1").await.unwrap();
    assert_eq!(behind.lines(1).await, ["1 ana: 1"]);
    let gate = service.faults.hold(Point::LogPage);
    let reads = service.faults.count(Point::LogPage);
    for content in ["2", "3"] {
        ana.start("plans", &["ben"], content).await.unwrap();
    }
    service.faults.reached(Point::LogPage, reads + 1).await;
    let ahead = ben.watch(None).await;
    assert_eq!(ahead.position.number, 3);
    cut_after(&service, 1).await;
    for content in ["new 2", "new 3", "new 4"] {
        ana.start("plans", &["ben"], content).await.unwrap();
    }
    gate.open();
    let new = ["1 ana: new 2", "1 ana: new 3", "1 ana: new 4"];
    assert_eq!(behind.lines(3).await, new);
    assert_expired(&ben, ahead).await;
}

/// A watcher who takes nothing stays where it is; whoever comes then is not led there.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_of_a_history_that_is_gone_keeps_nobody_else_in_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let _takes_nothing = ben.watch(None).await;
    let mut reads = ben.watch(None).await;
    for _ in 0..MORE_THAN_WAIT {
        ana.start("plans", &["ben"], "old").await.unwrap();
    }
    reads.lines(MORE_THAN_WAIT).await;
    cut_after(&service, 1).await;
    ana.start("plans", &["ben"], "new").await.unwrap();
    assert_expired(&ben, reads).await;

    let mut anew = ben.watch(None).await;
    let pages = service.faults.count(Point::LogPage);
    for _ in 0..MORE_THAN_WAIT {
        ana.start("plans", &["ben"], "newer").await.unwrap();
    }
    anew.lines(MORE_THAN_WAIT).await;
    // Long enough for somebody who reads on and on.
    tokio::time::sleep(QUICK).await;
    let pages = service.faults.count(Point::LogPage) - pages;
    assert!(pages <= 4 * MORE_THAN_WAIT, "{pages} reads of the log");
    anew.assert_quiet();
}

/// Its place in the live set overflowed, so it reads the log again: from where it is, whatever number that has.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_who_fell_behind_in_a_history_that_is_gone_is_told_so(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut takes_nothing = ben.watch(None).await;
    let mut reads = ben.watch(None).await;
    let old = join_all((0..MORE_THAN_A_PLACE_HOLDS).map(|_| ana.start("plans", &["ben"], "old")));
    assert!(old.await.iter().all(Result::is_ok));
    reads.lines(MORE_THAN_A_PLACE_HOLDS).await;
    cut_after(&service, 1).await;
    ana.start("plans", &["cleo"], "new").await.unwrap();
    assert_expired(&ben, reads).await;

    let (lines, error) = takes_nothing.end().await;
    assert!(matches!(error, Error::ResumeTokenExpired), "{error:?}");
    assert!(lines.len() < MORE_THAN_A_PLACE_HOLDS, "it fell behind");
}

/// A log of as many events as these, whose tail does not know that it has lost all but the first;
/// who watches it, and where the first one is.
async fn unaware_tail(service: &Service) -> (Watcher, LogPosition) {
    service.announce_nothing();
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let mut watch = ben.watch(None).await;
    ana.start("plans", &["ben"], "first").await.unwrap();
    watch.lines(1).await;
    let first = watch.position;
    for _ in 0..MORE_THAN_WAIT {
        ana.start("plans", &["ben"], "old").await.unwrap();
    }
    watch.lines(MORE_THAN_WAIT).await;
    let outage = Fault::Fails(Cause::Outage);
    service.faults.always(Point::LogHeads, outage);
    cut_after(service, first.number).await;
    (watch, first)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_resumes_before_its_tail_knows_of_the_loss_has_it_look(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (watch, first) = unaware_tail(&service).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let pages = service.faults.count(Point::LogPage);
    let mut resumed = ben.watch(Some(first)).await;
    // Its own read, and its tail's.
    service.faults.reached(Point::LogPage, pages + 2).await;
    // Long enough for somebody who reads on and on.
    tokio::time::sleep(QUICK).await;
    let pages = service.faults.count(Point::LogPage) - pages;
    assert!(pages <= MORE_THAN_WAIT, "{pages} reads of the log");
    service.faults.heal();
    assert_expired(&ben, watch).await;
    ana.start("plans", &["ben"], "new").await.unwrap();
    assert_eq!(resumed.lines(1).await, ["1 ana: new"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_own_history_is_there_goes_on_when_its_tails_is_gone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    let (watch, first) = unaware_tail(&service).await;
    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let gate = service.faults.hold(Point::LogPage);
    let pages = service.faults.count(Point::LogPage);
    for _ in 0..=MORE_THAN_WAIT {
        ana.start("plans", &["ben"], "new").await.unwrap();
    }
    service.faults.reached(Point::LogPage, pages + 1).await;
    // The log goes as far as the tail has come, and has other events there.
    let mut resumed = ben.watch(Some(first)).await;
    resumed.lines(MORE_THAN_WAIT + 1).await;
    service.faults.heal();
    gate.open();
    assert_expired(&ben, watch).await;
    ana.start("plans", &["ben"], "newer").await.unwrap();
    assert_eq!(resumed.lines(1).await, ["1 ana: newer"]);
}
