//! `DeleteThread` and `RestoreThread`: where a thread lies for one participant.

use std::time::Duration;

use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn deleting_puts_a_thread_away_for_the_caller_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let ana_before = ana.view(&plans.thread).await;
    let before = ben.view(&plans.thread).await;
    let deleted = ben.delete(&plans.thread).await;

    let expected = ThreadView {
        placement: Placement::Deleted.into(),
        ..before
    };
    assert_eq!(deleted, expected, "the read mark stays");
    assert_eq!(ben.view(&plans.thread).await, deleted);
    assert_eq!(ben.subjects(Folder::Deleted).await, ["plans"]);
    assert_eq!(ben.subjects(Folder::All).await, ["plans"]);
    for folder in [Folder::Inbox, Folder::Unread, Folder::Sent] {
        assert_eq!(ben.subjects(folder).await, [""; 0], "{folder:?}");
    }
    assert_eq!(ana.view(&plans.thread).await, ana_before);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_thread_can_still_be_read_and_edited(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ana.delete(&plans.thread).await;

    assert_eq!(ana.lines(&plans.thread).await, ["1 ana: Lunch?"]);
    ana.edit(&plans.message, "Dinner?").await;
    let view = ana.view(&plans.thread).await;
    assert_eq!(view.placement(), Placement::Deleted);
    assert_eq!(view.snippet, "Dinner?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_received_thread_is_restored_to_the_inbox_as_unread_as_it_was(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let before = ben.view(&plans.thread).await;
    ben.delete(&plans.thread).await;
    let restored = ben.restore(&plans.thread).await;

    assert_eq!(restored, before);
    assert_eq!(ben.subjects(Folder::Unread).await, ["plans"]);
    assert_eq!(ben.subjects(Folder::Deleted).await, [""; 0]);
}

#[rstest]
#[case::unanswered(&["ben"], &[], Placement::Started)]
#[case::answered(&["ben"], &["ben"], Placement::Inbox)]
#[case::continued_by_oneself(&["ben"], &["ana"], Placement::Inbox)]
#[case::a_note(&["ana"], &[], Placement::Inbox)]
#[tokio::test(flavor = "multi_thread")]
async fn a_started_thread_is_restored_to_where_it_belongs(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] recipients: &[&str],
    #[case] repliers: &[&str],
    #[case] expected: Placement,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", recipients, "Lunch?").await;
    for replier in repliers {
        server.client(replier).reply(&plans.thread, "Yes").await;
    }
    let before = ana.view(&plans.thread).await;
    ana.delete(&plans.thread).await;
    let restored = ana.restore(&plans.thread).await;

    assert_eq!(restored.placement(), expected);
    assert_eq!(restored, before);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_only_message_being_somebody_elses_restores_to_the_inbox(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let ben = server.client("ben");
    ben.mark_read(&plans.thread).await;
    ben.delete(&plans.thread).await;
    let restored = ben.restore(&plans.thread).await;
    assert_eq!(restored.placement(), Placement::Inbox);
    assert_eq!((restored.read_number, restored.unread_count), (1, 0));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn doing_it_again_succeeds_and_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;

    // Neither in the inbox nor where it was started is there anything to restore.
    assert_eq!(ana.restore(&plans.thread).await, plans.view);
    let before = ben.view(&plans.thread).await;
    assert_eq!(ben.restore(&plans.thread).await, before);

    let deleted = ben.delete(&plans.thread).await;
    clock.advance(Duration::from_mins(1));
    assert_eq!(ben.delete(&plans.thread).await, deleted);
    assert_eq!(ben.summary().await.deleted_thread_count, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn filing_moves_no_time_and_no_place_in_the_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ana.start("news", &["ben"], "Hear this").await;
    let before = ben.view(&plans.thread).await;
    clock.advance(Duration::from_mins(1));
    assert_eq!(ben.delete(&plans.thread).await.thread, before.thread);
    assert_eq!(ben.restore(&plans.thread).await.thread, before.thread);
    assert_eq!(ben.subjects(Folder::Inbox).await, ["news", "plans"]);
}
