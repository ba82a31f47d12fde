//! What is told of users, by admins and by tokens, in the naive model: who is known, what they are
//! called, and who can no longer be written to.

use std::collections::HashMap;

use letterbox::model::{
    ChangeUsers, Command, Outcome, ProfileChange, ProfileClaim, Refusal, Time, UserChange,
    UserRecord,
};
use proptest::{option, prelude::*, sample::select, sample::subsequence};

use super::{
    reference::{PEOPLE, Tenant},
    words::user_id,
};

/// What an admin asks for, or a token tells.
#[derive(Clone, Debug)]
pub(crate) struct AdminStep {
    caller: &'static str,
    deed: Deed,
}

#[derive(Clone, Debug)]
enum Deed {
    Create(Vec<Told>),
    Update(Vec<Told>),
    Deactivate(Vec<&'static str>),
    Reactivate(Vec<&'static str>),
    /// The caller's own, issued so much before or after the batch.
    Token(Told, i64),
}

/// What is told of a user; nothing said: nothing changed.
#[derive(Clone, Debug)]
struct Told {
    user: &'static str,
    last_name: Option<&'static str>,
    email: Option<&'static str>,
}

/// A user, as an admin sees them, and when the profile was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    user: String,
    known: bool,
    last_name: String,
    email: String,
    told_time: Option<i64>,
    deactivated_time: Option<i64>,
}

/// Users by name, who are not to be found there.
type Missing = Vec<String>;

/// What has been told of users.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Registry(HashMap<&'static str, (String, String, i64)>);

impl Registry {
    /// Does what is asked, all of it or nothing; those who were named, as they are then.
    pub(crate) fn act(
        &mut self,
        tenant: &mut Tenant,
        now: i64,
        step: &AdminStep,
    ) -> Result<Vec<Seen>, Missing> {
        tenant.meet(step.caller);
        let named = step.named();
        if !matches!(step.deed, Deed::Create(_)) {
            let missing = named.iter().filter(|user| !is_heard_of(tenant, user));
            let missing: Missing = missing.map(|user| (*user).to_owned()).collect();
            if !missing.is_empty() {
                return Err(missing);
            }
        }
        match &step.deed {
            Deed::Create(told) | Deed::Update(told) => {
                for told in told {
                    if matches!(step.deed, Deed::Create(_)) {
                        tenant.meet(told.user);
                    }
                    // An admin has the last word, whenever the clock of a token says it was.
                    let ahead = self.0.get(told.user).map(|(_, _, time)| *time);
                    let ahead = ahead.filter(|time| *time > now);
                    if told.last_name.is_some() || told.email.is_some() {
                        self.tell(told, ahead.map_or(now, |time| time + 1));
                    }
                }
            }
            Deed::Deactivate(users) => {
                for user in users {
                    if !tenant.deactivated.iter().any(|(name, _)| name == user) {
                        tenant.deactivated.push(((*user).to_owned(), now));
                    }
                }
            }
            Deed::Reactivate(users) => {
                let stays = |name: &str| !users.contains(&name);
                tenant.deactivated.retain(|(name, _)| stays(name));
            }
            Deed::Token(told, distance) => {
                let issued = now + distance;
                // Of two of the same time the one that is seen last.
                let is_newer = |(_, _, time): &(String, String, i64)| *time <= issued;
                if self.0.get(step.caller).is_none_or(is_newer) {
                    self.tell(told, issued);
                }
                return Ok(Vec::new());
            }
        }
        Ok(named
            .into_iter()
            .map(|user| self.see(tenant, user))
            .collect())
    }

    fn tell(&mut self, told: &Told, time: i64) {
        let held = self.0.entry(told.user).or_default();
        held.2 = time;
        if let Some(last_name) = told.last_name {
            last_name.clone_into(&mut held.0);
        }
        if let Some(email) = told.email {
            email.clone_into(&mut held.1);
        }
    }

    fn see(&self, tenant: &Tenant, user: &str) -> Seen {
        let told = self.0.get(user).cloned();
        let told_time = told.as_ref().map(|(_, _, time)| *time);
        let (last_name, email, _) = told.unwrap_or_default();
        let mut deactivated = tenant.deactivated.iter();
        let deactivated = deactivated.find(|(name, _)| name == user);
        Seen {
            user: user.to_owned(),
            known: tenant.known.iter().any(|known| known == user),
            last_name,
            email,
            told_time,
            deactivated_time: deactivated.map(|(_, time)| *time),
        }
    }

