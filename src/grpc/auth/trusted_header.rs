//! Headers that are trusted, as a mesh or gateway sets them.

use http::HeaderMap;

use super::{
    Authenticator, BadCredentials, ClientNames, Identity, Scopes, TurnedAway, chosen, parsed,
    single,
};
use crate::{
    messenger::Caller,
    model::{TenantId, UserId},
};

/// Takes the word of a mesh or gateway that sets `x-user-id`, `x-user-scopes`, `x-tenant-id`.
#[derive(Clone, Copy, Debug)]
pub struct TrustedHeader {
    /// A call that names no tenant is refused instead of belonging to `default`.
    pub require_tenant: bool,
}

impl Authenticator for TrustedHeader {
    fn authenticate(
        &self,
        headers: &HeaderMap,
        _: Option<&ClientNames>,
    ) -> Result<Identity, TurnedAway> {
        let user = single(headers, "x-user-id")?.ok_or(BadCredentials::Missing)?;
        let user = UserId::parse(user).ok_or(BadCredentials::Malformed)?;
        let scopes = single(headers, "x-user-scopes")?.map(Scopes::parse);
        let tenant = parsed(headers, "x-tenant-id", TenantId::parse)?;
        let tenant = chosen(tenant, self.require_tenant)?;
        Ok(Identity {
            caller: Caller { tenant, user },
            scopes: scopes.unwrap_or_default(),
            profile: None,
            expires: None,
            acting: None,
        })
    }
}
