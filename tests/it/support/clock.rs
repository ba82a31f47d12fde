//! A clock that stands still until a test moves it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use letterbox::model::{Clock, Time};
use prost_types::Timestamp;

/// A clock that stands still until a test moves it, in either direction.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows 2026-01-01T00:00:00.123456Z.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_767_225_600_123_456)))
    }

    /// What the clock shows, as the API writes it.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "so it compares with a message's field"
    )]
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        let micros = self.0.load(Ordering::SeqCst);
        let nanos = i32::try_from(micros % 1_000_000 * 1_000).expect("less than a second");
        Some(Timestamp {
            seconds: micros / 1_000_000,
            nanos,
        })
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(micros(span), Ordering::SeqCst);
    }

    /// Turns the clock back, as a correction of the system's time can.
    pub(crate) fn turn_back(&self, span: Duration) {
        self.0.fetch_sub(micros(span), Ordering::SeqCst);
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).expect("a span of less than 300,000 years")
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}
