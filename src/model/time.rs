//! Instants, in the resolution that the API promises.

use serde::{Deserialize, Serialize};

/// An instant: whole microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// This instant, less so long; saturating.
    #[must_use]
    pub fn before_by(self, span: std::time::Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

/// Tells the time; handed in, so that tests can move it.
pub trait Clock: Send + Sync {
    /// The present instant by this clock, which may jump in either direction.
    fn now(&self) -> Time;
}
