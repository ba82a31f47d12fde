//! Pages that were sent before: sent again for as long as they are the same, and not a call longer.

use std::time::Duration;

use crate::support::{prelude::*, told};

/// How many pages a server has sent that it did not read again.
async fn sent_again(server: &TestServer) -> i64 {
    let series = "letterbox_pages_sent_total{source=\"cache\"}";
    server.scrape().await.count(series)
}

/// A page of an inbox, and of a thread, without the token of the moment.
#[derive(Debug, PartialEq)]
struct Seen(ListInboxResponse, GetThreadResponse);

/// What somebody sees, asked for twice: it is the same.
async fn seen(client: &Client, thread: &str) -> Seen {
    let once = || async {
        let mut seen = Seen(client.list(Folder::All).await, client.read(thread).await);
        seen.0.resume_token.clear();
        seen.1.resume_token.clear();
        seen
    };
    let first = once().await;
    assert_eq!(first, once().await);
    first
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nothing_has_changed_is_sent_again_without_being_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
    let first = seen(&ben, &thread).await;
    assert_eq!(sent_again(&server).await, 2);
    // What others do among themselves is none of it.
    ana.start("other", &["cleo"], "Hello").await;
    server.client("dan").summary().await;
    assert_eq!(seen(&ben, &thread).await, first);
    assert_eq!(sent_again(&server).await, 6);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_changes_a_page_is_on_the_next_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let admin = server.client("root").as_admin();
    let sent = ana.start("plans", &["ben"], "Lunch?").await;
    let thread = sent.thread.as_str();
    let mut before = seen(&ben, thread).await;
    for step in 0..10 {
        match step {
            0 => drop(ana.edit(&sent.message, "Dinner?").await),
            1 => drop(ana.reply(thread, "When?").await),
            2 => drop(ben.mark_read(thread).await),
            3 => drop(ben.mark_unread(thread).await),
            4 => drop(ben.delete(thread).await),
            5 => drop(ben.restore(thread).await),
            6 => drop(ben.reply(thread, "At eight").await),
            7 => {
                let renamed = ReplyThreadRequest {
                    thread_id: thread.to_owned(),
                    content: "Good".into(),
                    subject: Some("dinner".into()),
                    ..Default::default()
                };
                ana.reply_thread(renamed).await.unwrap();
            }
            // No event tells of these.
            8 => drop(admin.update_users(vec![told("ana Ana")]).await),
            _ => drop(admin.update_users(vec![told("ana Anna")]).await),
        }
        let after = seen(&ben, thread).await;
        assert_ne!(after.0, before.0, "step {step}: the inbox");
        assert_ne!(after.1, before.1, "step {step}: the thread");
        before = after;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_has_written_is_on_the_next_page_of_this_one() {
    let first = TestServer::start(Database::Postgres).await;
    let second = first.replica().await;
    let thread = first.client("ana").start("plans", &["ben"], "1").await;
    let thread = thread.thread.as_str();
    let admin = second.client("root").as_admin();
    let ben = first.client("ben");
    for number in 2..6 {
        seen(&ben, thread).await;
        second.client("ana").reply(thread, "more").await;
        let Seen(inbox, page) = seen(&ben, thread).await;
        assert_eq!(inbox.threads[0].unread_count, number);
        assert_eq!(page.messages.len(), number.cast_unsigned() as usize);
        let name = format!("Ana{number}");
        admin.update_users(vec![told(&format!("ana {name}"))]).await;
        let Seen(inbox, page) = seen(&ben, thread).await;
        let sender = |user: &Option<letterbox::pb::User>| user.as_ref().unwrap().first_name.clone();
        assert_eq!(sender(&inbox.threads[0].last_sender), name);
        assert_eq!(sender(&page.messages[0].sender), name);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn new_users_change_no_page_that_they_are_not_on(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let thread = server.client("ana").start("plans", &["ben"], "1").await;
    let ben = server.client("ben");
    seen(&ben, &thread.thread).await;
    let before = sent_again(&server).await;
    let admin = server.client("root").as_admin();
    admin.create_users(vec![told("eve Eve")]).await;
    server.client("dan").summary().await;
    seen(&ben, &thread.thread).await;
    assert_eq!(sent_again(&server).await, before + 4);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_sent_before_still_marks_what_is_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let sent = ana.start("plans", &["ben"], "Lunch?").await;
    ana.reply(&sent.thread, "Or dinner?").await;
    let unread = || async { ben.read(&sent.thread).await.view.unwrap().unread_count };
    for _ in 0..2 {
        assert_eq!(unread().await, 2);
    }
    let marking = GetThreadRequest {
        thread_id: sent.thread.clone(),
        page_size: 200,
        mark_read: true,
        ..Default::default()
    };
    for _ in 0..3 {
        let marked = ben.get_thread(marking.clone()).await.unwrap();
        assert_eq!(marked.view.unwrap().read_number, 2);
        assert_eq!(unread().await, 0);
        assert_eq!(ben.summary().await.unread_message_count, 0);
    }
    // All but the first read, the first marking, and the read after it.
    assert_eq!(sent_again(&server).await, 5);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_page_that_is_sent_again_is_of_the_moment(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
    seen(&ben, &thread).await;
    ana.start("other", &["cleo"], "Before the page").await;
    for token in [
        ben.list(Folder::All).await.resume_token,
        ben.read(&thread).await.resume_token,
    ] {
        let all = WatchMessagesRequest {
            resume_token: token,
            scope: WatchScope::AllUsers.into(),
            ..Default::default()
        };
        let eve = server.client("eve").with_scopes("letterbox.watch-all");
        let mut watch = eve.watch_with(all).await;
        ana.start("third", &["cleo"], "After it").await;
        assert_eq!(watch.line().await, "ana sent third 1: After it");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_sent_again_to_nobody_but_the_user_of_the_tenant_who_asked_for_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
    seen(&ana, &thread).await;
    seen(&ben, &thread).await;
    for other in [server.client("cleo"), ben.in_tenant("shop")] {
        for _ in 0..2 {
            assert_eq!(other.list(Folder::All).await.threads, []);
            let get = GetThreadRequest {
                thread_id: thread.clone(),
                ..Default::default()
            };
            let refused = other.get_thread(get).await;
            assert_refused(refused, Code::NotFound, "THREAD_NOT_FOUND");
        }
    }
    assert_eq!(seen(&ana, &thread).await.0.threads[0].unread_count, 0);
    assert_eq!(seen(&ben, &thread).await.0.threads[0].unread_count, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_right_when_the_event_it_was_sent_after_has_been_removed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        .settings(|settings| settings.event_retention = Duration::from_secs(1))
        .start(database)
        .await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    let removed = "letterbox_retention_removed_rows_total{table=\"audience\"}";
    for number in 2..4 {
        seen(&ben, &thread).await;
        ana.reply(&thread, "more").await;
        // The newest event of those that are old is kept.
        ana.start("other", &["cleo"], "Hello").await;
        clock.advance(Duration::from_hours(1));
        // All that there was before it: two events a round, each told to two.
        let rows = 4 * (i64::from(number) - 1);
        eventually("the removal of what told ben of the reply", async || {
            (server.scrape().await.count(removed) == rows).then_some(())
        })
        .await;
        let Seen(inbox, page) = seen(&ben, &thread).await;
        assert_eq!(inbox.threads[0].unread_count, number);
        assert_eq!(page.messages.len(), number.cast_unsigned() as usize);
    }
}

/// Replies with the thread's second message, once the database is back.
async fn reply(client: &Client, thread: &str, content: &str) {
    let replied = eventually("an answer", async || {
        let reply = ReplyThreadRequest {
            thread_id: thread.to_owned(),
            content: content.to_owned(),
            ..Default::default()
        };
        client.reply_thread(reply).await.ok()
    });
    assert_eq!(replied.await.message.unwrap().number, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_history_that_a_backup_has_undone_is_not_sent_again() {
    let server = TestServer::start(Database::Postgres).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    server.database().go_down().await;
    let backup = server.database().copy().await;
    server.database().come_back().await;
    reply(&ana, &thread, "undone").await;
    assert_eq!(ben.lines(&thread).await.last().unwrap(), "2 ana: undone");
    seen(&ben, &thread).await;

    server.database().restore(backup).await;
    // At the same position of the log, and of the thread.
    reply(&ana, &thread, "done anew").await;
    assert_eq!(ben.lines(&thread).await.last().unwrap(), "2 ana: done anew");
    let inbox = ben.list(Folder::All).await;
    assert_eq!(inbox.threads[0].snippet, "done anew");
}

#[rstest]
#[case::room_for_some(64 * 1024, true)]
#[case::less_than_a_page(100, false)]
#[case::none(0, false)]
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_that_are_kept_take_no_more_memory_than_they_may(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] bytes: usize,
    #[case] kept: bool,
) {
    let setup =
        TestServer::setup().settings(|settings| settings.limits.page_cache_bytes_max = bytes);
    let server = setup.start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    for _ in 0..50 {
        let thread = ana.start("plans", &["ben"], &"x".repeat(4_000)).await;
        seen(&ben, &thread.thread).await;
    }
    let taken = server.scrape().await.count("letterbox_page_cache_bytes");
    assert!(taken <= i64::try_from(bytes).unwrap(), "{taken} of {bytes}");
    assert_eq!(sent_again(&server).await > 0, kept);
}
