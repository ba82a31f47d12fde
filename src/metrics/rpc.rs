//! Calls, by rpc.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::{
    DURATIONS, Held,
    families::{Families, Label},
};

/// Pairs the paths of services' rpcs with their names here.
macro_rules! rpcs {
    ($($service:literal as $prefix:literal { $($rpc:literal),* $(,)? })*) => {
        &[$($((concat!("/", $service, "/", $rpc), concat!($prefix, $rpc))),*),*]
    };
}

/// The rpcs that have series of their own: their paths, and their names here.
const RPCS: &[(&str, &str)] = rpcs! {
    "letterbox.v1.MessagingService" as "" {
        "ListInbox", "GetInboxSummary", "GetThread", "SendMessage", "ReplyThread", "EditMessage",
        "MarkThreadRead", "MarkThreadUnread", "DeleteThread", "RestoreThread", "WatchMessages",
    }
    "letterbox.admin.v1.AdminService" as "Admin." {
        "BatchCreateUsers", "BatchUpdateUsers", "BatchDeactivateUsers", "BatchReactivateUsers",
        "ListUsers", "ListTenants",
    }
    "grpc.health.v1.Health" as "Health." { "Check", "Watch" }
};

/// Which of them answer with a stream.
const STREAMS: &[&str] = &["WatchMessages", "Health.Watch"];

/// What is called by any other path: reflection, and what there is not.
const OTHER: &str = "other";

/// The names of gRPC's codes, by their numbers:
/// <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>.
pub const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Which rpc a call is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rpc(usize);

impl Rpc {
    /// The rpc that is called by this path.
    pub fn of_path(path: &str) -> Self {
        let known = RPCS.iter().position(|(known, _)| *known == path);
        Self(known.unwrap_or(RPCS.len()))
    }

    /// Its name, as metrics and the log have it.
    pub fn name(self) -> &'static str {
        RPCS.get(self.0).map_or(OTHER, |(_, name)| name)
    }

    /// Its service and its method, in full; none for what has no series of its own.
    pub fn full_name(self) -> Option<(&'static str, &'static str)> {
        let (path, _) = RPCS.get(self.0)?;
        path.trim_start_matches('/').split_once('/')
    }

    /// Whether it answers with a stream, whose end ends the call.
    pub fn is_stream(self) -> bool {
        STREAMS.contains(&self.name())
    }
}

/// How many calls there are and were, and how long they took.
pub struct RpcMetrics {
    started: Vec<IntCounter>,
    handled: Vec<Vec<IntCounter>>,
    durations: Vec<Histogram>,
    in_flight: Vec<IntGauge>,
}

impl RpcMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        let names: Vec<&str> = RPCS.iter().map(|(_, name)| *name).chain([OTHER]).collect();
        let by_rpc: Label<'_> = ("rpc", &names);
        Self {
            started: families.counters(
                "letterbox_rpc_started_total",
                "Calls that have begun; of WatchMessages, watches opened or refused.",
                by_rpc,
            ),
            handled: families.counter_table(
                "letterbox_rpc_handled_total",
                "Calls that have ended, by their code; of WatchMessages, watches that have ended.",
                by_rpc,
                ("code", &CODES),
            ),
            durations: families.histograms(
                "letterbox_rpc_duration_seconds",
                "Time until a call was answered; of a stream, until it began.",
                DURATIONS,
                by_rpc,
            ),
            in_flight: families.gauges(
                "letterbox_rpc_in_flight",
                "Calls that have begun and not ended; of WatchMessages, watches that are open.",
                by_rpc,
            ),
        }
    }

    /// Counts a call that begins; it is under way until what this returns is dropped.
    pub fn start(&self, rpc: Rpc) -> Held {
        self.started[rpc.0].inc();
        Held::one_more(&self.in_flight[rpc.0])
    }

    /// Counts a call's answer, or a stream's beginning.
    pub fn answered(&self, rpc: Rpc, after: Duration) {
        self.durations[rpc.0].observe(after.as_secs_f64());
    }

    /// Counts a call's end, by its code's number.
    pub fn ended(&self, rpc: Rpc, code: usize) {
        if let Some(counter) = self.handled[rpc.0].get(code) {
            counter.inc();
        }
    }
}
