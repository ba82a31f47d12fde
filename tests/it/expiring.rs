//! Heartbeats, and resume tokens that expire.

use std::time::Duration;

use letterbox::pb::watch_messages_response::Event;

use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_when_the_first_event_after_it_is_too_old(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(1, 3)] events: usize,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        .settings(|settings| settings.event_retention = Duration::from_hours(1))
        .start(database)
        .await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    ana.start("early", &["ben"], "Before all").await;
    let token = ben.summary().await.resume_token;
    for _ in 0..events {
        ana.start("plans", &["ben"], "Lunch?").await;
    }
    let after = ben.summary().await.resume_token;
    clock.advance(Duration::from_secs(3_599));
    let mut watch = ben.resume(&token).await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?", "not yet");
    drop(watch);

    clock.advance(Duration::from_hours(1));
    ana.start("news", &["ben"], "Hear this").await;
    let request = WatchMessagesRequest {
        resume_token: token,
        ..Default::default()
    };
    let status = eventually("the token's expiry", async || expired(&ben, &request).await).await;
    let refusal = Refusal::of(&status);
    assert_eq!(refusal.code, Code::OutOfRange);
    assert_eq!(refusal.reason, "RESUME_TOKEN_EXPIRED");
    let delay = refusal.retry_delay.expect("RetryInfo");
    assert!(delay < Duration::from_mins(10), "{delay:?}");

    // What follows the other token is young, so it is as good as ever.
    let mut watch = ben.resume(&after).await;
    assert_eq!(watch.line().await, "ana sent news 1: Hear this");
    // And the client begins anew.
    let again = ben.list(Folder::Inbox).await.resume_token;
    ana.start("more", &["ben"], "Still here?").await;
    let mut watch = ben.resume(&again).await;
    assert_eq!(watch.line().await, "ana sent more 1: Still here?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_kept_is_removed_however_many_tenants_there_are(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        .settings(|settings| settings.event_retention = Duration::from_secs(1))
        .start(database)
        .await;
    let ana = server.client("ana").with("x-tenant-id", "the-last-one");
    for _ in 0..3 {
        ana.start("plans", &["ben"], "Lunch?").await;
    }
    // More than are looked at at once.
    let quiet = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)
        INSERT INTO log_heads (tenant) SELECT 'quiet-' || i FROM n";
    server.database().execute(quiet).await;
    clock.advance(Duration::from_hours(1));
    let removed = "letterbox_retention_removed_rows_total{table=\"events\"}";
    eventually("the removal", async || {
        (server.scrape().await.count(removed) == 2).then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_newest_event_is_good_however_old_it_is_when_all_before_it_is_removed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        // Short, since how often it is looked at goes by it.
        .settings(|settings| settings.event_retention = Duration::from_secs(1))
        .start(database)
        .await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    for _ in 0..3 {
        ana.start("plans", &["ben"], "Lunch?").await;
    }
    let token = ben.summary().await.resume_token;
    clock.advance(Duration::from_hours(1));
    let removed = "letterbox_retention_removed_rows_total{table=\"events\"}";
    eventually("the removal", async || {
        (server.scrape().await.count(removed) > 0).then_some(())
    })
    .await;
    ana.start("news", &["ben"], "Hear this").await;
    let mut watch = ben.resume(&token).await;
    assert_eq!(watch.line().await, "ana sent news 1: Hear this");
}

/// How a watch ends where its token has expired; none where it goes on.
async fn expired(client: &Client, request: &WatchMessagesRequest) -> Option<tonic::Status> {
    let begun = async {
        let mut responses = client.watch_messages(request.clone()).await?;
        // It can expire at the beginning of a watch or later.
        for _ in 1..=2 {
            responses.message().await?;
        }
        Ok(())
    };
    begun.await.err()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_delay_spreads_the_return_of_many_watchers(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        .settings(|settings| settings.event_retention = Duration::from_hours(1))
        .start(database)
        .await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let token = ben.summary().await.resume_token;
    for _ in 1..=3 {
        ana.start("plans", &["ben"], "Lunch?").await;
    }
    clock.advance(Duration::from_hours(2));
    ana.start("news", &["ben"], "Hear this").await;
    let request = WatchMessagesRequest {
        resume_token: token,
        ..Default::default()
    };
    let mut delays = std::collections::HashSet::new();
    eventually("the token's expiry", async || expired(&ben, &request).await).await;
    for _ in 0..10 {
        let status = expired(&ben, &request).await.expect("it stays expired");
        delays.insert(Refusal::of(&status).retry_delay.expect("RetryInfo"));
    }
    assert!(delays.len() > 1, "everybody is told {delays:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_watch_beats_and_its_token_moves_on_without_expiring(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup()
        .clock(&clock)
        .settings(|settings| {
            settings.heartbeat_interval = QUICK;
            settings.event_retention = Duration::from_hours(1);
        })
        .start(database)
        .await;
    let (ana, ben, eve) = (
        server.client("ana"),
        server.client("ben"),
        server.client("eve"),
    );
    let mut quiet = eve.watch().await;
    assert_eq!(quiet.heartbeat_interval, QUICK);
    let old = WatchMessagesRequest {
        resume_token: quiet.ready_token.clone(),
        ..Default::default()
    };
    quiet.heartbeat().await;

    // A lot happens to others, and grows old.
    let thread = ana.start("plans", &["ben"], "Lunch?").await.thread;
    ben.reply(&thread, "Yes").await;
    ana.reply(&thread, "When?").await;
    clock.advance(Duration::from_hours(2));
    ben.reply(&thread, "At noon").await;
    eventually("the first token's expiry", async || {
        expired(&eve, &old).await
    })
    .await;

    // The watch itself goes on, and a token of its is good, once the beat has caught up.
    let mut resumed = soon("a token that is good", async {
        loop {
            quiet.heartbeat().await;
            let request = WatchMessagesRequest {
                resume_token: quiet.token.clone(),
                ..Default::default()
            };
            if let Ok(watch) = eve.try_watch(request).await {
                return watch;
            }
        }
    })
    .await;
    ana.start("eve's", &["eve"], "Hello").await;
    assert_eq!(resumed.line().await, "ana sent eve's 1: Hello");
    assert_eq!(quiet.line().await, "ana sent eve's 1: Hello");
}

#[rstest]
#[case::live(false)]
#[case::resumed_from_before_all_that(true)]
#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_come_however_much_happens_to_others(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] resumed: bool,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.heartbeat_interval = QUICK)
        .start(database)
        .await;
    let (ana, eve) = (server.client("ana"), server.client("eve"));
    let token = eve.summary().await.resume_token;
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    let mut quiet = if resumed {
        futures_util::future::join_all((0..300).map(|_| ana.reply(&thread, "more"))).await;
        eve.resume(&token).await
    } else {
        eve.watch().await
    };
    let flood = tokio::spawn(async move {
        loop {
            ana.reply(&thread, "more").await;
        }
    });
    for _ in 1..=3 {
        quiet.heartbeat().await;
    }
    flood.abort();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_come_whatever_the_kinds_and_carry_the_token(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.heartbeat_interval = QUICK)
        .start(database)
        .await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let request = WatchMessagesRequest {
        kinds: vec![EventKind::MessageEdited.into()],
        ..Default::default()
    };
    let mut watch = ben.watch_with(request).await;
    let plans = ana.start("plans", &["ben"], "Lunch?").await;

    // What the filter has left out lies before the token, once the beat has caught up.
    soon("a heartbeat past what was left out", async {
        loop {
            watch.heartbeat().await;
            let mut resumed = ben.resume(&watch.token).await;
            ana.edit(&plans.message, &watch.token).await;
            if let Event::MessageEdited(_) = resumed.event().await {
                return;
            }
        }
    })
    .await;
    // The edits themselves came in between.
    watch.edited().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_history_that_a_restored_backup_does_not_have_has_expired(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] goes_on: bool,
) {
    let server = TestServer::start(database).await;
    server.client("ana").start("kept", &["ben"], "1").await;
    let kept = server.client("ben").summary().await.resume_token;
    let stopped = server.stop().await;
    let backup = stopped.back_up().await;
    let server = stopped.start().await;
    server.client("ana").start("lost", &["ben"], "1").await;
    let lost = server.client("ben").summary().await.resume_token;
    server.stop().await;

    let server = backup.start().await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    if goes_on {
        // The restored log grows past where the lost one ended, with other events.
        for _ in 1..=3 {
            ana.start("new", &["ben"], "1").await;
        }
    }
    let request = WatchMessagesRequest {
        resume_token: lost,
        ..Default::default()
    };
    let status = soon("the watch's end", expired(&ben, &request)).await;
    let refusal = Refusal::of(&status.expect("the token has expired"));
    assert_eq!(refusal.code, Code::OutOfRange);
    assert_eq!(refusal.reason, "RESUME_TOKEN_EXPIRED");
    assert!(refusal.retry_delay.is_some(), "RetryInfo");

    // What both histories have is as good as ever.
    ana.start("new", &["ben"], "1").await;
    let mut watch = ben.resume(&kept).await;
    assert_eq!(watch.line().await, "ana sent new 1: 1");
}
