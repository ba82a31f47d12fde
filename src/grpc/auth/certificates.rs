//! Services that are known by their certificates, where clients show some (mutual TLS).

use std::{collections::HashMap, sync::Arc};

use http::HeaderMap;

use super::{
    Authenticator, BadCredentials, ClientNames, Identity, Scopes, TurnedAway, acting, chosen,
    parsed,
};
use crate::{
    messenger::Caller,
    model::{TenantId, UserId},
};

/// A service, by a name that its certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name, which is also its user id.
    pub user: UserId,
    /// What it may do; no header adds to that.
    pub scopes: Scopes,
    /// The tenant that it belongs to. None: `default`, or with [`Scopes::ACT_AS`] the one that
    /// each of its calls names.
    pub tenant: Option<TenantId>,
}

/// Takes a certificate's word for who is calling, and a token's where tokens are taken.
pub struct Certificates {
    services: HashMap<String, Service>,
    /// What calls with a token are left to.
    tokens: Option<Arc<dyn Authenticator>>,
    /// A call that names no tenant is refused instead of belonging to `default`.
    require_tenant: bool,
}

impl Certificates {
    /// The services that are known so; beside `tokens`, a call with a token is its own.
    pub fn new(
        services: Vec<Service>,
        tokens: Option<Arc<dyn Authenticator>>,
        require_tenant: bool,
    ) -> Self {
        let named = |service: Service| (service.user.as_str().to_owned(), service);
        Self {
            services: services.into_iter().map(named).collect(),
            tokens,
            require_tenant,
        }
    }

    /// The one service that a certificate is for.
    fn service(&self, client: &ClientNames) -> Option<&Service> {
        let mut known = client.0.iter().filter_map(|name| self.services.get(name));
        // One that is for several says of none what it may do.
        known.next().filter(|_| known.next().is_none())
    }

    fn tenant(&self, service: &Service, named: Option<TenantId>) -> Result<TenantId, TurnedAway> {
        let held = match &service.tenant {
            Some(tenant) => tenant.clone(),
            None if service.scopes.contains(Scopes::ACT_AS) => {
                return chosen(named, self.require_tenant);
            }
            None => chosen(None, self.require_tenant)?,
        };
        if named.is_some_and(|named| named != held) {
            return Err(TurnedAway::TenantNotAllowed);
        }
        Ok(held)
    }
}

impl Authenticator for Certificates {
    fn authenticate(
        &self,
        headers: &HeaderMap,
        client: Option<&ClientNames>,
    ) -> Result<Identity, TurnedAway> {
        let unknown = match &self.tokens {
            Some(tokens) if headers.contains_key("authorization") => {
                return tokens.authenticate(headers, client);
            }
            Some(_) => BadCredentials::Missing,
            None => BadCredentials::NotAccepted,
        };
        let service = client
            .and_then(|names| self.service(names))
            .ok_or(unknown)?;
        let named_user = parsed(headers, "x-user-id", UserId::parse)?;
        let named_tenant = parsed(headers, "x-tenant-id", TenantId::parse)?;
        let tenant = self.tenant(service, named_tenant)?;
        let (user, acting) = acting(service.user.clone(), named_user, &service.scopes)?;
        Ok(Identity {
            caller: Caller { tenant, user },
            scopes: service.scopes.clone(),
            profile: None,
            expires: None,
            acting,
        })
    }
}
