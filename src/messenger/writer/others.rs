//! That others write to a tenant as well: other replicas of the service.

use std::time::{Duration, Instant};

/// For how long a tenant's batches take turns after somebody else was met.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// The same where others are met whenever it is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// That others write to a tenant.
pub(super) struct Others {
    /// Until when turns are taken.
    until: Instant,
    pause: Duration,
}

impl Others {
    /// Somebody was met.
    pub(super) fn met(before: Option<&Self>, now: Instant) -> Self {
        let pause = before.map_or(PAUSE_MIN, |others| (others.pause * 2).min(PAUSE_MAX));
        let until = now + pause;
        Self { until, pause }
    }

    /// Whether turns are to be taken.
    pub(super) fn write(&self, now: Instant) -> bool {
        now < self.until
    }

    /// Whether nothing was heard of them for so long that they may be forgotten.
    pub(super) fn are_gone(&self, now: Instant) -> bool {
        now >= self.until + self.pause
    }
}
