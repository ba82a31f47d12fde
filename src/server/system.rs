//! The system's own clock and ids: the only place that reads them.

use uuid::Uuid;

use crate::model::{Clock, Ids, Time};

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that is handed in"
        )]
        let now = chrono::Utc::now();
        Time(now.timestamp_micros())
    }
}

/// Ids by the system's clock and chance.
#[derive(Clone, Copy, Debug)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn next(&self) -> Uuid {
        #[expect(
            clippy::disallowed_methods,
            reason = "these are the ids that are handed in"
        )]
        Uuid::now_v7()
    }
}
