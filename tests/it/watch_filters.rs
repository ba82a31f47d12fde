//! `WatchMessages`: to whom what is told, and what a watch can be limited to.

use crate::support::prelude::*;

fn only(kinds: &[EventKind]) -> WatchMessagesRequest {
    WatchMessagesRequest {
        kinds: kinds.iter().copied().map(i32::from).collect(),
        ..Default::default()
    }
}

fn of_thread(thread: &str) -> WatchMessagesRequest {
    WatchMessagesRequest {
        thread_id: thread.to_owned(),
        ..Default::default()
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_others_read_delete_and_restore_is_not_told(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let mut watch = ana.watch().await;
    ben.mark_read(&plans.thread).await;
    ben.mark_unread(&plans.thread).await;
    ben.delete(&plans.thread).await;
    ben.restore(&plans.thread).await;
    ben.reply(&plans.thread, "Yes").await;
    assert_eq!(watch.line().await, "ben replied in plans 2: Yes");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn threads_of_others_are_not_told(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben, eve) = (
        server.client("ana"),
        server.client("ben"),
        server.client("eve"),
    );
    let mut watch = eve.watch().await;
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.reply(&plans.thread, "Yes").await;
    ana.edit(&plans.message, "Dinner?").await;
    ana.start("other", &["eve"], "Hello").await;
    assert_eq!(watch.line().await, "ana sent other 1: Hello");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_can_be_limited_to_a_thread(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let other = ana.start("other", &["ben"], "Hello").await;
    let mut watch = ben
        .watch_with(of_thread(&plans.thread.to_uppercase()))
        .await;
    ana.reply(&other.thread, "Hello?").await;
    ben.mark_read(&other.thread).await;
    ana.start("new", &["ben"], "News").await;
    ben.mark_read(&plans.thread).await;
    ana.edit(&other.message, "Hi").await;
    ana.edit(&plans.message, "Dinner?").await;
    ana.reply(&plans.thread, "Anybody?").await;

    assert_eq!(watch.changed().await.user_id, "ben");
    assert_eq!(
        watch.lines(2).await,
        [
            "ana edited plans 1: Dinner?",
            "ana replied in plans 2: Anybody?"
        ],
    );
}

#[rstest]
#[case::one_that_is_not_there("ana", WatchScope::Own, true)]
#[case::one_of_others("eve", WatchScope::Own, false)]
#[case::one_of_others_even_with_the_scope("eve", WatchScope::Unspecified, false)]
#[case::one_that_is_not_there_even_of_all_users("ana", WatchScope::AllUsers, true)]
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_is_not_the_callers_is_not_found(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] caller: &str,
    #[case] scope: WatchScope,
    #[case] unused: bool,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let thread = if unused { unused_id() } else { plans.thread };
    let request = WatchMessagesRequest {
        scope: scope.into(),
        ..of_thread(&thread)
    };
    let client = server.client(caller).with_scopes("letterbox.watch-all");
    let refusal = assert_watch_refused(&client, request, Code::NotFound, "THREAD_NOT_FOUND").await;
    assert_eq!(refusal.resources, [thread]);
}

#[rstest]
#[case::sent(
    &[EventKind::MessageSent],
    &["ana replied in plans 2: Anybody?", "ben replied in plans 3: Yes"]
)]
#[case::edited(&[EventKind::MessageEdited], &["ana edited plans 1: Dinner?"])]
#[case::changed(&[EventKind::ThreadChanged], &["plans for ben: inbox, read 3, unread 0"])]
#[case::two_kinds_one_twice(
    &[EventKind::MessageEdited, EventKind::MessageSent, EventKind::MessageEdited],
    &["ana replied in plans 2: Anybody?", "ana edited plans 1: Dinner?", "ben replied in plans 3: Yes"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_can_be_limited_to_kinds(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] kinds: &[EventKind],
    #[case] expected: &[&str],
    #[values(true, false)] live: bool,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let mut request = only(kinds);
    let live_watch = ben.watch_with(request.clone()).await;
    request.resume_token.clone_from(&live_watch.ready_token);
    ana.reply(&plans.thread, "Anybody?").await;
    ben.mark_read(&plans.thread).await;
    ana.edit(&plans.message, "Dinner?").await;
    ben.reply(&plans.thread, "Yes").await;

    let mut watch = if live {
        live_watch
    } else {
        ben.watch_with(request).await
    };
    if kinds == [EventKind::ThreadChanged] {
        // Live it may be told before the reply.
        assert_eq!(watch.changed().await.user_id, "ben");
        if !live {
            return;
        }
    } else {
        assert_eq!(watch.lines(expected.len()).await, expected);
    }
    // And nothing else: what comes next is what happens next.
    ana.reply(&plans.thread, "Last").await;
    ana.edit(&plans.message, "Last").await;
    ben.delete(&plans.thread).await;
    let next = watch.line().await;
    let expected = match kinds[0] {
        EventKind::ThreadChanged => "plans for ben: deleted, read 3, unread 1",
        EventKind::MessageEdited if kinds.len() == 1 => "ana edited plans 1: Last",
        _ => "ana replied in plans 4: Last",
    };
    assert_eq!(next, expected);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_request_id_is_told_to_the_senders_own_watches_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let bot = ana.with_scopes("letterbox.watch-all");
    let mut own = ana.watch().await;
    let start = own.ready_token.clone();
    let mut others = [ben.watch().await, bot.watch_all().await];
    let (sending, replying) = (request_id(), request_id());
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: sending.clone(),
    };
    let plans: Sent = ana.send_message(request).await.unwrap().into();
    let request = ReplyThreadRequest {
        thread_id: plans.thread.clone(),
        content: "Anybody?".into(),
        subject: None,
        request_id: replying.clone(),
    };
    ana.reply_thread(request).await.unwrap();
    ana.reply(&plans.thread, "Without an id").await;

    let mut resumed = ana.resume(&start).await;
    for watch in [&mut own, &mut resumed] {
        assert_eq!(watch.sent().await.request_id, sending);
        assert_eq!(watch.sent().await.request_id, replying);
        assert_eq!(watch.sent().await.request_id, "");
    }
    for watch in &mut others {
        for _ in 1..=3 {
            assert_eq!(watch.sent().await.request_id, "");
        }
    }
    let mut replayed = ben.resume(&start).await;
    assert_eq!(replayed.sent().await.request_id, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_is_told_in_lower_case(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let mut watch = ana.watch().await;
    let id = request_id();
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: id.to_uppercase(),
    };
    ana.send_message(request).await.unwrap();
    assert_eq!(watch.sent().await.request_id, id);
}
