//! How much each user has of something.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::messenger::Caller;

/// What users have; those who have nothing take no room.
pub(super) struct Shares {
    max: usize,
    of_users: Mutex<HashMap<Caller, usize>>,
}

/// What a user has by one of their calls, until this is dropped.
pub(super) struct Share {
    shares: Arc<Shares>,
    caller: Caller,
    count: usize,
}

impl Shares {
    /// So much for each user.
    pub(super) fn of(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            of_users: Mutex::default(),
        })
    }

    /// None so far.
    pub(super) fn nothing(shares: &Arc<Self>, caller: Caller) -> Share {
        Share {
            shares: Arc::clone(shares),
            caller,
            count: 0,
        }
    }

    fn of_users(&self) -> MutexGuard<'_, HashMap<Caller, usize>> {
        self.of_users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// So much more, if the user has room; however much it is, where they have nothing else.
    pub(super) fn take_more(&mut self, count: usize) -> bool {
        let mut of_users = self.shares.of_users();
        let taken = of_users.get(&self.caller).copied().unwrap_or(0);
        let fits = taken.saturating_add(count) <= self.shares.max || taken == self.count;
        if fits && count > 0 {
            of_users.insert(self.caller.clone(), taken + count);
            self.count += count;
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        let mut of_users = self.shares.of_users();
        if let Some(taken) = of_users.get_mut(&self.caller) {
            *taken -= self.count;
            if *taken == 0 {
                of_users.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TenantId, UserId};

    fn user(id: &str) -> Caller {
        Caller {
            tenant: TenantId::parse("shop").unwrap(),
            user: UserId::parse(id).unwrap(),
        }
    }

    #[test]
    fn a_user_has_a_share_or_one_thing_that_is_larger() {
        let shares = Shares::of(3);
        let of = |id| Shares::nothing(&shares, user(id));
        let (mut large, mut second, mut of_ben) = (of("ana"), of("ana"), of("ben"));
        assert!(large.take_more(2) && large.take_more(2));
        assert!(!second.take_more(1));
        assert!(of_ben.take_more(3));
        drop(large);
        assert!(second.take_more(1));
        drop((second, of_ben));
        assert!(shares.of_users().is_empty());
    }
}
