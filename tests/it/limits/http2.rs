//! Limits inside of a connection: HTTP/2 that means harm.

use std::{num::NonZeroU32, time::Duration};

use super::frames::{
    A_REQUEST, CONTINUATION, END_HEADERS, Frames, HEADERS, RST_STREAM, SETTINGS, frame,
};
use crate::support::prelude::*;

/// RFC 9113, section 7.
const ENHANCE_YOUR_CALM: u32 = 0xb;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_how_much_it_may_do_on_a_connection() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.connection_streams_max = NonZeroU32::new(7).unwrap())
        .start(Database::Sqlite)
        .await;
    let mut frames = Frames::begin(&server).await;
    let settings = frames.next().await.expect("settings");
    assert_eq!(settings.kind, SETTINGS);
    let said = |name: u16| {
        settings.payload.chunks_exact(6).find_map(|entry| {
            let value = entry[2..].try_into().expect("four bytes");
            (entry[..2] == name.to_be_bytes()).then(|| u32::from_be_bytes(value))
        })
    };
    let (max_concurrent_streams, max_header_list_size) = (3, 6);
    assert_eq!(said(max_concurrent_streams), Some(7));
    assert_eq!(said(max_header_list_size), Some(64 * 1024));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_given_up_as_soon_as_they_begin_end_the_connection() {
    let server = TestServer::start(Database::Sqlite).await;
    let ana = server.client("ana");
    ana.summary().await;
    let mut frames = Frames::begin(&server).await;
    let mut flood = Vec::new();
    for call in 0..5_000_u32 {
        let stream = 2 * call + 1;
        flood.extend(frame(HEADERS, END_HEADERS, stream, A_REQUEST));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    frames.say(&flood).await;
    let reason = frames.end().await;
    // What is still on its way when the server closes may cut its word short.
    assert!(
        [None, Some(ENHANCE_YOUR_CALM)].contains(&reason),
        "{reason:?}"
    );
    ana.summary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_ends_the_connection() {
    let server = TestServer::start(Database::Sqlite).await;
    let ana = server.client("ana");
    ana.summary().await;
    let mut frames = Frames::begin(&server).await;
    frames.send(HEADERS, 0, 1, A_REQUEST).await;
    let more = frame(
        CONTINUATION,
        0,
        1,
        &[b"\x00\x01a\x7f\x00".as_slice(), &[b'x'; 127]].concat(),
    );
    for _ in 0..5_000 {
        frames.say(&more).await;
    }
    frames.end().await;
    ana.summary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_no_longer_answers_is_let_go() {
    let server = TestServer::setup()
        .settings(|settings| {
            settings.limits.keepalive_interval = QUICK;
            settings.limits.keepalive_timeout = QUICK;
        })
        .start(Database::Sqlite)
        .await;
    let mut watch = server.client("ben").watch().await;
    let mut dead = Frames::begin(&server).await;
    dead.end().await;
    // Who answers stays.
    let ana = server.client("ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_nothing_is_told_to_go_and_who_watches_is_not() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.connection_idle_timeout = Duration::from_secs(1))
        .start(Database::Sqlite)
        .await;
    let mut watch = server.client("ben").watch().await;
    let mut idle = Frames::begin(&server).await;
    let mut told = false;
    while let Some(frame) = idle.next().await {
        if frame.kind == super::frames::GOAWAY {
            told = true;
            break;
        }
    }
    assert!(told, "GOAWAY");
    // The watch has been silent for longer.
    let ana = server.client("ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
}
