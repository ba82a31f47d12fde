//! What admins do to users.

use super::super::{
    ChangeUsers, Context, Outcome, ProfileChange, Refusal, State, Time, UserChange, UserId,
};

impl State {
    pub(super) fn change_users(
        &mut self,
        users: &ChangeUsers,
        context: &Context<'_>,
    ) -> Result<Outcome, Refusal> {
        let named = users.change.users();
        if !matches!(users.change, UserChange::Create(_)) {
            self.check_users(&named)?;
        }
        match &users.change {
            UserChange::Create(told) => {
                for (id, change) in told {
                    self.meet(id, context.now);
                    self.tell(id, change, context.now);
                }
            }
            UserChange::Update(told) => {
                for (id, change) in told {
                    self.tell(id, change, context.now);
                }
            }
            UserChange::Deactivate(ids) => {
                for id in ids {
                    self.change_user(id, |record| {
                        record.deactivated_time.get_or_insert(context.now);
                    });
                }
            }
            UserChange::Reactivate(ids) => {
                for id in ids {
                    self.change_user(id, |record| record.deactivated_time = None);
                }
            }
        }
        let changed = named.into_iter().map(|id| self.record(id)).collect();
        Ok(Outcome::UsersChanged(changed))
    }

    /// Whoever is named must be there.
    fn check_users(&self, named: &[&UserId]) -> Result<(), Refusal> {
        let missing = named.iter().filter(|id| !self.rows.users.contains_key(id));
        let missing: Vec<UserId> = missing.map(|id| (*id).clone()).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Refusal::UsersNotFound(missing))
        }
    }

    /// Keeps what an admin tells, in the place of whatever a token has told before.
    fn tell(&mut self, id: &UserId, change: &ProfileChange, now: Time) {
        if *change == ProfileChange::default() {
            return;
        }
        self.change_user(id, |record| {
            record.user.profile = change.applied_to(&record.user.profile);
            // A token from a clock ahead of ours has been dealt with, too: it does not count again.
            let ahead = record.profile_time.filter(|time| *time > now);
            record.profile_time = Some(ahead.map_or(now, |time| Time(time.0 + 1)));
        });
    }
}
