//! The limits: as they are written, and what they mean.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use clap::Args;

use super::{
    SettingError,
    given::Given,
    values::{KIB, MIB, bytes, count, duration, optional},
};

/// How much of everything there may be. What is over a limit is refused or let go, and counted by
/// `letterbox_limits_hit_total`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message of a request, in bytes.
    pub request_bytes_max: usize,
    /// The largest content of a message that is written, in bytes of UTF-8.
    pub content_bytes_max: usize,
    /// What requests hold in memory that are being received, in bytes.
    pub receiving_bytes_max: NonZeroUsize,
    /// Calls under way; streams count until they have begun.
    pub calls_max: NonZeroUsize,
    /// How long a call may take that is no stream, whatever its caller's deadline.
    pub call_timeout_max: Duration,
    /// Changes that wait to be written: half of them of one tenant, an eighth of one user.
    pub queue_max: NonZeroUsize,
    /// The text that they bring, in bytes, in the same shares.
    pub queue_bytes_max: usize,
    /// Calls a second of one user; none: any number.
    pub user_rate_max: Option<NonZeroU32>,
    /// Watches of one user; none: any number.
    pub user_watches_max: Option<NonZeroUsize>,
    /// Watches in all.
    pub watches_max: NonZeroUsize,
    /// The pages of the log that watchers who catch up hold in memory, in bytes.
    pub catch_up_bytes_max: usize,
    /// The pages that were sent and are kept in memory, in bytes; 0: none.
    pub page_cache_bytes_max: usize,
    /// Connections in all.
    pub connections_max: NonZeroUsize,
    /// Calls and watches on one connection; more wait on its client's side.
    pub connection_streams_max: NonZeroU32,
    /// How long a new connection may take for TLS and for the first bytes of HTTP/2.
    pub handshake_timeout: Duration,
    /// How long a connection may be without a call.
    pub connection_idle_timeout: Duration,
    /// How often a connection is asked whether its other end is still there.
    pub keepalive_interval: Duration,
    /// How long it may take to answer that.
    pub keepalive_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const fn some(count: usize) -> NonZeroUsize {
            NonZeroUsize::new(count).expect("more than nothing")
        }
        Self {
            request_bytes_max: 4 * MIB,
            content_bytes_max: 64 * KIB,
            receiving_bytes_max: const { some(256 * MIB) },
            calls_max: const { some(10_000) },
            call_timeout_max: Duration::from_mins(1),
            queue_max: const { some(8_192) },
            queue_bytes_max: 256 * MIB,
            user_rate_max: None,
            user_watches_max: None,
            watches_max: const { some(50_000) },
            catch_up_bytes_max: 64 * MIB,
            page_cache_bytes_max: 64 * MIB,
            connections_max: const { some(10_000) },
            connection_streams_max: const { NonZeroU32::new(1_024).expect("more than nothing") },
            handshake_timeout: Duration::from_secs(10),
            connection_idle_timeout: Duration::from_mins(15),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(15),
        }
    }
}

impl Limits {
    /// The settings' names, as flags and in the file.
    pub(super) const NAMES: &[&str] = &[
        "request-bytes-max",
        "content-bytes-max",
        "receiving-bytes-max",
        "calls-max",
        "call-timeout-max",
        "queue-max",
        "queue-bytes-max",
        "user-rate-max",
        "user-watches-max",
        "watches-max",
        "catch-up-bytes-max",
        "page-cache-bytes-max",
        "connections-max",
        "connection-streams-max",
        "handshake-timeout",
        "connection-idle-timeout",
        "keepalive-interval",
        "keepalive-timeout",
    ];

    pub(super) fn from_given(given: &mut Given) -> Result<Self, SettingError> {
        let mut limits = Self::default();
        // A call's metadata may be 16 KiB, and a request is more than its metadata.
        given.read("request-bytes-max", &mut limits.request_bytes_max, |text| {
            bytes(text, KIB, 4 * MIB)
        })?;
        given.read("content-bytes-max", &mut limits.content_bytes_max, |text| {
            bytes(text, 1, 64 * KIB)
        })?;
        given.read(
            "receiving-bytes-max",
            &mut limits.receiving_bytes_max,
            |text| {
                let bytes = bytes(text, 4 * MIB, 1024 * 1024 * MIB)?;
                NonZeroUsize::new(bytes).ok_or_else(|| "must be more than nothing".to_owned())
            },
        )?;
        given.read("calls-max", &mut limits.calls_max, count)?;
        given.read("call-timeout-max", &mut limits.call_timeout_max, duration)?;
        given.read("queue-max", &mut limits.queue_max, count)?;
        given.read("queue-bytes-max", &mut limits.queue_bytes_max, |text| {
            bytes(text, MIB, 1024 * 1024 * MIB)
        })?;
        given.read("user-rate-max", &mut limits.user_rate_max, optional)?;
        given.read("user-watches-max", &mut limits.user_watches_max, optional)?;
        given.read("watches-max", &mut limits.watches_max, count)?;
        // A page takes up to 5 MiB.
        given.read(
            "catch-up-bytes-max",
            &mut limits.catch_up_bytes_max,
            |text| bytes(text, 8 * MIB, 1024 * 1024 * MIB),
        )?;
        given.read(
            "page-cache-bytes-max",
            &mut limits.page_cache_bytes_max,
            |text| bytes(text, 0, 1024 * 1024 * MIB),
        )?;
        given.read("connections-max", &mut limits.connections_max, count)?;
        given.read(
            "connection-streams-max",
            &mut limits.connection_streams_max,
            count,
        )?;
        for (name, field) in [
            ("handshake-timeout", &mut limits.handshake_timeout),
            (
                "connection-idle-timeout",
                &mut limits.connection_idle_timeout,
            ),
            ("keepalive-interval", &mut limits.keepalive_interval),
            ("keepalive-timeout", &mut limits.keepalive_timeout),
        ] {
            given.read(name, field, duration)?;
        }
        Ok(limits)
    }
}

