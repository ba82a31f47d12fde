//! People, as other participants see them.

use serde::{Deserialize, Serialize};

use super::{Time, UserId};

/// A user, with what is known of them; names and address may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who it is.
    pub id: UserId,
    /// What an identity provider told of them.
    pub profile: Profile,
}

/// A user's name and address, as an identity provider told them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Given name; empty: not known.
    pub first_name: String,
    /// Family name; empty: not known.
    pub last_name: String,
    /// E-mail address; empty: not known.
    pub email: String,
}

/// What a token claims of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileClaim {
    /// Given name; absent: the token does not say.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// When the token was issued; of two that differ the newer counts.
    pub time: Time,
}

impl ProfileClaim {
    /// How many characters of a name are kept.
    pub const NAME_CHARACTERS: usize = 150;
    /// How long an address is at most (RFC 5321, section 4.5.3.1); a longer one is none.
    pub const EMAIL_CHARACTERS: usize = 254;

    /// A claim as it is kept: names are cut, and addresses that cannot be are dropped.
    pub fn new(
        first_name: Option<&str>,
        last_name: Option<&str>,
        email: Option<&str>,
        time: Time,
    ) -> Self {
        let name = |name: &str| name.chars().take(Self::NAME_CHARACTERS).collect();
        let fits = |email: &&str| email.chars().nth(Self::EMAIL_CHARACTERS).is_none();
        Self {
            first_name: first_name.map(name),
            last_name: last_name.map(name),
            email: email.filter(fits).map(str::to_owned),
            time,
        }
    }

    /// The profile, kept current.
    pub fn applied_to(&self, profile: &Profile) -> Profile {
        let newer =
            |claimed: &Option<String>, held: &String| claimed.as_ref().unwrap_or(held).clone();
        Profile {
            first_name: newer(&self.first_name, &profile.first_name),
            last_name: newer(&self.last_name, &profile.last_name),
            email: newer(&self.email, &profile.email),
        }
    }
}

/// What the store keeps of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Who it is, and how others see them.
    pub user: User,
    /// When the user first made a call, or an admin added them; none: only written to so far.
    pub known_time: Option<Time>,
    /// When the token was issued that the profile is from; none: no token has told of one.
    pub profile_time: Option<Time>,
}

impl UserRecord {
    /// Somebody of whom nothing is known but the id.
    pub fn unknown(id: UserId) -> Self {
        Self {
            user: User {
                id,
                profile: Profile::default(),
            },
            known_time: None,
            profile_time: None,
        }
    }
}
