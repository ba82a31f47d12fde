//! `WatchMessages`: what comes, as it happens.

use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn from_ready_on_nothing_is_missed_and_nothing_older_comes(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let mut watch = ben.watch().await;
    ana.reply(&plans.thread, "Anybody?").await;
    ben.reply(&plans.thread, "Yes").await;
    ana.edit(&plans.message, "Dinner?").await;
    ben.mark_unread(&plans.thread).await;
    ben.delete(&plans.thread).await;
    ben.restore(&plans.thread).await;

    assert_eq!(
        watch.lines(3).await,
        [
            "ana replied in plans 2: Anybody?",
            "ben replied in plans 3: Yes",
            "ana edited plans 1: Dinner?",
        ],
    );
    // The views as they are when they are delivered, which may be after what followed.
    for _ in ["marked unread", "deleted", "restored"] {
        assert_eq!(watch.changed().await.user_id, "ben");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_thread_reaches_everybody_in_it_with_all_that_there_is_to_say(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watches = [ana.watch().await, ben.watch().await];
    let plans = ana.start("plans", &["cleo", "ben"], "Lunch?").await;
    for watch in &mut watches {
        let sent = watch.sent().await;
        assert_eq!(sent.message.as_ref(), Some(&plans.message));
        assert_eq!(sent.thread.as_ref(), plans.view.thread.as_ref());
        assert!(!sent.reply);
        assert_eq!(sent.recipient_ids, ["cleo", "ben"]);
    }

    let reply = ben.reply(&plans.thread, "Yes").await;
    for watch in &mut watches {
        let sent = watch.sent().await;
        assert_eq!(sent.message.as_ref(), Some(&reply.message));
        assert_eq!(sent.thread.as_ref(), reply.view.thread.as_ref());
        assert!(sent.reply);
        assert_eq!(
            sent.recipient_ids,
            ["ana", "cleo"],
            "in the participants' order"
        );
    }

    let edited = ana.edit(&plans.message, "Dinner?").await;
    for watch in &mut watches {
        let event = watch.edited().await;
        assert_eq!(event.message.as_ref(), Some(&edited));
        let thread = event.thread.expect("the thread");
        assert_eq!(thread.message_count, 2);
        assert_eq!(thread.update_time, edited.edit_time);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_note_to_oneself_has_no_recipients(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let mut watch = ana.watch().await;
    ana.start("shopping", &["ana"], "Milk").await;
    let sent = watch.sent().await;
    assert_eq!(sent.recipient_ids, [""; 0]);
    assert!(!sent.reply);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_changes_the_subject_says_so(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let mut watch = ana.watch().await;
    let request = ReplyThreadRequest {
        thread_id: plans.thread,
        content: "Rather dinner".into(),
        subject: Some("dinner".into()),
        ..Default::default()
    };
    ben.reply_thread(request).await.unwrap();
    assert_eq!(watch.line().await, "ben replied in dinner 2: Rather dinner");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_call_that_changes_a_view_tells_the_whole_view(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let mut watch = ben.watch().await;
    let thread = plans.thread.as_str();

    let view = ben.mark_read(thread).await;
    let changed = watch.changed().await;
    assert_eq!(
        (changed.view, changed.user_id.as_str()),
        (Some(view), "ben")
    );
    let view = ben.mark_unread(thread).await;
    assert_eq!(watch.changed().await.view, Some(view));
    let view = ben.delete(thread).await;
    assert_eq!(watch.changed().await.view, Some(view));
    let view = ben.restore(thread).await;
    assert_eq!(watch.changed().await.view, Some(view));
    let request = GetThreadRequest {
        thread_id: thread.to_owned(),
        mark_read: true,
        ..Default::default()
    };
    let view = ben.get_thread(request).await.unwrap().view;
    assert_eq!(watch.changed().await.view, view);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_moves_over_ones_own_messages_alone_is_told_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ben.start("plans", &["ana"], "Lunch?").await.thread;
    ana.reply(&thread, "Yes").await;
    ana.reply(&thread, "When?").await;
    ana.mark_unread(&thread).await;
    ana.mark_read_up_to(&thread, 1).await;
    let mut watch = ana.watch().await;
    let view = ana.mark_read_up_to(&thread, 2).await;
    assert_eq!((view.read_number, view.unread_count), (2, 0));
    assert_eq!(watch.changed().await.view, Some(view));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_a_deleted_thread_is_told_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.delete(&plans.thread).await;
    let mut watch = ben.watch().await;
    ana.edit(&plans.message, "Dinner?").await;
    assert_eq!(watch.line().await, "ana edited plans 1: Dinner?");
    assert_eq!(
        ben.view(&plans.thread).await.placement(),
        Placement::Deleted
    );
    ana.reply(&plans.thread, "Anybody?").await;
    assert_eq!(watch.line().await, "ana replied in plans 2: Anybody?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_watches_stand_side_by_side(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ben = server.client("ben");
    let watches = futures_util::future::join_all((0..100).map(|_| ben.watch())).await;
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    for mut watch in watches {
        assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_changes_nothing_makes_no_event(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: request_id(),
    };
    let plans: Sent = ana.send_message(request.clone()).await.unwrap().into();
    ben.mark_read(&plans.thread).await;
    let started = ana.start("unread", &["ben"], "Read me").await;
    let deleted = ana.start("deleted", &["ben"], "Delete me").await;
    ben.delete(&deleted.thread).await;
    let everything = server.client("bot").with_scopes("letterbox.watch-all");
    let mut watches = [
        ana.watch().await,
        ben.watch().await,
        everything.watch_all().await,
    ];

    ana.send_message(request).await.expect("a retry");
    ana.edit(&plans.message, "Lunch?").await;
    ben.mark_read(&plans.thread).await;
    ben.mark_read_up_to(&started.thread, 0).await;
    ben.mark_unread(&started.thread).await;
    ana.mark_unread(&plans.thread).await;
    ben.delete(&deleted.thread).await;
    ben.restore(&plans.thread).await;
    ana.restore(&plans.thread).await;
    let read = GetThreadRequest {
        thread_id: plans.thread.clone(),
        mark_read: true,
        ..Default::default()
    };
    ben.get_thread(read.clone()).await.unwrap();
    ana.get_thread(read).await.unwrap();
    server
        .client("eve")
        .get_thread(GetThreadRequest {
            thread_id: plans.thread.clone(),
            ..Default::default()
        })
        .await
        .expect_err("a stranger is refused");
    ana.list(Folder::All).await;
    ana.summary().await;
    ana.reply(&plans.thread, "The first thing that happens")
        .await;

    for watch in &mut watches {
        assert_eq!(
            watch.line().await,
            "ana replied in plans 2: The first thing that happens"
        );
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_watch_of_a_user_receives_everything(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watches = [
        ben.watch().await,
        ben.watch().await,
        server.client("ben").watch().await,
    ];
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.mark_read(&plans.thread).await;
    for watch in &mut watches {
        assert_eq!(
            watch.lines(2).await,
            [
                "ana sent plans 1: Lunch?",
                "plans for ben: inbox, read 1, unread 0"
            ],
        );
    }
}
