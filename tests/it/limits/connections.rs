//! Limits of connections in all: who says nothing is in nobody's way.

use std::{num::NonZeroUsize, time::Duration};

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::frames::Frames;
use crate::support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_make_room_for_others() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.connections_max = NonZeroUsize::new(8).unwrap())
        .start(Database::Sqlite)
        .await;
    let ana = server.client("ana");
    ana.summary().await;
    let mut silent = Vec::new();
    for number in 0..100 {
        silent.push(match number % 3 {
            0 => Frames::silent(&server).await,
            1 => Frames::begin_halfway(&server).await,
            // One that has begun, and makes no call.
            _ => Frames::begin(&server).await,
        });
    }
    for user in ["ben", "cem", "dia"] {
        server.client(user).summary().await;
    }
    // Whoever had called before is still served, on the same connection.
    ana.summary().await;
    // There is room for seven of them at most.
    for silent in &mut silent[..90] {
        silent.end().await;
    }
}

/// Anybody can make calls that are turned away, and ask whether the server is well.
#[tokio::test(flavor = "multi_thread")]
async fn connections_on_which_nobody_called_who_may_make_room_for_others() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.connections_max = NonZeroUsize::new(8).unwrap())
        .start(Database::Sqlite)
        .await;
    let ana = server.client("ana");
    ana.summary().await;
    let mut nobodys = Vec::new();
    for number in 0..20 {
        let channel = server.connect();
        if number % 2 == 0 {
            let nobody = Client::over(channel.clone());
            let call = nobody.get_inbox_summary(GetInboxSummaryRequest {}).await;
            assert_eq!(call.unwrap_err().code(), Code::Unauthenticated);
        } else {
            let mut health = HealthClient::new(channel.clone());
            health
                .check(HealthCheckRequest::default())
                .await
                .expect("it is well");
        }
        nobodys.push(channel);
    }
    for user in ["ben", "cem", "dia"] {
        server.client(user).summary().await;
    }
    ana.summary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_everybody_has_called_the_next_one_is_turned_away() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.connections_max = NonZeroUsize::MIN)
        .start(Database::Sqlite)
        .await;
    let ana = server.client("ana");
    ana.summary().await;
    let mut ben = Frames::begin(&server).await;
    ben.end().await;
    ana.summary().await;

    drop(ana);
    eventually("room for ben", async || {
        let ben = server.client("ben");
        ben.get_inbox_summary(GetInboxSummaryRequest {}).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_begin_in_time_is_closed() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.handshake_timeout = Duration::from_secs(1))
        .start(Database::Sqlite)
        .await;
    let mut halfway = Frames::begin_halfway(&server).await;
    let mut silent = Frames::silent(&server).await;
    let mut begun = Frames::begin(&server).await;
    halfway.end().await;
    silent.end().await;
    // This one is as old, and still there.
    begun.next().await.expect("settings");
    begun.next().await.expect("their acknowledgement");
}
