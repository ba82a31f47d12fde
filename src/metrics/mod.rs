//! What a process counts and measures, for Prometheus.
//!
//! Every family is declared in one of the files here, by area, with its help text and its unit in
//! its name (<https://prometheus.io/docs/practices/naming/>). Labels have few values, all known
//! when the process starts: tenants and users are none. `docs/metrics.md` lists all of them.
//!
//! Whoever counts has the handles: no look-up, no text, and no lock on the way of a call.

mod database;
mod families;
mod feed;
mod limits;
mod pages;
mod process;
mod rpc;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntGauge, Registry, TextEncoder};

pub use self::{
    database::{DatabaseMetrics, Pool, Removed},
    feed::FeedMetrics,
    limits::{Limit, LimitMetrics},
    pages::{PageMetrics, PageSource},
    process::{ProcessMetrics, Reread},
    rpc::{CODES, Rpc, RpcMetrics},
    writer::{LoadedFrom, Repeat, Step, WriterMetrics},
};
use families::Families;

/// The times that calls and their parts take, in seconds: half a millisecond is a page of an
/// inbox, and ten seconds is more than anybody waits.
const DURATIONS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// All that one server counts.
pub struct Metrics {
    /// Calls.
    pub rpc: RpcMetrics,
    /// Batches of the writer.
    pub writer: WriterMetrics,
    /// Tails and watchers.
    pub feed: FeedMetrics,
    /// Connections to the database, and SQLite's file.
    pub database: DatabaseMetrics,
    /// Pages of inboxes and threads.
    pub pages: PageMetrics,
    /// Limits that callers have come up against.
    pub limits: LimitMetrics,
    /// Connections of callers, and files that are reread.
    pub process: ProcessMetrics,
    registry: Registry,
    on_scrape: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl Metrics {
    /// Families without anything counted.
    pub fn new() -> Arc<Self> {
        let registry = Registry::new();
        let families = Families(&registry);
        Arc::new(Self {
            rpc: RpcMetrics::new(&families),
            writer: WriterMetrics::new(&families),
            feed: FeedMetrics::new(&families),
            database: DatabaseMetrics::new(&families),
            pages: PageMetrics::new(&families),
            limits: LimitMetrics::new(&families),
            process: ProcessMetrics::new(&families),
            registry,
            on_scrape: Mutex::default(),
        })
    }

    /// Runs this before each scrape: what is looked at then does not have to be counted.
    pub fn on_scrape(&self, look: impl Fn() + Send + Sync + 'static) {
        let mut all = self
            .on_scrape
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.push(Box::new(look));
    }

    /// All families in Prometheus' text format, version 0.0.4.
    pub fn text(&self) -> String {
        for look in &*self
            .on_scrape
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            look();
        }
        let families = self.registry.gather();
        // Only families without a series could not be written, and each has one.
        let text = TextEncoder::new().encode_to_string(&families);
        text.unwrap_or_default()
    }
}

/// One more in a gauge, until this is dropped.
#[derive(Debug)]
pub struct Held(IntGauge);

impl Held {
    /// Counts one more.
    pub fn one_more(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
