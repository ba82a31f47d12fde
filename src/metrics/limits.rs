//! Limits that callers have come up against.

use prometheus::IntCounter;

use super::families::{Families, label};

label! {
    /// A limit; what is over it is refused.
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
                "Calls refused because they were over a limit.",
                Limit::LABEL,
            ),
        }
    }

    /// Counts a call that was refused.
    pub fn hit(&self, limit: Limit) {
        self.hits[limit as usize].inc();
    }
}
