//! Limits of one user: how often they call, and how much they watch.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::{Duration, Instant},
};

use serde_json::json;
use tonic::Status;

use crate::{
    support::prelude::*,
    tokens::issuer::{ACT_AS, Deployment, SECRET, claims, token},
};

/// Calls many times at once; how often in vain, and one of these refusals.
async fn call_often(client: &Client) -> (usize, Status) {
    let calls = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.get_inbox_summary(GetInboxSummaryRequest {}).await })
    });
    let mut refused = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        refused.extend(call.await.expect("an answer").err());
    }
    let count = refused.len();
    (count, refused.pop().expect("one call was one too many"))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_calls_too_often_is_told_when_to_come_back_and_others_are_served(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.user_rate_max = Some(NonZeroU32::MIN))
        .start(database)
        .await;
    let ana = server.client("ana");
    let (refused, status) = call_often(&ana).await;
    assert!(refused < 20, "one call a second is answered");
    let refusal = assert_refused(
        Err::<(), _>(status),
        Code::ResourceExhausted,
        "RATE_LIMITED",
    );
    assert!(refusal.retry_delay > Some(Duration::ZERO), "RetryInfo");

    server.client("ben").summary().await;
    ana.in_tenant("shop").summary().await;
    eventually("ana's next call", async || {
        ana.get_inbox_summary(GetInboxSummaryRequest {}).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_listen_to_refusals_cannot_ask_for_them_as_fast_as_they_like() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.user_rate_max = Some(NonZeroU32::MIN))
        .start(Database::Sqlite)
        .await;
    let ana = server.client("ana");
    eventually("a refusal that has let her wait", async || {
        let since = Instant::now();
        let answer = ana.get_inbox_summary(GetInboxSummaryRequest {}).await;
        let refusal = Refusal::of(&answer.err()?);
        assert_eq!(refusal.reason, "RATE_LIMITED");
        assert!(since.elapsed() >= Duration::from_millis(250));
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_a_user_counts_as_that_users() {
    let deployment = Deployment::with(Database::Sqlite, SECRET, |settings| {
        settings.limits.user_rate_max = Some(NonZeroU32::MIN);
    })
    .await;
    let robot = deployment.bearer(&token(&claims("robot", json!({"scope": ACT_AS}))));
    let for_ana = robot.with("x-user-id", "ana");
    let (_, status) = call_often(&for_ana).await;
    assert_eq!(Refusal::of(&status).reason, "RATE_LIMITED");
    // The service itself, and others that it calls for, have made no call yet.
    robot.with("x-user-id", "ben").summary().await;
    robot.summary().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_have_so_many_watches_and_another_one_when_one_has_ended(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.user_watches_max = NonZeroUsize::new(2))
        .start(database)
        .await;
    let ana = server.client("ana");
    let watches = [ana.watch().await, ana.watch().await];
    let request = WatchMessagesRequest::default();
    let (code, reason) = (Code::ResourceExhausted, "TOO_MANY_WATCHES");
    let refusal = assert_watch_refused(&ana, request.clone(), code, reason).await;
    assert!(refusal.retry_delay.is_some(), "RetryInfo");
    server.client("ben").watch().await;
    ana.in_tenant("shop").watch().await;

    drop(watches);
    eventually("room for a watch", async || {
        ana.try_watch(request.clone()).await.ok()
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_has_so_many_watches_and_serves_calls_besides(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.watches_max = NonZeroUsize::MIN)
        .start(database)
        .await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watch = ana.watch().await;
    let request = WatchMessagesRequest::default();
    let refusal = assert_watch_refused(&ben, request, Code::Unavailable, "OVERLOADED").await;
    assert!(refusal.retry_delay.is_some(), "RetryInfo");
    ben.start("plans", &["ana"], "Lunch?").await;
    assert_eq!(watch.line().await, "ben sent plans 1: Lunch?");
}
