//! Limits on calls and watches: of the whole process, and of each user.
//!
//! What is over a limit is refused at once and costs next to nothing, so that others are served.
//! A user is a user of a tenant; a call that a service makes for one counts as that user's, since a
//! service that acts for all users is as busy as all of them.

mod bound;
mod public;
mod rate;
mod receiving;
mod shares;
mod watches;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

pub use self::public::PublicCalls;
use self::{bound::Bound, public::Public, rate::Rates, receiving::Receiving, watches::Watches};
pub(super) use self::{bound::Slot, public::PublicSlot, receiving::Received, watches::WatchSlot};
use super::status::Failure;
use crate::{
    messenger::{Caller, Error},
    metrics::{Limit, Metrics},
};

/// After how long a call is refused for its user's rate, at least; at most after twice as long.
const REFUSED_AFTER: Duration = Duration::from_millis(250);

/// How much there may be of calls and watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// The largest message of a request, in bytes.
    pub request_bytes: usize,
    /// The largest content of a message that is written, in bytes of UTF-8.
    pub content_bytes: usize,
    /// What requests hold in memory that wait for their rest, in bytes.
    pub receiving_bytes: NonZeroUsize,
    /// Calls under way.
    pub calls: NonZeroUsize,
    /// How long a call may take that is no stream.
    pub timeout: Duration,
    /// Calls a second of one user; none: any number.
    pub user_rate: Option<NonZeroU32>,
    /// Watches in all.
    pub watches: NonZeroUsize,
    /// Watches of one user; none: any number.
    pub user_watches: Option<NonZeroUsize>,
}

/// What there is of calls and watches.
pub struct Limits {
    /// How much there may be.
    pub(super) of: CallLimits,
    calls: Arc<Bound>,
    public: Public,
    receiving: Receiving,
    rates: Option<Rates>,
    refused_calls: AtomicU32,
    watches: Watches,
    metrics: Arc<Metrics>,
}

impl Limits {
    /// Limits that nobody has come up against.
    pub fn new(of: CallLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            of,
            calls: Bound::of(of.calls),
            public: Public::new(),
            receiving: Receiving::of(of.receiving_bytes),
            rates: of.user_rate.map(Rates::of),
            refused_calls: AtomicU32::new(0),
            watches: Watches::new(of.watches, of.user_watches),
            metrics,
        })
    }

    /// Lets a call begin, if there is room for it.
    pub(super) fn begin_call(&self) -> Result<Slot, Failure> {
        let slot = self.calls.take();
        slot.ok_or_else(|| self.refused(Limit::Calls, Error::Overloaded.into()))
    }

    /// Lets a call of a public service begin, if there is room for it.
    pub(super) fn begin_public(
        &self,
        connection: Option<&PublicCalls>,
    ) -> Result<PublicSlot, Failure> {
        let slot = self.public.take(connection);
        slot.ok_or_else(|| self.refused(Limit::PublicCalls, Failure::TooManyPublicCalls))
    }

    /// Counts a user's call, if they have not made too many.
    pub(super) fn check_rate(&self, caller: &Caller) -> Result<(), Failure> {
        let checked = self
            .rates
            .as_ref()
            .map_or(Ok(()), |rates| rates.check(caller));
        checked.map_err(|wait| self.refused(Limit::UserRate, Failure::RateLimited(wait)))
    }

    /// How long after its beginning a call is refused for its user's rate.
    ///
    /// Told at once, a client that does not listen would call again at once, and being refused
    /// would be what keeps the server busy; told after the same time, those refused together would
    /// come back together. So the times spread evenly, however many are refused: by the golden
    /// ratio's multiples (Weyl's sequence).
    pub(super) fn refused_after(&self) -> Duration {
        const GOLDEN: u32 = 0x9e37_79b9;
        let number = self.refused_calls.fetch_add(1, Ordering::Relaxed);
        let part = f64::from(number.wrapping_mul(GOLDEN)) / f64::from(u32::MAX);
        REFUSED_AFTER.mul_f64(1.0 + part)
    }

    /// Lets a user's watch begin, if there is room for it.
    pub(super) fn begin_watch(&self, caller: &Caller) -> Result<WatchSlot, Failure> {
        self.watches.take(caller).map_err(|limit| {
            let failure = match limit {
                Limit::UserWatches => Failure::TooManyWatches,
                _ => Error::Overloaded.into(),
            };
            self.refused(limit, failure)
        })
    }

    /// Counts what is over a limit, and says how it fails.
    pub(super) fn refused(&self, limit: Limit, failure: Failure) -> Failure {
        self.hit(limit);
        failure
    }

    /// Counts what is over a limit.
    pub(super) fn hit(&self, limit: Limit) {
        self.metrics.limits.hit(limit);
    }
}
