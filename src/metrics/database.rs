//! Connections to the database, and SQLite's file.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::{
    DURATIONS,
    families::{Families, label},
};

label! {
    /// What connections are for.
    Pool in "pool" {
        /// Transactions that write.
        Writers = "writers",
        /// Calls that read.
        Readers = "readers",
        /// Reads of the log.
        Feed = "feed",
    }
}

label! {
    /// What retention removes.
    Removed in "table" {
        /// Events of the log.
        Events = "events",
        /// Who was told of them.
        Audience = "audience",
        /// Request ids.
        Requests = "requests",
    }
}

/// How the database is used.
pub struct DatabaseMetrics {
    in_use: Vec<IntGauge>,
    idle: Vec<IntGauge>,
    max: Vec<IntGauge>,
    waits: Vec<Histogram>,
    removed: Vec<IntCounter>,
    /// How long SQLite took to take its write-ahead log in, in seconds.
    pub checkpoint_seconds: Histogram,
    /// How large SQLite's write-ahead log is.
    pub wal_bytes: IntGauge,
}

impl DatabaseMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        Self {
            in_use: families.gauges(
                "letterbox_database_connections_in_use",
                "Connections to the database that are being used.",
                Pool::LABEL,
            ),
            idle: families.gauges(
                "letterbox_database_connections_idle",
                "Connections to the database that are open and not being used.",
                Pool::LABEL,
            ),
            max: families.gauges(
                "letterbox_database_connections_max",
                "Connections to the database that there are at most.",
                Pool::LABEL,
            ),
            waits: families.histograms(
                "letterbox_database_connection_wait_seconds",
                "Time that was waited for a connection, where none was free, or for other reads to be made with.",
                DURATIONS,
                Pool::LABEL,
            ),
            removed: families.counters(
                "letterbox_retention_removed_rows_total",
                "Rows that were removed because they are no longer kept.",
                Removed::LABEL,
            ),
            checkpoint_seconds: families.histogram(
                "letterbox_sqlite_checkpoint_seconds",
                "Time that SQLite's write-ahead log took to be taken in; reads wait meanwhile.",
                DURATIONS,
            ),
            wal_bytes: families.gauge(
                "letterbox_sqlite_wal_bytes",
                "Size of SQLite's write-ahead log; 0 on Postgres.",
            ),
        }
    }

    /// Notes how a pool's connections are used.
    pub fn pool(&self, pool: Pool, in_use: u32, idle: u32, max: u32) {
        self.in_use[pool as usize].set(in_use.into());
        self.idle[pool as usize].set(idle.into());
        self.max[pool as usize].set(max.into());
    }

    /// Counts a wait for a connection.
    pub fn waited(&self, pool: Pool, wait: Duration) {
        self.waits[pool as usize].observe(wait.as_secs_f64());
    }

    /// Counts rows that were removed.
    pub fn removed(&self, table: Removed, rows: u64) {
        self.removed[table as usize].inc_by(rows);
    }
}
