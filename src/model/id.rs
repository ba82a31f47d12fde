//! Who and what things are: opaque names and UUIDs, parsed once and then always good.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Makes the ids of new things; handed in, so that tests are exact.
pub trait Ids: std::marker::Send + Sync {
    /// A new UUID of version 7 (RFC 9562): unique, and roughly in the order of making.
    fn next(&self) -> Uuid;
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What a malformed one is told.
            pub const RULE: &'static str = "must be a UUID in its 36-character form";

            /// Reads the 36-character form, in either case.
            pub fn parse(text: &str) -> Option<Self> {
                // The length shuts out the other forms that `Uuid` reads: braces, URN, no hyphens.
                (text.len() == 36).then(|| Uuid::try_parse(text).ok().map(Self))?
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

uuid_id! {
    /// A thread's id, a UUID of version 7.
    ThreadId
}
uuid_id! {
    /// A message's id, a UUID of version 7.
    MessageId
}
uuid_id! {
    /// An event's id; it proves that a position of the log is still of the same history.
    EventId
}
uuid_id! {
    /// The id that a caller gave a request so that it can be retried.
    RequestId
}

/// A user, as the caller's identity provider names them; unique within a tenant only.
///
/// 1 to 128 visible ASCII characters, compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Arc<str>);

impl UserId {
    /// What a malformed one is told.
    pub const RULE: &'static str =
        "must be 1 to 128 visible ASCII characters, not beginning with `letterbox:`";

    /// The prefix that the service keeps for itself.
    const KEPT_PREFIX: &'static str = "letterbox:";

    /// Reads a user id from outside.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.starts_with(Self::KEPT_PREFIX);
        well_formed.then(|| Self(text.into()))
    }

    /// A part of the service itself, under the prefix that no user can have.
    pub fn service(part: &str) -> Self {
        Self(format!("{}{part}", Self::KEPT_PREFIX).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An application that shares the deployment; it sees nothing of the others.
///
/// 1 to 63 of `a-z`, `0-9` and `-`, starting with a letter (a DNS label, as in RFC 1035).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The tenant of calls that name none.
    pub const DEFAULT: &'static str = "default";

    /// Reads a tenant's name from outside.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() <= 63
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        well_formed.then(|| Self(text.into()))
    }

    /// The tenant of calls that name none.
    pub fn default_tenant() -> Self {
        Self(Self::DEFAULT.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_read_in_its_36_character_form_alone_in_either_case() {
        let check = |text: &str, good: bool| {
            assert_eq!(ThreadId::parse(text).is_some(), good, "{text}");
        };
        check("0190a3c4-7b1e-7000-8000-00000000abcd", true);
        check("0190A3C4-7B1E-7000-8000-00000000ABCD", true);
        check("0190a3c47b1e7000800000000000abcd", false);
        check("{0190a3c4-7b1e-7000-8000-00000000abcd}", false);
        check("0190a3c4-7b1e-7000-8000-00000000abcg", false);
        check("", false);
    }

    #[test]
    fn a_user_id_is_visible_ascii_and_not_the_services_own() {
        let check = |text: &str, good: bool| {
            assert_eq!(UserId::parse(text).is_some(), good, "{text:?}");
        };
        check("ana", true);
        check("Ana@example.org|42", true);
        check(&"a".repeat(128), true);
        check(&"a".repeat(129), false);
        check("", false);
        check("a b", false);
        check("añ", false);
        check("a\u{7f}", false);
        check("letterbox:system", false);
        check("letterbox", true);
    }

    #[test]
    fn a_tenant_is_a_dns_label() {
        let check = |text: &str, good: bool| {
            assert_eq!(TenantId::parse(text).is_some(), good, "{text:?}");
        };
        check("default", true);
        check("a", true);
        check("shop-2", true);
        check(&"a".repeat(63), true);
        check(&"a".repeat(64), false);
        check("", false);
        check("2shop", false);
        check("-shop", false);
        check("Shop", false);
        check("shop_2", false);
    }
}
