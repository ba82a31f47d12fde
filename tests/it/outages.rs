//! A Postgres that goes away and comes back.

use crate::support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_calls_are_unavailable_and_later_none_the_worse() {
    let server = TestServer::start(Database::Postgres).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    server.database().go_down().await;

    let reply = ReplyThreadRequest {
        thread_id: plans.thread.clone(),
        content: "Anybody?".into(),
        subject: None,
        request_id: request_id(),
    };
    let (code, reason) = (Code::Unavailable, "DATABASE_UNAVAILABLE");
    let read = ana.get_inbox_summary(GetInboxSummaryRequest {});
    let refusal = assert_refused(soon("an answer", read).await, code, reason);
    assert!(refusal.retry_delay.is_some(), "RetryInfo");
    let write = ana.reply_thread(reply.clone());
    let refusal = assert_refused(soon("an answer", write).await, code, reason);
    assert!(refusal.retry_delay.is_some(), "RetryInfo");

    server.database().come_back().await;
    let again = eventually("the server's recovery", async || {
        ana.reply_thread(reply.clone()).await.ok()
    });
    let sent: Sent = again.await.into();
    assert_eq!(sent.message.number, 2);
    let request = GetThreadRequest {
        thread_id: plans.thread,
        ..Default::default()
    };
    let read = eventually("the readers' recovery", async || {
        ana.get_thread(request.clone()).await.ok()
    });
    let lines: Vec<String> = read.await.messages.iter().map(MessageText::line).collect();
    assert_eq!(lines, ["1 ana: Lunch?", "2 ana: Anybody?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_log_cannot_be_read_ends_and_is_resumed_without_loss() {
    let server = TestServer::setup()
        .settings(|settings| settings.heartbeat_interval = QUICK)
        .start(Database::Postgres)
        .await;
    let ana = server.client("ana");
    let mut watch = server.client("ben").watch().await;
    server.database().go_down().await;
    let (lines, status) = watch.end().await;
    assert_eq!(lines, [""; 0]);
    let refusal = Refusal::of(&status);
    assert_eq!(refusal.code, Code::Unavailable);
    assert_eq!(refusal.reason, "DATABASE_UNAVAILABLE");
    assert!(refusal.retry_delay.is_some(), "RetryInfo");

    server.database().come_back().await;
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: request_id(),
    };
    let sending = eventually("the server's recovery", async || {
        ana.send_message(request.clone()).await.ok()
    });
    sending.await;
    let mut resumed = server.client("ben").resume(&watch.token).await;
    assert_eq!(resumed.line().await, "ana sent plans 1: Lunch?");
}
