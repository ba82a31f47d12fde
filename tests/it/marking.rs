//! Read marks: `MarkThreadRead`, `MarkThreadUnread`, and `GetThread` with `mark_read`.

use std::time::Duration;

use crate::support::prelude::*;

/// The read mark and what is unread after it.
fn mark(view: &ThreadView) -> (i32, i32) {
    assert_eq!(view.unread, view.unread_count > 0, "{view:?}");
    (view.read_number, view.unread_count)
}

fn read_request(thread: &str) -> GetThreadRequest {
    GetThreadRequest {
        thread_id: thread.to_owned(),
        mark_read: true,
        ..Default::default()
    }
}

/// A thread in which ben has written 3 and 6, and ana the others; ana's mark stands at 2.
async fn conversation(server: &TestServer) -> (Client, String) {
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
    ana.reply(&thread, "Anybody?").await;
    ben.reply(&thread, "Yes").await;
    ana.reply(&thread, "When?").await;
    ana.reply(&thread, "Where?").await;
    assert_eq!(mark(&ana.mark_unread(&thread).await), (2, 1));
    ben.reply(&thread, "At noon").await;
    assert_eq!(mark(&ana.view(&thread).await), (2, 2));
    (ana, thread)
}

#[rstest]
#[case::all(None, (6, 0))]
#[case::past_the_end(Some(7), (6, 0))]
#[case::far_past_the_end(Some(i32::MAX), (6, 0))]
#[case::to_the_newest(Some(6), (6, 0))]
#[case::to_one_of_ones_own(Some(5), (5, 1))]
#[case::to_one_of_ones_own_in_between(Some(4), (4, 1))]
#[case::to_one_of_the_others(Some(3), (3, 1))]
#[case::to_where_it_stands(Some(2), (2, 2))]
#[case::but_never_back(Some(1), (2, 2))]
#[case::nor_to_nothing(Some(0), (2, 2))]
#[tokio::test(flavor = "multi_thread")]
async fn the_read_mark_moves_forward_and_only_messages_of_others_are_unread(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] up_to_number: Option<i32>,
    #[case] expected: (i32, i32),
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    let ben_before = server.client("ben").view(&thread).await;

    let request = MarkThreadReadRequest {
        thread_id: thread.clone(),
        up_to_number,
    };
    let answer = ana.mark_thread_read(request).await.unwrap();
    let view = answer.view.expect("a view");
    assert_eq!(mark(&view), expected);
    assert_eq!(ana.view(&thread).await, view);
    assert_eq!(ana.summary().await.unread_message_count, expected.1);
    assert_eq!(server.client("ben").view(&thread).await, ben_before);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn marking_what_is_read_as_read_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    let read = ana.mark_read(&thread).await;

    assert_eq!(ana.mark_read(&thread).await, read);
    assert_eq!(ana.mark_read_up_to(&thread, 3).await, read);
    assert_eq!(ana.mark_read_up_to(&thread, 0).await, read);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn marking_unread_makes_the_newest_message_of_somebody_else_unread(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    ana.mark_read(&thread).await;
    assert_eq!(mark(&ana.mark_unread(&thread).await), (5, 1));
    assert_eq!(ana.subjects(Folder::Unread).await, ["plans"]);

    // With two messages of one's own after it, the mark goes further back.
    ana.reply(&thread, "Fine").await;
    let view = ana.reply(&thread, "See you").await.view;
    assert_eq!(mark(&view), (8, 0));
    let view = ana.mark_unread(&thread).await;
    assert_eq!(mark(&view), (5, 1));
    assert_eq!(ana.view(&thread).await, view);

    // And forth again, past them.
    assert_eq!(mark(&ana.mark_read_up_to(&thread, 7).await), (7, 0));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn marking_unread_what_is_unread_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    let before = ana.view(&thread).await;

    let view = ana.mark_unread(&thread).await;
    assert_eq!(mark(&view), (2, 2), "though a newer message is unread too");
    assert_eq!(view, before);
}

