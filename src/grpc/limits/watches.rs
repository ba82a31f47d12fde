//! How many watches there are, in all and of each user.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::bound::{Bound, Slot};
use crate::{messenger::Caller, metrics::Limit};

/// The watches that stand; users who watch nothing take no room.
pub(super) struct Watches {
    all: Arc<Bound>,
    of_user_max: Option<NonZeroUsize>,
    of_users: Mutex<HashMap<Caller, usize>>,
}

/// A watch that stands, until this is dropped.
pub(crate) struct WatchSlot {
    _slot: Slot,
    /// Where it is counted; none where nobody counts a user's.
    counted: Option<(Arc<Watches>, Caller)>,
}

impl Watches {
    pub(super) fn new(max: NonZeroUsize, of_user_max: Option<NonZeroUsize>) -> Arc<Self> {
        Arc::new(Self {
            all: Bound::of(max),
            of_user_max,
            of_users: Mutex::default(),
        })
    }

    /// One more watch of a user, or the limit that it would be over.
    pub(super) fn take(self: &Arc<Self>, caller: &Caller) -> Result<WatchSlot, Limit> {
        let slot = self.all.take().ok_or(Limit::Watches)?;
        let Some(max) = self.of_user_max else {
            return Ok(WatchSlot {
                _slot: slot,
                counted: None,
            });
        };
        let mut of_users = self.of_users();
        let count = of_users.get(caller).copied().unwrap_or(0);
        if count >= max.get() {
            return Err(Limit::UserWatches);
        }
        of_users.insert(caller.clone(), count + 1);
        Ok(WatchSlot {
            _slot: slot,
            counted: Some((Arc::clone(self), caller.clone())),
        })
    }

    fn of_users(&self) -> MutexGuard<'_, HashMap<Caller, usize>> {
        self.of_users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WatchSlot {
    fn drop(&mut self) {
        let Some((watches, caller)) = &self.counted else {
            return;
        };
        let mut of_users = watches.of_users();
        if let Some(count) = of_users.get_mut(caller) {
            *count -= 1;
            if *count == 0 {
                of_users.remove(caller);
            }
        }
    }
}
