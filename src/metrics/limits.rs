//! Limits that callers have come up against.

use prometheus::IntCounter;

use super::families::{Families, label};

label! {
    /// A limit; what is over it is refused, let go, or waits.
    Limit in "limit" {
        /// Commands that wait in this process.
        ProcessQueue = "process_queue",
        /// Commands of one tenant that wait.
        TenantQueue = "tenant_queue",
        /// Commands of one user that wait.
        UserQueue = "user_queue",
        /// A call's metadata, in bytes.
        MetadataBytes = "metadata_bytes",
        /// A request's message, in bytes.
        RequestBytes = "request_bytes",
        /// The content of a message that is written, in bytes.
        ContentBytes = "content_bytes",
        /// What requests hold in memory that wait for their rest, in bytes.
        ReceivingBytes = "receiving_bytes",
        /// Calls under way.
        Calls = "calls",
        /// Calls of health and reflection under way, on one connection and in all.
        PublicCalls = "public_calls",
        /// How long a call may take.
        CallTimeout = "call_timeout",
        /// Calls a second of one user.
        UserRate = "user_rate",
        /// Watches of one user.
        UserWatches = "user_watches",
        /// Watches in all.
        Watches = "watches",
        /// Memory for what watchers read who catch up: they wait for it.
        CatchUpBytes = "catch_up_bytes",
        /// Connections in all.
        Connections = "connections",
        /// Connections in all, where one without a call so far was let go for a new one.
        SilentConnections = "silent_connections",
        /// How long a new connection may take for its handshake.
        Handshake = "handshake",
        /// How long a connection may be without a call.
        ConnectionIdle = "connection_idle",
    }
}

/// How often each limit was hit.
pub struct LimitMetrics {
    hits: Vec<IntCounter>,
}

impl LimitMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        Self {
            hits: families.counters(
                "letterbox_limits_hit_total",
                "Calls that were refused and connections that were let go, because of a limit.",
                Limit::LABEL,
            ),
        }
    }

    /// Counts what was over a limit.
    pub fn hit(&self, limit: Limit) {
        self.hits[limit as usize].inc();
    }
}
