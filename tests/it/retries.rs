//! `request_id`: `SendMessage` and `ReplyThread` that are safe to retry.

use std::time::Duration;

use crate::support::prelude::*;

fn send(recipients: &[&str], request_id: &str) -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: recipients.iter().copied().map(str::to_owned).collect(),
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: request_id.to_owned(),
    }
}

fn reply(thread: &str, request_id: &str) -> ReplyThreadRequest {
    ReplyThreadRequest {
        thread_id: thread.to_owned(),
        content: "At noon".into(),
        subject: None,
        request_id: request_id.to_owned(),
    }
}

const REUSED: (Code, &str) = (Code::AlreadyExists, "REQUEST_ID_REUSED");

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_retried_message_is_sent_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let request = send(&["ben"], &request_id());
    let first: Sent = ana.send_message(request.clone()).await.unwrap().into();
    let retry: Sent = ana.send_message(request).await.unwrap().into();

    assert_eq!(retry, first);
    assert_eq!(ana.list(Folder::All).await.total_size, 1);
    assert_eq!(server.client("ben").summary().await.unread_message_count, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_retried_reply_is_sent_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = ReplyThreadRequest {
        subject: Some("lunch".into()),
        ..reply(&plans.thread, &request_id())
    };
    let first: Sent = ben.reply_thread(request.clone()).await.unwrap().into();
    let retry: Sent = ben.reply_thread(request).await.unwrap().into();

    assert_eq!(retry, first);
    assert_eq!(
        ana.lines(&plans.thread).await,
        ["1 ana: Lunch?", "2 ben: At noon"]
    );
    assert_eq!(ana.summary().await.unread_message_count, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_retries_at_the_same_time_one_sends(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let request = send(&["ben"], &request_id());
    let answers =
        futures_util::future::join_all((0..20).map(|_| ana.send_message(request.clone()))).await;
    let first: Sent = answers[0].clone().unwrap().into();
    for answer in answers {
        assert_eq!(Sent::from(answer.unwrap()), first);
    }
    assert_eq!(server.client("ben").list(Folder::All).await.total_size, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_different_requests_with_one_id_at_the_same_time_one_sends(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let id = request_id();
    let requests = (0..10).map(|n| {
        ana.send_message(SendMessageRequest {
            content: format!("{n}"),
            ..send(&["ben"], &id)
        })
    });
    let answers = futures_util::future::join_all(requests).await;
    let (sent, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(sent.len(), 1);
    for answer in refused {
        assert_refused(answer, REUSED.0, REUSED.1);
    }
    assert_eq!(server.client("ben").list(Folder::All).await.total_size, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_answered_with_message_and_view_as_they_are_by_then(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let request = send(&["ben"], &request_id());
    let first: Sent = ana.send_message(request.clone()).await.unwrap().into();
    let edited = ana.edit(&first.message, "Dinner?").await;
    ben.reply(&first.thread, "Yes").await;
    ana.delete(&first.thread).await;
    ben.reply(&first.thread, "When?").await;
    let deleted = ana.delete(&first.thread).await;

    let retry: Sent = ana.send_message(request).await.unwrap().into();
    assert_eq!(retry.message, edited);
    assert_eq!(retry.view, deleted);
    assert_eq!(retry.view.unread_count, 2, "nothing is read by it");
    assert_eq!(ana.view(&first.thread).await, deleted, "nor brought back");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_retried_reply_neither_moves_the_mark_nor_brings_a_thread_back(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = reply(&plans.thread, &request_id());
    let first: Sent = ben.reply_thread(request.clone()).await.unwrap().into();
    ana.reply(&plans.thread, "Fine").await;
    let deleted = ben.delete(&plans.thread).await;

    let retry: Sent = ben.reply_thread(request).await.unwrap().into();
    assert_eq!(retry.message, first.message);
    assert_eq!(retry.view, deleted);
    assert_eq!(ben.view(&plans.thread).await, deleted);
}

#[rstest]
#[case::in_another_order(&["cleo", "ben"])]
#[case::with_doubles(&["ben", "cleo", "ben"])]
#[case::with_the_caller(&["ana", "ben", "cleo"])]
#[tokio::test(flavor = "multi_thread")]
async fn recipients_are_compared_as_the_set_that_they_come_to(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] recipients: &[&str],
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let id = request_id();
    let first: Sent = ana
        .send_message(send(&["ben", "cleo"], &id))
        .await
        .unwrap()
        .into();
    let retry: Sent = ana
        .send_message(send(recipients, &id))
        .await
        .unwrap()
        .into();
    assert_eq!(retry, first);

    let note = request_id();
    let first: Sent = ana
        .send_message(send(&["ana"], &note))
        .await
        .unwrap()
        .into();
    let again: Sent = ana
        .send_message(send(&["ana", "ana"], &note))
        .await
        .unwrap()
        .into();
    assert_eq!(again, first);
}

#[rstest]
#[case::another_content(SendMessageRequest { content: "Dinner?".into(), ..send(&["ben"], "") })]
#[case::a_content_with_a_space_more(
    SendMessageRequest { content: "Lunch? ".into(), ..send(&["ben"], "") }
)]
#[case::another_subject(SendMessageRequest { subject: "lunch".into(), ..send(&["ben"], "") })]
#[case::another_recipient(send(&["cleo"], ""))]
#[case::one_more_recipient(send(&["ben", "cleo"], ""))]
#[case::oneself(send(&["ana"], ""))]
#[case::subject_and_content_cut_elsewhere(
    SendMessageRequest { subject: "plansL".into(), content: "unch?".into(), ..send(&["ben"], "") }
)]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_used_for_another_message_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] other: SendMessageRequest,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let id = request_id();
    ana.send_message(send(&["ben"], &id)).await.unwrap();
    let other = SendMessageRequest {
        request_id: id,
        ..other
    };
    assert_refused(ana.send_message(other).await, REUSED.0, REUSED.1);
    assert_eq!(ana.list(Folder::All).await.total_size, 1);
}

#[rstest]
#[case::another_content(|_, reply| ReplyThreadRequest { content: "At one".into(), ..reply })]
#[case::another_thread(|other, reply| ReplyThreadRequest { thread_id: other, ..reply })]
#[case::another_subject(|_, reply| ReplyThreadRequest { subject: Some("lunch".into()), ..reply })]
#[case::no_subject(|_, reply| ReplyThreadRequest { subject: None, ..reply })]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_used_for_another_reply_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] change: fn(String, ReplyThreadRequest) -> ReplyThreadRequest,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let other = ana.start("other", &["ben"], "Lunch?").await;
    let request = ReplyThreadRequest {
        subject: Some("plans".into()),
        ..reply(&plans.thread, &request_id())
    };
    ana.reply_thread(request.clone()).await.unwrap();
    let changed = change(other.thread.clone(), request);
    assert_refused(ana.reply_thread(changed).await, REUSED.0, REUSED.1);
    assert_eq!(ana.view(&plans.thread).await.thread().message_count, 2);
    assert_eq!(ana.view(&other.thread).await.thread().message_count, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_used_in_the_other_rpc_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let (sending, replying) = (request_id(), request_id());
    let plans: Sent = ana
        .send_message(send(&["ben"], &sending))
        .await
        .unwrap()
        .into();
    ana.reply_thread(reply(&plans.thread, &replying))
        .await
        .unwrap();

    let result = ana.reply_thread(reply(&plans.thread, &sending)).await;
    assert_refused(result, REUSED.0, REUSED.1);
    let result = ana.send_message(send(&["ben"], &replying)).await;
    assert_refused(result, REUSED.0, REUSED.1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_its_users_own(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let id = request_id();
    let of_ana: Sent = ana.send_message(send(&["cleo"], &id)).await.unwrap().into();
    let of_ben: Sent = ben.send_message(send(&["cleo"], &id)).await.unwrap().into();
    assert_ne!(of_ana.message.id, of_ben.message.id);
    assert_eq!(of_ben.message.sender_id(), "ben");
    assert_eq!(
        server.client("cleo").list(Folder::Inbox).await.total_size,
        2
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_the_same_in_either_case(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let id = request_id();
    let first: Sent = ana.send_message(send(&["ben"], &id)).await.unwrap().into();
    let retry = send(&["ben"], &id.to_uppercase());
    let retry: Sent = ana.send_message(retry).await.unwrap().into();
    assert_eq!(retry, first);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_id_is_the_same_in_either_case(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = reply(&plans.thread, &request_id());
    let first: Sent = ana.reply_thread(request.clone()).await.unwrap().into();
    let retry = ReplyThreadRequest {
        thread_id: plans.thread.to_uppercase(),
        ..request
    };
    let retry: Sent = ana.reply_thread(retry).await.unwrap().into();
    assert_eq!(retry, first);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_does_not_use_its_id_up(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let id = request_id();

    let malformed = SendMessageRequest {
        content: " ".into(),
        ..send(&["ben"], &id)
    };
    assert_invalid(ana.send_message(malformed).await, &["content"]);
    let result = ana.reply_thread(reply(&unused_id(), &id)).await;
    assert_refused(result, Code::NotFound, "THREAD_NOT_FOUND");
    // The same refused request again is refused the same way.
    let result = ana.reply_thread(reply(&unused_id(), &id)).await;
    assert_refused(result, Code::NotFound, "THREAD_NOT_FOUND");

    let sent: Sent = ana.send_message(send(&["ben"], &id)).await.unwrap().into();
    assert_eq!(sent.message.line(), "1 ana: Lunch?");

    // Nor does a refusal for reuse make the other request the id's.
    let result = ana.reply_thread(reply(&sent.thread, &id)).await;
    assert_refused(result, REUSED.0, REUSED.1);
    let retry: Sent = ana.send_message(send(&["ben"], &id)).await.unwrap().into();
    assert_eq!(retry, sent);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_remembered_for_24_hours_and_across_restarts(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        .settings(|settings| settings.event_retention = Duration::from_mins(1))
        .start(database)
        .await;
    let request = send(&["ben"], &request_id());
    let ana = server.client("ana");
    let first: Sent = ana.send_message(request.clone()).await.unwrap().into();
    clock.advance(Duration::from_hours(24) - Duration::from_secs(1));

    // Whatever is cleaned up as time passes, by this server or at the start of the next one.
    ana.start("other", &["ben"], "Hello").await;
    let retry: Sent = ana.send_message(request.clone()).await.unwrap().into();
    assert_eq!(retry, first);
    let server = server.restart().await;
    let retry: Sent = server
        .client("ana")
        .send_message(request)
        .await
        .unwrap()
        .into();
    assert_eq!(retry, first);
    assert_eq!(server.client("ben").list(Folder::All).await.total_size, 2);
}
