//! How many watches there are, in all and of each user.

use std::{num::NonZeroUsize, sync::Arc};

use super::{
    bound::{Bound, Slot},
    shares::{Share, Shares},
};
use crate::{messenger::Caller, metrics::Limit};

/// The watches that stand.
pub(super) struct Watches {
    all: Arc<Bound>,
    /// None where nobody counts a user's.
    of_users: Option<Arc<Shares>>,
}

/// A watch that stands, until this is dropped.
pub(crate) struct WatchSlot {
    _slot: Slot,
    _share: Option<Share>,
}

impl Watches {
    pub(super) fn new(max: NonZeroUsize, of_user_max: Option<NonZeroUsize>) -> Self {
        Self {
            all: Bound::of(max),
            of_users: of_user_max.map(|max| Shares::of(max.get())),
        }
    }

    /// One more watch of a user, or the limit that it would be over.
    pub(super) fn take(&self, caller: &Caller) -> Result<WatchSlot, Limit> {
        let slot = self.all.take().ok_or(Limit::Watches)?;
        let mut share = self
            .of_users
            .as_ref()
            .map(|shares| Shares::nothing(shares, caller.clone()));
        if let Some(share) = &mut share
            && !share.take_more(1)
        {
            return Err(Limit::UserWatches);
        }
        Ok(WatchSlot {
            _slot: slot,
            _share: share,
        })
    }
}
