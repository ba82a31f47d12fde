//! How often each user calls.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use quick_cache::sync::Cache;

use crate::messenger::Caller;

/// How many users' rates are known at the same time. Whoever is forgotten for others begins anew.
const USERS: usize = 100_000;

/// The rates of users, of which only so many are kept, however many come.
pub(super) struct Rates {
    quota: Quota,
    users: Cache<Caller, Arc<DefaultDirectRateLimiter>>,
    clock: DefaultClock,
}

impl Rates {
    /// So many calls a second for each user, who may make as many at once.
    pub(super) fn of(calls_per_second: NonZeroU32) -> Self {
        Self {
            quota: Quota::per_second(calls_per_second),
            users: Cache::new(USERS),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a call; where it is one too many, says after how long the next one is not.
    pub(super) fn check(&self, caller: &Caller) -> Result<(), Duration> {
        let limiter = self.users.get(caller).unwrap_or_else(|| {
            let limiter = Arc::new(RateLimiter::direct(self.quota));
            self.users.insert(caller.clone(), Arc::clone(&limiter));
            limiter
        });
        limiter
            .check()
            .map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TenantId, UserId};

    fn user(tenant: &str, id: &str) -> Caller {
        Caller {
            tenant: TenantId::parse(tenant).unwrap(),
            user: UserId::parse(id).unwrap(),
        }
    }

    #[test]
    fn each_user_of_a_tenant_has_a_rate_of_their_own() {
        let rates = Rates::of(NonZeroU32::MIN);
        let (ana, other_ana) = (user("shop", "ana"), user("club", "ana"));
        assert_eq!(rates.check(&ana), Ok(()));
        let wait = rates.check(&ana).expect_err("the second one in a second");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(rates.check(&other_ana), Ok(()));
        assert_eq!(rates.check(&user("shop", "ben")), Ok(()));
    }

    #[test]
    fn only_so_many_users_are_remembered_however_many_come() {
        let rates = Rates::of(NonZeroU32::MIN);
        for number in 0..2 * USERS {
            assert_eq!(rates.check(&user("shop", &number.to_string())), Ok(()));
        }
        assert!(rates.users.len() <= USERS, "{}", rates.users.len());
    }
}