/// The limits, as they are written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitOptions {
    /// The largest message of a request, such as 256KiB [default: 4MiB, which is also the most]
    #[arg(
        long,
        env = "LETTERBOX_REQUEST_BYTES_MAX",
        global = true,
        value_name = "BYTES"
    )]
    request_bytes_max: Option<String>,
    /// The largest content of a message that is written [default: 64KiB, which is also the most]
    #[arg(
        long,
        env = "LETTERBOX_CONTENT_BYTES_MAX",
        global = true,
        value_name = "BYTES"
    )]
    content_bytes_max: Option<String>,
    /// Memory for requests that have not come to their ends, an eighth of it for one user; more is
    /// refused with UNAVAILABLE [default: 256MiB]
    #[arg(
        long,
        env = "LETTERBOX_RECEIVING_BYTES_MAX",
        global = true,
        value_name = "BYTES"
    )]
    receiving_bytes_max: Option<String>,
    /// Calls under way; more are refused with UNAVAILABLE, health and reflection are not [default:
    /// 10000]
    #[arg(long, env = "LETTERBOX_CALLS_MAX", global = true, value_name = "N")]
    calls_max: Option<String>,
    /// How long a call may take that is no stream, whatever its caller's deadline [default: 1m]
    #[arg(
        long,
        env = "LETTERBOX_CALL_TIMEOUT_MAX",
        global = true,
        value_name = "TIME"
    )]
    call_timeout_max: Option<String>,
    /// Changes that wait to be written: half of them of one tenant, an eighth of one user [default:
    /// 8192]
    #[arg(long, env = "LETTERBOX_QUEUE_MAX", global = true, value_name = "N")]
    queue_max: Option<String>,
    /// Memory for the text of changes that wait to be written, in the same shares [default: 256MiB]
    #[arg(
        long,
        env = "LETTERBOX_QUEUE_BYTES_MAX",
        global = true,
        value_name = "BYTES"
    )]
    queue_bytes_max: Option<String>,
    /// Calls a second of one user of a tenant, or off; as many at once [default: off]
    #[arg(long, env = "LETTERBOX_USER_RATE_MAX", global = true, value_name = "N")]
    user_rate_max: Option<String>,
    /// Watches of one user of a tenant, or off [default: off]
    #[arg(
        long,
        env = "LETTERBOX_USER_WATCHES_MAX",
        global = true,
        value_name = "N"
    )]
    user_watches_max: Option<String>,
    /// Watches in all [default: 50000]
    #[arg(long, env = "LETTERBOX_WATCHES_MAX", global = true, value_name = "N")]
    watches_max: Option<String>,
    /// Memory for what watchers read who catch up, in all [default: 64MiB]
    #[arg(
        long,
        env = "LETTERBOX_CATCH_UP_BYTES_MAX",
        global = true,
        value_name = "BYTES"
    )]
    catch_up_bytes_max: Option<String>,
    /// Memory for pages that were sent, to be sent again while they are the same; 0: none [default:
    /// 64MiB]
    #[arg(
        long,
        env = "LETTERBOX_PAGE_CACHE_BYTES_MAX",
        global = true,
        value_name = "BYTES"
    )]
    page_cache_bytes_max: Option<String>,
    /// Connections in all; for a new one, the oldest one without a call so far is let go, or it is
    /// closed itself [default: 10000]
    #[arg(
        long,
        env = "LETTERBOX_CONNECTIONS_MAX",
        global = true,
        value_name = "N"
    )]
    connections_max: Option<String>,
    /// Calls and watches on one connection; more wait on its client's side [default: 1024]
    #[arg(
        long,
        env = "LETTERBOX_CONNECTION_STREAMS_MAX",
        global = true,
        value_name = "N"
    )]
    connection_streams_max: Option<String>,
    /// How long a new connection may take for TLS and for the first bytes of HTTP/2 [default: 10s]
    #[arg(
        long,
        env = "LETTERBOX_HANDSHAKE_TIMEOUT",
        global = true,
        value_name = "TIME"
    )]
    handshake_timeout: Option<String>,
    /// How long a connection may be without a call or a watch until its client is told to go
    /// [default: 15m]
    #[arg(
        long,
        env = "LETTERBOX_CONNECTION_IDLE_TIMEOUT",
        global = true,
        value_name = "TIME"
    )]
    connection_idle_timeout: Option<String>,
    /// How often a connection is asked whether its other end is still there [default: 30s]
    #[arg(
        long,
        env = "LETTERBOX_KEEPALIVE_INTERVAL",
        global = true,
        value_name = "TIME"
    )]
    keepalive_interval: Option<String>,
    /// How long it may take to answer that [default: 15s]
    #[arg(
        long,
        env = "LETTERBOX_KEEPALIVE_TIMEOUT",
        global = true,
        value_name = "TIME"
    )]
    keepalive_timeout: Option<String>,
}
