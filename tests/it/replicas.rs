//! Several servers on one Postgres.

use crate::support::prelude::*;

/// Two servers on one database.
async fn two_servers() -> (TestServer, TestServer) {
    let first = TestServer::start(Database::Postgres).await;
    let second = first.replica().await;
    (first, second)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_has_answered_every_server_shows() {
    let (first, second) = two_servers().await;
    let (ana, ben) = (first.client("ana"), second.client("ben"));
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    for number in 1..20 {
        let view = ben.list(Folder::Inbox).await.threads[0].clone();
        assert_eq!(view.thread().message_count, number);
        assert_eq!(
            ben.lines(&thread).await.len(),
            usize::try_from(number).unwrap()
        );
        assert_eq!(ben.summary().await.unread_message_count, number);
        ana.reply(&thread, "more").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_through_one_server_is_watched_through_the_other() {
    let (first, second) = two_servers().await;
    let mut watch = second.client("ben").watch().await;
    let mut own = second.client("ana").watch().await;
    let ana = first.client("ana");
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: request_id(),
    };
    let plans: Sent = ana.send_message(request.clone()).await.unwrap().into();
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
    assert_eq!(own.sent().await.request_id, request.request_id);
    first.client("ben").mark_read(&plans.thread).await;
    assert_eq!(watch.line().await, "plans for ben: inbox, read 1, unread 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_one_server_are_good_on_the_other() {
    let (first, second) = two_servers().await;
    let (ana, ben) = (first.client("ana"), second.client("ben"));
    ana.start("one", &["ben"], "1").await;
    ana.start("two", &["ben"], "1").await;
    let request = ListInboxRequest {
        page_size: 1,
        ..Default::default()
    };
    let page = first
        .client("ben")
        .list_inbox(request.clone())
        .await
        .unwrap();
    ana.start("three", &["ben"], "1").await;

    let mut watch = ben.resume(&page.resume_token).await;
    assert_eq!(watch.line().await, "ana sent three 1: 1");
    let mut watch = first.client("ben").resume(&watch.token).await;
    let request = ListInboxRequest {
        page_token: page.next_page_token,
        ..request
    };
    assert_eq!(subjects(&ben.list_inbox(request).await.unwrap()), ["one"]);
    second.client("ana").start("four", &["ben"], "1").await;
    assert_eq!(watch.line().await, "ana sent four 1: 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_through_the_other_server_sends_nothing() {
    let (first, second) = two_servers().await;
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: request_id(),
    };
    let servers = [&first, &second];
    let answers = futures_util::future::join_all((0..20).map(|n| {
        let client = servers[n % 2].client("ana");
        let request = request.clone();
        async move { Sent::from(client.send_message(request).await.unwrap()) }
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(second.client("ben").list(Folder::All).await.total_size, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_watchers_of_all_servers_see_one_order() {
    const REPLIES: usize = 30;
    let (first, second) = two_servers().await;
    let users = ["ana", "ben", "cleo"];
    let mut watches = Vec::new();
    for server in [&first, &second] {
        for user in users {
            watches.push(server.client(user).watch().await);
        }
    }
    let common = first
        .client("ana")
        .start("common", &users, "1")
        .await
        .thread;
    let mut writers = Vec::new();
    for server in [&first, &second] {
        for user in users {
            let (client, common) = (server.client(user), common.clone());
            writers.push(tokio::spawn(async move {
                for _ in 0..REPLIES {
                    client.reply(&common, "more").await;
                }
            }));
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }

    let count = i32::try_from(1 + REPLIES * 6).unwrap();
    for watch in &mut watches {
        for number in 1..=count {
            let sent = watch.sent().await;
            assert_eq!(sent.message.expect("a message").number, number);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_watchers_of_the_tenant_see_one_order_whichever_server_they_ask() {
    const THREADS: usize = 40;
    let (first, second) = two_servers().await;
    let mut watches = Vec::new();
    for server in [&first, &second] {
        let bot = server.client("bot").with_scopes("letterbox.watch-all");
        watches.push(bot.watch_all().await);
    }
    let mut writers = Vec::new();
    for (server, user) in [
        (&first, "ana"),
        (&second, "ben"),
        (&first, "cleo"),
        (&second, "dan"),
    ] {
        let client = server.client(user);
        writers.push(tokio::spawn(async move {
            for count in 0..THREADS {
                client.start(&count.to_string(), &["eve"], "Hello").await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let lines = watches[0].lines(THREADS * 4).await;
    assert_eq!(watches[1].lines(THREADS * 4).await, lines);
    // The order of the inbox is that order too.
    let inbox = second.client("eve").list(Folder::Inbox).await;
    let inbox = inbox.threads.iter().rev();
    let listed: Vec<String> = inbox
        .map(|view| format!("{} sent {} 1: Hello", view.last_sender(), view.subject()))
        .collect();
    assert_eq!(listed, lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_moves_from_a_server_that_shuts_down_to_one_that_goes_on() {
    let (first, second) = two_servers().await;
    let mut watch = first.client("ben").watch().await;
    let thread = second
        .client("ana")
        .start("plans", &["ben"], "1")
        .await
        .thread;
    let running = first.begin_to_stop();
    let (lines, status) = watch.end().await;
    assert_eq!(Refusal::of(&status).reason, "SHUTTING_DOWN");
    second.client("ana").reply(&thread, "2").await;

    let mut resumed = second.client("ben").resume(&watch.token).await;
    let expected = ["ana sent plans 1: 1", "ana replied in plans 2: 2"];
    let rest = resumed.lines(expected.len() - lines.len()).await;
    assert_eq!([lines, rest].concat(), expected);
    soon("the server's end", running).await.unwrap();
}
