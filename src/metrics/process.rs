//! Connections of callers, files that are reread, and the process itself.

use prometheus::{IntCounter, IntGauge};

use super::families::{Families, label};

label! {
    /// A file that is taken in again when it changes.
    Reread in "file" {
        /// The keys that tokens are verified by.
        JwtKey = "jwt_key",
        /// The server's certificate, its key, and the clients' authority.
        Certificates = "certificates",
    }
}

/// How callers reach the process.
pub struct ProcessMetrics {
    /// Connections that are open.
    pub connections: IntGauge,
    /// Connections that were taken.
    pub accepted: IntCounter,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: IntCounter,
    rereads: Vec<Vec<IntCounter>>,
}

impl ProcessMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        families.constant(
            "letterbox_build_info",
            "What runs: always 1.",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("commit", env!("LETTERBOX_COMMIT")),
            ],
        );
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            let declared = families.0.register(Box::new(process));
            declared.expect("no other family is named process");
        }
        Self {
            connections: families.gauge(
                "letterbox_connections_open",
                "Connections of callers that are open.",
            ),
            accepted: families.counter(
                "letterbox_connections_accepted_total",
                "Connections of callers that were taken.",
            ),
            handshakes_failed: families.counter(
                "letterbox_tls_handshakes_failed_total",
                "TLS handshakes of callers that came to nothing.",
            ),
            rereads: families.counter_table(
                "letterbox_rereads_total",
                "Files that had changed, by whether they could be used.",
                Reread::LABEL,
                ("outcome", &["ok", "failed"]),
            ),
        }
    }

    /// Counts a file that had changed.
    pub fn reread(&self, file: Reread, usable: bool) {
        self.rereads[file as usize][usize::from(!usable)].inc();
    }
}
