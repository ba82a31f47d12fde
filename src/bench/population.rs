//! Who takes part: tenants, users, and the threads between them.

use tonic::metadata::AsciiMetadataValue;

use super::{Error, options::Target};

/// The tenants and users of a run.
#[derive(Clone, Debug)]
pub(super) struct Population {
    tenants: Vec<AsciiMetadataValue>,
    /// How many users receive; with only one there is a second one who writes.
    pub(super) users: u32,
}

/// One user of one tenant, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Person {
    pub(super) tenant: u32,
    pub(super) user: u32,
}

/// A thread, and the two who take part in it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) thread: Box<str>,
    /// Whose inbox it was found in.
    pub(super) owner: Person,
    /// The other one.
    pub(super) other: Person,
    pub(super) messages: u32,
}

impl Population {
    pub(super) fn new(target: &Target) -> Result<Self, Error> {
        let name = &target.tenant;
        let names = match target.tenants.get() {
            1 => vec![name.clone()],
            many => (0..many).map(|number| format!("{name}-{number}")).collect(),
        };
        let tenants: Result<_, _> = names.iter().map(|name| name.parse()).collect();
        Ok(Self {
            tenants: tenants.map_err(|_| Error::Tenant(name.clone()))?,
            users: target.users.get(),
        })
    }

    /// All who receive.
    pub(super) fn people(&self) -> impl Iterator<Item = Person> + use<> {
        let tenants = 0..u32::try_from(self.tenants.len()).unwrap_or(u32::MAX);
        let users = self.users;
        tenants.flat_map(move |tenant| (0..users).map(move |user| Person { tenant, user }))
    }

    /// One of those who receive; every number names one.
    pub(super) fn person(&self, number: u64) -> Person {
        let tenants = self.tenants.len() as u64;
        let user = number / tenants % u64::from(self.users);
        Person {
            tenant: u32::try_from(number % tenants).unwrap_or(0),
            user: u32::try_from(user).unwrap_or(0),
        }
    }

    /// Somebody else in the tenant, to write to this one; every number names one.
    pub(super) fn sender_to(&self, person: Person, number: u64) -> Person {
        let all = u64::from(self.users.max(2));
        let user = (u64::from(person.user) + 1 + number % (all - 1)) % all;
        Person {
            user: u32::try_from(user).unwrap_or(0),
            ..person
        }
    }

    pub(super) fn tenant(&self, person: Person) -> AsciiMetadataValue {
        self.tenants[person.tenant as usize].clone()
    }
}

impl Person {
    /// The user's id.
    pub(super) fn id(self) -> String {
        format!("{PREFIX}{}", self.user)
    }

    /// The user's id, as metadata.
    pub(super) fn header(self) -> AsciiMetadataValue {
        let value = self.id().parse();
        value.unwrap_or_else(|_| unreachable!("our ids are ASCII"))
    }

    /// The user of this id in the same tenant, where it is one of ours.
    pub(super) fn beside(self, id: &str) -> Option<Self> {
        let user = id.strip_prefix(PREFIX)?.parse().ok()?;
        Some(Self { user, ..self })
    }
}

const PREFIX: &str = "bench-user-";

/// Numbers that look random and are the same in every run (`SplitMix64`).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Rolled once: of seeds that are a multiple of the step apart each would walk behind the other.
        Self(Self(seed).roll())
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn callers_do_not_walk_the_same_way_one_behind_the_other() {
        let mut rolled = HashSet::new();
        for caller in 0..64 {
            let mut dice = Dice::new(caller);
            rolled.extend((0..1_000).map(|_| dice.roll()));
        }
        assert_eq!(rolled.len(), 64_000);
    }
}
