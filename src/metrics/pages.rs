//! Pages of inboxes and threads.

use prometheus::{IntCounter, IntGauge};

use super::families::{Families, label};

label! {
    /// Where a page was taken from that was sent.
    PageSource in "source" {
        /// It was read.
        Tables = "tables",
        /// It is what was sent before, and the database says that it is still the same.
        Cache = "cache",
    }
}

/// How many pages were sent, and how much is kept of them.
pub struct PageMetrics {
    sent: Vec<IntCounter>,
    /// What the pages take that are kept, in bytes.
    pub kept_bytes: IntGauge,
}

impl PageMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        Self {
            sent: families.counters(
                "letterbox_pages_sent_total",
                "Pages of inboxes and threads that were sent, by where they were taken from.",
                PageSource::LABEL,
            ),
            kept_bytes: families.gauge(
                "letterbox_page_cache_bytes",
                "Memory that the pages take which were sent and are kept.",
            ),
        }
    }

    /// Counts a page that is sent.
    pub fn sent(&self, source: PageSource) {
        self.sent[source as usize].inc();
    }
}
