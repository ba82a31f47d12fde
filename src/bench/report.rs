//! What a run comes to: a table for people, one JSON object for programs.

use std::fmt::{self, Display, Formatter};

use hdrhistogram::Histogram;
use serde::Serialize;

/// The figures of a run; times in microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) mix: &'static str,
    pub(super) callers: u32,
    pub(super) connections: u32,
    /// How long was measured.
    pub(super) seconds: f64,
    /// Calls that succeeded within that time.
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) requests_per_second: f64,
    #[serde(flatten)]
    pub(super) latency: Latency,
    /// The rate asked for; none: a closed loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<u32>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) watch: Option<WatchReport>,
}

/// What the watchers saw.
#[derive(Debug, Serialize)]
pub(super) struct WatchReport {
    pub(super) watchers: u32,
    pub(super) events_per_second: f64,
    pub(super) delivery_p50_us: u64,
    pub(super) delivery_p99_us: u64,
}

/// How long calls took.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit is a part of the name")]
pub(super) struct Latency {
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(times: &Histogram<u64>) -> Self {
        Self {
            p50_us: times.value_at_quantile(0.5),
            p90_us: times.value_at_quantile(0.9),
            p99_us: times.value_at_quantile(0.99),
            p999_us: times.value_at_quantile(0.999),
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { mix, callers, .. } = self;
        let (connections, seconds) = (self.connections, self.seconds);
        write!(f, "{mix}: {callers} callers, {connections} connections, ")?;
        match self.rate {
            Some(rate) => writeln!(f, "{seconds:.1} s, open loop at {rate} calls/s")?,
            None => writeln!(f, "{seconds:.1} s, closed loop")?,
        }
        let rate = self.requests_per_second;
        writeln!(f, "  calls      {:>10}  {rate:.0}/s", self.requests)?;
        writeln!(f, "  errors     {:>10}", self.errors)?;
        for (name, micros) in [
            ("p50", self.latency.p50_us),
            ("p90", self.latency.p90_us),
            ("p99", self.latency.p99_us),
            ("p99.9", self.latency.p999_us),
        ] {
            writeln!(f, "  {name:<10} {:>10}", Millis(micros))?;
        }
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        let WatchReport { watchers, .. } = watch;
        let events = watch.events_per_second;
        writeln!(f, "  events     {events:>10.0}/s at {watchers} watchers")?;
        writeln!(f, "  from the answer to the event at a watcher")?;
        writeln!(f, "  p50        {:>10}", Millis(watch.delivery_p50_us))?;
        writeln!(f, "  p99        {:>10}", Millis(watch.delivery_p99_us))
    }
}

/// Microseconds, written as milliseconds.
struct Millis(u64);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03} ms", self.0 / 1000, self.0 % 1000);
        f.pad(&text)
    }
}
