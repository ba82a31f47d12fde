//! Who is calling: metadata decides, never a field of a request.

mod certificates;
mod claims;
mod jwt;
mod keys;
mod token;
mod trusted_header;

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;

pub use self::{
    certificates::{Certificates, Service},
    jwt::{Jwt, JwtSettings},
    keys::{SHORT_SECRET, holds_secret, holds_short_secret},
    trusted_header::TrustedHeader,
};
use crate::{
    messenger::Caller,
    model::{ProfileClaim, TenantId, UserId},
};

/// Reads a call's credentials.
pub trait Authenticator: Send + Sync + 'static {
    /// Who calls, and what they may do, by the call's headers and by the certificate that its client
    /// shows, if any; nothing about why not beyond [`TurnedAway`].
    fn authenticate(
        &self,
        headers: &HeaderMap,
        client: Option<&ClientNames>,
    ) -> Result<Identity, TurnedAway>;
}

/// The names (URIs and DNS names) that a client's certificate is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientNames(pub Vec<String>);

impl ClientNames {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Who calls, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user, in a tenant.
    pub caller: Caller,
    /// What they may do beyond their own.
    pub scopes: Scopes,
    /// What their token claims of them.
    pub profile: Option<Arc<ProfileClaim>>,
    /// When their token expires.
    pub expires: Option<Instant>,
    /// The service that acts for the user.
    pub acting: Option<UserId>,
}

/// Why a call is turned away before anything of it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Nobody is known to call.
    Unknown(BadCredentials),
    /// Somebody calls for another user without this scope.
    ScopeMissing(&'static str),
    /// A tenant is named that is not the caller's.
    TenantNotAllowed,
}

impl From<BadCredentials> for TurnedAway {
    fn from(bad: BadCredentials) -> Self {
        Self::Unknown(bad)
    }
}

/// Why credentials were not taken: all that a caller learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCredentials {
    /// There are none.
    Missing,
    /// They cannot be read.
    Malformed,
    /// They were good once.
    Expired,
    /// They are not from whom they should be, or not for this service.
    NotAccepted,
}

/// What a service identity may do; holds within its tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Watching everything that happens in the tenant.
    pub const WATCH_ALL: &'static str = "letterbox.watch-all";

    /// Administration of the tenant.
    pub const ADMIN: &'static str = "letterbox.admin";

    /// Acting for a user, named by `x-user-id`.
    pub const ACT_AS: &'static str = "letterbox.act-as";

    /// Reads a list separated by spaces (RFC 6749, section 3.3).
    pub fn parse(text: &str) -> Self {
        Self(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// Whether a scope is among them.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
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

/// A header's value, parsed.
fn parsed<T>(
    headers: &HeaderMap,
    name: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, BadCredentials> {
    let value = single(headers, name)?;
    value
        .map(|value| parse(value).ok_or(BadCredentials::Malformed))
        .transpose()
}

/// For whom a call is that names somebody, and the service that makes it, if it is another one.
fn acting(
    user: UserId,
    named: Option<UserId>,
    scopes: &Scopes,
) -> Result<(UserId, Option<UserId>), TurnedAway> {
    match named.filter(|named| *named != user) {
        None => Ok((user, None)),
        Some(other) if scopes.contains(Scopes::ACT_AS) => Ok((other, Some(user))),
        Some(_) => Err(TurnedAway::ScopeMissing(Scopes::ACT_AS)),
    }
}

/// The tenant of a service that may choose it.
fn chosen(named: Option<TenantId>, require_tenant: bool) -> Result<TenantId, TurnedAway> {
    match named {
        Some(tenant) => Ok(tenant),
        None if require_tenant => Err(BadCredentials::Missing.into()),
        None => Ok(TenantId::default_tenant()),
    }
}