#[rstest]
#[case::a_note(&["ana"])]
#[case::an_unanswered_thread(&["ben"])]
#[tokio::test(flavor = "multi_thread")]
async fn marking_unread_where_nobody_else_has_written_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] recipients: &[&str],
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let thread = ana.start("plans", recipients, "Lunch?").await.thread;
    ana.reply(&thread, "Anybody?").await;
    let before = ana.list(Folder::All).await;

    assert_eq!(mark(&ana.mark_unread(&thread).await), (2, 0));
    let after = ana.list(Folder::All).await;
    assert_eq!(after.threads, before.threads);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_several_others_counts(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben, cleo) = (
        server.client("ana"),
        server.client("ben"),
        server.client("cleo"),
    );
    let thread = ana.start("plans", &["ben", "cleo"], "Lunch?").await.thread;
    cleo.reply(&thread, "Yes").await;
    ben.reply(&thread, "No").await;

    assert_eq!(mark(&ben.mark_unread(&thread).await), (1, 1));
    cleo.mark_read(&thread).await;
    assert_eq!(mark(&cleo.mark_unread(&thread).await), (2, 1));
    ana.mark_read(&thread).await;
    assert_eq!(mark(&ana.mark_unread(&thread).await), (2, 1));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn marking_moves_no_thread_and_no_time(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let (ana, thread) = conversation(&server).await;
    let ben = server.client("ben");
    ana.delete(&thread).await;
    ben.start("news", &["ana"], "Hear this").await;
    let before = ana.view(&thread).await;
    clock.advance(Duration::from_mins(1));

    let read = ana.mark_read(&thread).await;
    assert_eq!(read.placement(), Placement::Deleted);
    assert_eq!(read.thread, before.thread, "update_time among it");
    assert_eq!(read.last_message_time, before.last_message_time);
    let unread = ana.mark_unread(&thread).await;
    assert_eq!(unread.placement(), Placement::Deleted);
    assert_eq!(unread.thread, before.thread);
    assert_eq!(ana.subjects(Folder::Inbox).await, ["news"]);
    assert_eq!(
        ana.subjects(Folder::Unread).await,
        ["news"],
        "not the deleted one"
    );
    assert_eq!(ana.subjects(Folder::All).await, ["news", "plans"]);
}

#[rstest]
#[case::the_whole(GetThreadRequest::default(), (6, 0))]
#[case::a_page(GetThreadRequest { page_size: 3, ..Default::default() }, (3, 1))]
#[case::a_page_of_what_is_read(GetThreadRequest { page_size: 1, ..Default::default() }, (2, 2))]
#[case::the_newest(
    GetThreadRequest { page_size: 1, order: MessageOrder::NewestFirst.into(), ..Default::default() },
    (6, 0)
)]
#[case::from_a_number_down(
    GetThreadRequest {
        page_size: 2,
        start_number: 5,
        order: MessageOrder::NewestFirst.into(),
        ..Default::default()
    },
    (5, 1)
)]
#[case::what_others_wrote(
    GetThreadRequest { page_size: 1, exclude_sender_id: "ana".into(), ..Default::default() },
    (3, 1)
)]
#[case::what_oneself_wrote(
    GetThreadRequest { exclude_sender_id: "ben".into(), ..Default::default() },
    (5, 1)
)]
#[case::nothing(GetThreadRequest { start_number: 7, ..Default::default() }, (2, 2))]
#[tokio::test(flavor = "multi_thread")]
async fn reading_with_mark_read_moves_the_mark_to_the_highest_number_returned(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: GetThreadRequest,
    #[case] expected: (i32, i32),
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    let answer = ana
        .get_thread(GetThreadRequest {
            thread_id: thread.clone(),
            mark_read: true,
            ..request
        })
        .await
        .unwrap();

    let view = answer.view.expect("a view");
    assert_eq!(mark(&view), expected, "the view is the one after");
    assert_eq!(ana.view(&thread).await, view);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reading_without_mark_read_moves_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    let first = ana.read(&thread).await;
    assert_eq!(first.messages.len(), 6);
    assert_eq!(mark(&first.view.expect("a view")), (2, 2));
    assert_eq!(mark(&ana.view(&thread).await), (2, 2));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn mark_read_on_a_later_page_counts_the_earlier_ones_as_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    let first = GetThreadRequest {
        page_size: 2,
        mark_read: false,
        ..read_request(&thread)
    };
    let token = ana.get_thread(first).await.unwrap().next_page_token;
    let second = GetThreadRequest {
        page_size: 2,
        page_token: token,
        ..read_request(&thread)
    };
    let answer = ana.get_thread(second).await.unwrap();
    assert_eq!(mark(&answer.view.expect("a view")), (4, 1));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn mark_read_moves_the_mark_over_ones_own_messages_although_nothing_is_unread(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ben.start("plans", &["ana"], "Lunch?").await.thread;
    ana.reply(&thread, "Yes").await;
    assert_eq!(mark(&ana.mark_unread(&thread).await), (0, 1));
    assert_eq!(mark(&ana.mark_read_up_to(&thread, 1).await), (1, 0));

    let answer = ana.get_thread(read_request(&thread)).await.unwrap();
    assert_eq!(mark(&answer.view.expect("a view")), (2, 0));
    assert_eq!(mark(&ana.view(&thread).await), (2, 0));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_thread_can_be_read_and_marked(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = conversation(&server).await;
    ana.delete(&thread).await;
    let answer = ana.get_thread(read_request(&thread)).await.unwrap();
    assert_eq!(answer.messages.len(), 6);
    let view = answer.view.expect("a view");
    assert_eq!(view.placement(), Placement::Deleted);
    assert_eq!(mark(&view), (6, 0));
}
