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

/// What the store keeps of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Who it is, and how others see them.
    pub user: User,
    /// When the user first made a call, or an admin added them; none: only written to so far.
    pub known_time: Option<Time>,
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
        }
    }
}