    /// What there is to see of a user; none: nobody has heard of them.
    pub(crate) fn find(&self, tenant: &Tenant, user: &str) -> Option<Seen> {
        is_heard_of(tenant, user).then(|| self.see(tenant, user))
    }
}

/// Whoever has called, was created or was written to.
fn is_heard_of(tenant: &Tenant, user: &str) -> bool {
    let mut threads = tenant.threads.iter();
    tenant.known.iter().any(|known| known == user)
        || threads.any(|thread| thread.participants.iter().any(|part| part.user == user))
}

impl AdminStep {
    fn named(&self) -> Vec<&'static str> {
        match &self.deed {
            Deed::Create(told) | Deed::Update(told) => told.iter().map(|told| told.user).collect(),
            Deed::Deactivate(users) | Deed::Reactivate(users) => users.clone(),
            Deed::Token(..) => vec![self.caller],
        }
    }

    /// What the service is asked.
    pub(crate) fn command(&self, now: i64) -> Command {
        let caller = user_id(self.caller);
        let each = |told: &[Told]| {
            let each = told.iter().map(|told| (user_id(told.user), told.change()));
            each.collect()
        };
        let ids = |users: &[&str]| users.iter().map(|user| user_id(user)).collect();
        let change = match &self.deed {
            Deed::Create(told) => UserChange::Create(each(told)),
            Deed::Update(told) => UserChange::Update(each(told)),
            Deed::Deactivate(users) => UserChange::Deactivate(ids(users)),
            Deed::Reactivate(users) => UserChange::Reactivate(ids(users)),
            Deed::Token(told, distance) => {
                let claim = ProfileClaim {
                    change: told.change(),
                    time: Time(now + distance),
                };
                return Command::Meet(caller, Some(claim));
            }
        };
        Command::ChangeUsers(ChangeUsers { caller, change })
    }
}

impl Told {
    fn change(&self) -> ProfileChange {
        ProfileChange {
            first_name: None,
            last_name: self.last_name.map(str::to_owned),
            email: self.email.map(str::to_owned),
        }
    }
}

/// What the service has answered, in the model's words.
pub(crate) fn answer(decided: Result<Outcome, Refusal>) -> Result<Vec<Seen>, Missing> {
    match decided {
        Ok(Outcome::Met) => Ok(Vec::new()),
        Ok(Outcome::UsersChanged(users)) => Ok(users.iter().map(seen).collect()),
        Err(Refusal::UsersNotFound(users)) => Err(users.iter().map(ToString::to_string).collect()),
        other => panic!("no answer to an admin: {other:?}"),
    }
}

/// What is kept of a user, in the model's words.
pub(crate) fn seen(record: &UserRecord) -> Seen {
    Seen {
        user: record.user.id.to_string(),
        known: record.known_time.is_some(),
        last_name: record.user.profile.last_name.clone(),
        email: record.user.profile.email.clone(),
        told_time: record.profile_time.map(|time| time.0),
        deactivated_time: record.deactivated_time.map(|time| time.0),
    }
}

/// Random steps of admins, and tokens.
pub(crate) fn admin_steps() -> impl Strategy<Value = AdminStep> {
    let several = || subsequence(PEOPLE.to_vec(), 1..4).prop_shuffle();
    let told = || {
        let profiles = proptest::collection::vec(profiles(), 3);
        (several(), profiles).prop_map(|(users, profiles)| {
            let told = users.into_iter().zip(profiles);
            told.map(|(user, (last_name, email))| Told {
                user,
                last_name,
                email,
            })
            .collect()
        })
    };
    let deeds = prop_oneof![
        2 => told().prop_map(Deed::Create),
        2 => told().prop_map(Deed::Update),
        3 => several().prop_map(Deed::Deactivate),
        1 => several().prop_map(Deed::Reactivate),
    ];
    let by_admins = (select(&PEOPLE[..4]), deeds);
    let by_admins = by_admins.prop_map(|(caller, deed)| AdminStep { caller, deed });
    let tokens = (select(&PEOPLE[..]), profiles(), -60..60i64);
    let tokens = tokens.prop_map(|(caller, (last_name, email), distance)| {
        let told = Told {
            user: caller,
            last_name,
            email,
        };
        let deed = Deed::Token(told, distance);
        AdminStep { caller, deed }
    });
    prop_oneof![2 => by_admins, 1 => tokens]
}

fn profiles() -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>)> {
    (
        option::of(select(vec!["", "Berg", "Tal"])),
        option::of(select(vec!["", "a@example.org"])),
    )
}
