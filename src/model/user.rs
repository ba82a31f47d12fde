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

/// What somebody tells of a user; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProfileChange {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

impl ProfileChange {
    /// How many characters of a name are kept.
    pub const NAME_CHARACTERS: usize = 150;
    /// How long an address is at most (RFC 5321, section 4.5.3.1); a longer one is none.
    pub const EMAIL_CHARACTERS: usize = 254;

    /// A change as it is kept: names are cut and lose their control characters (Postgres keeps no
    /// NUL), and addresses that cannot be are dropped.
    pub fn new(first_name: Option<&str>, last_name: Option<&str>, email: Option<&str>) -> Self {
        let name = |name: &str| {
            let kept = name.chars().filter(|character| !character.is_control());
            kept.take(Self::NAME_CHARACTERS).collect()
        };
        let can_be = |email: &&str| {
            email.chars().nth(Self::EMAIL_CHARACTERS).is_none() && !email.contains(char::is_control)
        };
        Self {
            first_name: first_name.map(name),
            last_name: last_name.map(name),
            email: email.filter(can_be).map(str::to_owned),
        }
    }

    /// The profile with the change.
    pub fn applied_to(&self, profile: &Profile) -> Profile {
        let newer = |told: &Option<String>, held: &String| told.as_ref().unwrap_or(held).clone();
        Profile {
            first_name: newer(&self.first_name, &profile.first_name),
            last_name: newer(&self.last_name, &profile.last_name),
            email: newer(&self.email, &profile.email),
        }
    }
}

/// What a token claims of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileClaim {
    /// What it says.
    pub change: ProfileChange,
    /// When the token was issued, or where it does not say so, when it was first seen; the newer one counts, and
    /// of two of one time that which is seen last.
    pub time: Time,
}

/// What the store keeps of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Who it is, and how others see them.
    pub user: User,
    /// When the user first made a call, or an admin added them; none: only written to so far.
    pub known_time: Option<Time>,
    /// When the profile was told: by a token, its time; by an admin, then, and after the token that was seen
    /// before. None: nobody has told of one.
    pub profile_time: Option<Time>,
    /// When an admin deactivated the user; none: active.
    pub deactivated_time: Option<Time>,
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
            deactivated_time: None,
        }
    }

    /// Whether new threads reach the user where only users that are known can be written to.
    pub fn can_be_written_to(&self) -> bool {
        self.known_time.is_some() && self.deactivated_time.is_none()
    }
}
