//! `ListInbox` and `GetInboxSummary`: folders, their order, and the counts.

use crate::support::prelude::*;

/// Threads of every kind, as they are for ana; named by where they lie.
async fn full_inbox(server: &TestServer) -> Client {
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    ana.start("started", &["ben"], "1").await;
    ben.start("unread", &["ana"], "1").await;
    let read = ben.start("read", &["ana"], "1").await;
    ana.mark_read(&read.thread).await;
    let answered = ben.start("answered", &["ana"], "1").await;
    ana.reply(&answered.thread, "2").await;
    ana.start("note", &["ana"], "1").await;
    let deleted = ben.start("deleted", &["ana"], "1").await;
    ana.delete(&deleted.thread).await;
    let own = ana.start("deleted own", &["ben"], "1").await;
    ana.delete(&own.thread).await;
    let unread = ana.start("answer unread", &["ben"], "1").await;
    ben.reply(&unread.thread, "2").await;
    ben.reply(&unread.thread, "3").await;
    ana
}

#[rstest]
#[case::unspecified(Folder::Unspecified, &["answer unread", "note", "answered", "read", "unread"])]
#[case::inbox(Folder::Inbox, &["answer unread", "note", "answered", "read", "unread"])]
#[case::unread(Folder::Unread, &["answer unread", "unread"])]
#[case::sent(Folder::Sent, &["answer unread", "note", "answered", "started"])]
#[case::deleted(Folder::Deleted, &["deleted own", "deleted"])]
#[case::all(
    Folder::All,
    &["answer unread", "deleted own", "deleted", "note", "answered", "read", "unread", "started"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn each_folder_lists_what_belongs_in_it_newest_message_first(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] folder: Folder,
    #[case] expected: &[&str],
) {
    let server = TestServer::start(database).await;
    let ana = full_inbox(&server).await;
    let page = ana.list(folder).await;
    assert_eq!(subjects(&page), expected);
    assert_eq!(usize::try_from(page.total_size), Ok(expected.len()));
    assert_eq!(
        (
            page.next_page_token.as_str(),
            page.previous_page_token.as_str()
        ),
        ("", "")
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_summary_counts_what_the_folders_hold(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = full_inbox(&server).await;
    let summary = ana.summary().await;
    assert_eq!(summary.inbox_thread_count, 5);
    assert_eq!(summary.unread_thread_count, 2);
    assert_eq!(summary.deleted_thread_count, 2);
    // One of "unread", two of "answer unread"; none of "deleted".
    assert_eq!(summary.unread_message_count, 3);
    assert_eq!(summary.user.expect("the caller").id, "ana");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_counts_follow_every_change(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let counts = async || {
        let summary = ana.summary().await;
        let sent = ana.list(Folder::Sent).await.total_size;
        let all = ana.list(Folder::All).await.total_size;
        (
            summary.inbox_thread_count,
            summary.unread_thread_count,
            summary.unread_message_count,
            summary.deleted_thread_count,
            sent,
            all,
        )
    };

    assert_eq!(counts().await, (0, 0, 0, 0, 0, 0), "a new user");
    let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
    assert_eq!(counts().await, (0, 0, 0, 0, 1, 1), "started");
    ben.reply(&thread, "Yes").await;
    ben.reply(&thread, "When?").await;
    assert_eq!(counts().await, (1, 1, 2, 0, 1, 1), "answered twice");
    ana.mark_read_up_to(&thread, 2).await;
    assert_eq!(counts().await, (1, 1, 1, 0, 1, 1), "read one");
    ana.delete(&thread).await;
    assert_eq!(counts().await, (0, 0, 0, 1, 0, 1), "deleted");
    ana.mark_read(&thread).await;
    ana.mark_unread(&thread).await;
    assert_eq!(counts().await, (0, 0, 0, 1, 0, 1), "marked while deleted");
    ana.restore(&thread).await;
    assert_eq!(counts().await, (1, 1, 1, 0, 1, 1), "restored");
    ana.reply(&thread, "At noon").await;
    assert_eq!(counts().await, (1, 0, 0, 0, 1, 1), "replied");
    ana.mark_unread(&thread).await;
    assert_eq!(counts().await, (1, 1, 1, 0, 1, 1), "marked unread");
    ana.delete(&thread).await;
    ben.reply(&thread, "Fine").await;
    assert_eq!(counts().await, (1, 1, 2, 0, 1, 1), "brought back");
    ben.start("news", &["ana"], "Hear this").await;
    assert_eq!(counts().await, (2, 2, 3, 0, 1, 2), "received");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_anybody_moves_a_thread_to_the_front_for_all(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let first = ana.start("first", &["ben"], "1").await;
    ana.start("second", &["ben"], "1").await;
    assert_eq!(ben.subjects(Folder::Inbox).await, ["second", "first"]);
    ana.reply(&first.thread, "2").await;
    assert_eq!(ben.subjects(Folder::Inbox).await, ["first", "second"]);
    assert_eq!(ana.subjects(Folder::All).await, ["first", "second"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_view_in_a_list_is_the_view_that_reading_shows(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = full_inbox(&server).await;
    let page = ana.list(Folder::All).await;
    assert_eq!(page.threads.len(), 8);
    for view in page.threads {
        assert_eq!(ana.view(&view.thread().id).await, view);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_view_tells_the_last_message_from_the_first(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let reply = ben.reply(&plans.thread, "At noon").await;

    let page = ana.list(Folder::Inbox).await;
    let view = &page.threads[0];
    assert_eq!(view.first_message_time, plans.message.send_time);
    assert_eq!(view.last_message_time, reply.message.send_time);
    assert_eq!(
        (view.last_sender(), view.snippet.as_str()),
        ("ben", "At noon")
    );
    assert!(view.started_by_viewer);
    assert!(!ben.list(Folder::Inbox).await.threads[0].started_by_viewer);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_is_an_empty_page_with_a_token_to_watch_from(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(
        Folder::Inbox,
        Folder::Unread,
        Folder::Sent,
        Folder::Deleted,
        Folder::All
    )]
    folder: Folder,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let page = ana.list(folder).await;
    assert_eq!((page.threads.len(), page.total_size), (0, 0));
    assert_eq!(
        (
            page.next_page_token.as_str(),
            page.previous_page_token.as_str()
        ),
        ("", "")
    );

    server
        .client("ben")
        .start("plans", &["ana"], "Lunch?")
        .await;
    let mut watch = ana.resume(&page.resume_token).await;
    assert_eq!(watch.line().await, "ben sent plans 1: Lunch?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sees_nothing_of_what_others_have(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    full_inbox(&server).await;
    // Ids are compared byte for byte.
    for stranger in ["eve", "Ana", "ana."] {
        let summary = server.client(stranger).summary().await;
        let counts = [
            summary.inbox_thread_count,
            summary.unread_thread_count,
            summary.deleted_thread_count,
            summary.unread_message_count,
        ];
        assert_eq!(counts, [0; 4]);
        let page = server.client(stranger).list(Folder::All).await;
        assert_eq!((page.threads, page.total_size), (vec![], 0));
    }
}
