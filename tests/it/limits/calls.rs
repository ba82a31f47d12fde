//! Limits of a call, and of all calls that are under way.

use std::{num::NonZeroUsize, time::Duration};

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::stalled::Stalled;
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_beyond_those_that_may_be_under_way_is_shed_and_health_is_not(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.calls_max = NonZeroUsize::MIN)
        .start(database)
        .await;
    let ana = server.client("ana");
    ana.summary().await;
    // Whichever of the two comes first has the room.
    let (stalled, shed) = eventually("a call to be shed", async || {
        let stalled = Stalled::begin(&server, "ben").await;
        let shed = ana.get_inbox_summary(GetInboxSummaryRequest {}).await.err();
        Some((stalled, shed?))
    })
    .await;
    let refusal = assert_refused(Err::<(), _>(shed), Code::Unavailable, "OVERLOADED");
    assert!(refusal.retry_delay.is_some(), "RetryInfo");
    let mut health = HealthClient::new(server.connect());
    let healthy = health.check(HealthCheckRequest::default()).await;
    healthy.expect("health is not shed");

    drop(stalled);
    eventually("room for a call", async || {
        ana.get_inbox_summary(GetInboxSummaryRequest {}).await.ok()
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_end_hold_so_much_memory_and_no_more(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let room = NonZeroUsize::new(2 << 20).unwrap();
    let server = TestServer::setup()
        .settings(|settings| settings.limits.receiving_bytes_max = room)
        .start(database)
        .await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(Stalled::begin_with(&server, "ana", 1 << 20).await);
    }
    // Two of them fit, or one, since what comes in pieces may come side by side.
    let ended = soon("a refusal", async {
        loop {
            tokio::task::yield_now().await;
            if let Some(ended) = calls.iter().position(Stalled::has_ended) {
                return ended;
            }
        }
    });
    let status = calls.swap_remove(ended.await).status().await;
    let refusal = Refusal::of(&status);
    assert_eq!(refusal.code, Code::Unavailable);
    assert_eq!(refusal.reason, "OVERLOADED");
    drop(calls);
    let ana = server.client("ana");
    let reply = eventually("room for a request", async || {
        let to_herself = SendMessageRequest {
            recipient_ids: vec!["ana".to_owned()],
            subject: "plans".to_owned(),
            content: "x".repeat(60_000),
            ..Default::default()
        };
        ana.send_message(to_herself).await.ok()
    });
    reply.await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn one_users_requests_that_never_end_leave_room_for_everybody_else(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let room = NonZeroUsize::new(8 << 20).unwrap();
    let server = TestServer::setup()
        .settings(|settings| settings.limits.receiving_bytes_max = room)
        .start(database)
        .await;
    let mut calls = Vec::new();
    for _ in 0..9 {
        calls.push(Stalled::begin_with(&server, "ana", 1 << 20).await);
    }
    soon("a refusal", async {
        while !calls.iter().any(Stalled::has_ended) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let large = SendMessageRequest {
        recipient_ids: vec!["ana".to_owned()],
        subject: "s".repeat(3 << 20),
        content: "Lunch?".to_owned(),
        ..Default::default()
    };
    assert_invalid(server.client("ben").send_message(large).await, &["subject"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_away_takes_nobodys_room(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.calls_max = NonZeroUsize::MIN)
        .start(database)
        .await;
    let (nobody, ana) = (server.anonymous(), server.client("ana"));
    for _ in 0..3 {
        let refused = nobody.get_inbox_summary(GetInboxSummaryRequest {}).await;
        assert_refused(refused, Code::Unauthenticated, "CREDENTIALS_MISSING");
        ana.summary().await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_when_the_server_says_so_and_a_watch_does_not(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.call_timeout_max = Duration::from_secs(1))
        .start(database)
        .await;
    let mut watch = server.client("ben").watch().await;
    // Its caller has named no deadline.
    let mut stalled = Stalled::begin(&server, "ana").await;
    let refusal = Refusal::of(&stalled.status().await);
    assert_eq!(refusal.code, Code::DeadlineExceeded);
    assert_eq!(refusal.reason, "DEADLINE_EXCEEDED");
    // The watch is older than that call was.
    let ana = server.client("ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_can_allow_smaller_requests_and_contents(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| {
            settings.limits.content_bytes_max = 100;
            settings.limits.request_bytes_max = 1_024;
        })
        .start(database)
        .await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], &"x".repeat(100)).await;
    let reply = |length| ReplyThreadRequest {
        thread_id: plans.thread.clone(),
        content: "x".repeat(length),
        ..Default::default()
    };
    let refusal = assert_invalid(ana.reply_thread(reply(101)).await, &["content"]);
    assert!(refusal.message.contains("100 bytes"), "{}", refusal.message);
    assert_invalid(ana.reply_thread(reply(0)).await, &["content"]);
    let refused = ana.reply_thread(reply(1_025)).await;
    assert_refused(refused, Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    let edit = EditMessageRequest {
        message_id: plans.message.id,
        content: "x".repeat(101),
        expected_revision: None,
    };
    assert_invalid(ana.edit_message(edit).await, &["content"]);
}
