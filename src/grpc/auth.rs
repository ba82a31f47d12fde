//! Who is calling: metadata decides, never a field of a request.

use http::HeaderMap;

use crate::{
    messenger::Caller,
    model::{TenantId, UserId},
};

/// Reads a call's credentials.
pub trait Authenticator: Send + Sync + 'static {
    /// Who calls, and what they may do; nothing about why not beyond [`BadCredentials`].
    fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, BadCredentials>;
}

/// Who calls, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user, in a tenant.
    pub caller: Caller,
    /// What they may do beyond their own.
    pub scopes: Scopes,
}

/// Why credentials were not taken: all that a caller learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCredentials {
    /// There are none.
    Missing,
    /// They cannot be read.
    Malformed,
}

/// What a service identity may do; holds within its tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Watching everything that happens in the tenant.
    pub const WATCH_ALL: &'static str = "letterbox.watch-all";

    /// Reads a list separated by spaces (RFC 6749, section 3.3).
    pub fn parse(text: &str) -> Self {
        Self(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// Whether a scope is among them.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
    }
}

/// Takes the word of a mesh or gateway that sets `x-user-id`, `x-user-scopes`, `x-tenant-id`.
#[derive(Clone, Copy, Debug)]
pub struct TrustedHeader {
    /// A call that names no tenant is refused instead of belonging to `default`.
    pub require_tenant: bool,
}

impl Authenticator for TrustedHeader {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, BadCredentials> {
        let user = single(headers, "x-user-id")?.ok_or(BadCredentials::Missing)?;
        let user = UserId::parse(user).ok_or(BadCredentials::Malformed)?;
        let scopes = single(headers, "x-user-scopes")?.map(Scopes::parse);
        let tenant = match single(headers, "x-tenant-id")? {
            Some(name) => TenantId::parse(name).ok_or(BadCredentials::Malformed)?,
            None if self.require_tenant => return Err(BadCredentials::Missing),
            None => TenantId::default_tenant(),
        };
        Ok(Identity {
            caller: Caller { tenant, user },
            scopes: scopes.unwrap_or_default(),
        })
    }
}

/// A header's value; given twice it is malformed, for which of the two would count?
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, BadCredentials> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(BadCredentials::Malformed);
    }
    value
        .to_str()
        .map(Some)
        .map_err(|_| BadCredentials::Malformed)
}
