//! `ReplyThread`: appending to a thread.

use std::time::Duration;

use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_reaches_everybody_else_unread_and_is_read_for_its_sender(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben, cleo) = (
        server.client("ana"),
        server.client("ben"),
        server.client("cleo"),
    );
    let plans = ana.start("plans", &["ben", "cleo"], "Lunch?").await;
    let reply = ben.reply(&plans.thread, "At noon").await;

    assert_eq!(reply.message.line(), "2 ben: At noon");
    assert_eq!(reply.message.revision, 1);
    assert_eq!(reply.view.placement(), Placement::Inbox);
    assert_eq!((reply.view.unread_count, reply.view.read_number), (0, 2));
    assert!(!reply.view.unread);

    let for_ana = ana.view(&plans.thread).await;
    assert_eq!(for_ana.placement(), Placement::Inbox);
    assert_eq!((for_ana.unread_count, for_ana.read_number), (1, 1));
    let for_cleo = cleo.view(&plans.thread).await;
    assert_eq!(for_cleo.placement(), Placement::Inbox);
    assert_eq!((for_cleo.unread_count, for_cleo.read_number), (2, 0));
    assert!(for_ana.unread && for_cleo.unread);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn ones_own_reply_brings_a_started_thread_into_the_inbox_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let more = ana.reply(&plans.thread, "I am paying").await;

    assert_eq!(more.view.placement(), Placement::Inbox);
    assert_eq!((more.view.unread_count, more.view.read_number), (0, 2));
    assert_eq!(
        server.client("ben").view(&plans.thread).await.unread_count,
        2
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_counts_what_came_before_it_as_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ana.reply(&plans.thread, "Anybody?").await;
    assert_eq!(ben.view(&plans.thread).await.unread_count, 2);

    let reply = ben.reply(&plans.thread, "Yes").await;
    assert_eq!((reply.view.unread_count, reply.view.read_number), (0, 3));
    assert_eq!(ben.subjects(Folder::Unread).await, [""; 0]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_brings_a_deleted_thread_back_for_everybody(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben, cleo) = (
        server.client("ana"),
        server.client("ben"),
        server.client("cleo"),
    );
    let plans = ana.start("plans", &["ben", "cleo"], "Lunch?").await;
    for client in [&ana, &ben, &cleo] {
        client.delete(&plans.thread).await;
    }

    // Even the replier's own deletion does not keep it away.
    let reply = cleo.reply(&plans.thread, "Sorry, late").await;
    assert_eq!(reply.view.placement(), Placement::Inbox);
    for client in [&ana, &ben] {
        let view = client.view(&plans.thread).await;
        assert_eq!(view.placement(), Placement::Inbox);
        assert!(view.unread);
        assert_eq!(client.subjects(Folder::Unread).await, ["plans"]);
        assert_eq!(client.subjects(Folder::Deleted).await, [""; 0]);
    }
    assert_eq!(ben.view(&plans.thread).await.unread_count, 2);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_note_to_oneself_can_be_continued(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let note = ana.start("shopping", &["ana"], "Milk").await;
    let more = ana.reply(&note.thread, "Bread").await;

    assert_eq!(more.view.placement(), Placement::Inbox);
    assert_eq!((more.view.unread_count, more.view.read_number), (0, 2));
    assert_eq!(
        ana.lines(&note.thread).await,
        ["1 ana: Milk", "2 ana: Bread"]
    );
}

#[rstest]
#[case::replaced(Some("dinner"), "dinner")]
#[case::kept(None, "plans")]
#[case::the_same(Some("plans"), "plans")]
#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_is_present_replaces_the_threads_for_everybody(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] subject: Option<&str>,
    #[case] expected: &str,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = ReplyThreadRequest {
        thread_id: plans.thread.clone(),
        content: "Rather dinner".into(),
        subject: subject.map(str::to_owned),
        request_id: String::new(),
    };
    let reply: Sent = ben.reply_thread(request).await.unwrap().into();

    assert_eq!(reply.view.subject(), expected);
    assert_eq!(ana.view(&plans.thread).await.subject(), expected);
    assert_eq!(ana.subjects(Folder::Inbox).await, [expected]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn numbers_count_up_without_gaps_however_many_reply_at_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "1").await;
    let thread = plans.thread.as_str();
    let replies = futures_util::future::join_all((0..40).map(|n| {
        let client = if n % 2 == 0 { &ana } else { &ben };
        async move { client.reply(thread, &n.to_string()).await.message }
    }))
    .await;

    let mut numbers: Vec<i32> = replies.iter().map(|message| message.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=41).collect::<Vec<_>>());
    let read = ana.read(thread).await;
    let numbers: Vec<i32> = read.messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=41).collect::<Vec<_>>());
    assert!(read.messages.is_sorted_by_key(|message| {
        let time = message.send_time.expect("a message has a time");
        (time.seconds, time.nanos)
    }));
    let view = read.view.expect("a view");
    assert_eq!(view.thread().message_count, 41);
    assert_eq!(view.snippet, read.messages[40].content);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn times_grow_within_a_thread_whatever_the_clock_does(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let started = clock.timestamp();
    let after = |micros: i32| {
        let mut time = started.expect("a time");
        time.nanos += micros * 1_000;
        Some(time)
    };

    clock.turn_back(Duration::from_hours(1));
    let second = ben.reply(&plans.thread, "At noon").await;
    assert_eq!(second.message.send_time, after(1), "not before the first");
    assert_eq!(second.view.last_message_time, after(1));
    let edited = ana.edit(&plans.message, "Dinner?").await;
    assert_eq!(edited.edit_time, after(2));
    let thread = ana.view(&plans.thread).await;
    assert_eq!(thread.thread().update_time, after(2));

    clock.advance(Duration::from_hours(2));
    let third = ana.reply(&plans.thread, "Fine").await;
    assert_eq!(third.message.send_time, clock.timestamp());

    // What happens elsewhere does not hold the clock: another thread goes by its own times.
    clock.turn_back(Duration::from_hours(1));
    let other = ana.start("other", &["ben"], "Hello").await;
    assert_eq!(other.message.send_time, clock.timestamp());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_moves_the_threads_times_except_its_first(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let started = clock.timestamp();
    clock.advance(Duration::from_micros(1));
    let view = server.client("ben").reply(&plans.thread, "Yes").await.view;

    assert_eq!(view.thread().create_time, started);
    assert_eq!(view.first_message_time, started);
    assert_eq!(view.thread().update_time, clock.timestamp());
    assert_eq!(view.last_message_time, clock.timestamp());
    assert_eq!(view.last_sender(), "ben");
    assert_eq!(view.snippet, "Yes");
    assert_eq!(view.thread().message_count, 2);
    assert_eq!(view.participants(), ["ana", "ben"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_can_neither_read_nor_change_a_thread(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let eve = server.client("eve");

    // What is not there and what is not one's own look the same.
    let mut told = Vec::new();
    for thread in [plans.thread.clone(), unused_id()] {
        let thread_id = || thread.clone();
        let reply = ReplyThreadRequest {
            thread_id: thread_id(),
            content: "Hi".into(),
            ..Default::default()
        };
        let read = GetThreadRequest {
            thread_id: thread_id(),
            mark_read: true,
            ..Default::default()
        };
        let mark = MarkThreadReadRequest {
            thread_id: thread_id(),
            up_to_number: None,
        };
        let unread = pb::MarkThreadUnreadRequest {
            thread_id: thread_id(),
        };
        let delete = pb::DeleteThreadRequest {
            thread_id: thread_id(),
        };
        let restore = pb::RestoreThreadRequest {
            thread_id: thread_id(),
        };
        let (code, reason) = (Code::NotFound, "THREAD_NOT_FOUND");
        for refusal in [
            assert_refused(eve.reply_thread(reply).await, code, reason),
            assert_refused(eve.get_thread(read).await, code, reason),
            assert_refused(eve.mark_thread_read(mark).await, code, reason),
            assert_refused(eve.mark_thread_unread(unread).await, code, reason),
            assert_refused(eve.delete_thread(delete).await, code, reason),
            assert_refused(eve.restore_thread(restore).await, code, reason),
        ] {
            assert_eq!(refusal.resources, [thread.as_str()], "it is named");
            told.push(refusal.message.replace(&thread, "…"));
        }
    }
    let (stranger, nothing) = told.split_at(6);
    assert_eq!(stranger, nothing, "nothing tells the two apart");
    assert_eq!(
        server.client("ben").lines(&plans.thread).await,
        ["1 ana: Lunch?"]
    );
    assert_eq!(eve.subjects(Folder::All).await, [""; 0]);
}
