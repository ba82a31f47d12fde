//! What tells callers apart, as the settings say.

use std::sync::Arc;

use super::Parts;
use crate::{
    config::{Auth, SettingError, Settings},
    grpc::{Authenticator, Certificates, Jwt, JwtSettings, Scopes, Service, TrustedHeader},
    metrics::Metrics,
    model::{TenantId, UserId},
};

/// What tells callers apart: certificates where some are known, and tokens or headers.
pub(super) fn authenticator(
    settings: &Settings,
    parts: &Parts,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn Authenticator>, SettingError> {
    let tokens = match settings.auth {
        Auth::TrustedHeader => None,
        Auth::Jwt => Some(tokens(settings, parts, metrics)?),
    };
    let require_tenant = settings.require_tenant;
    if !settings.clients.is_empty() {
        let services = services(settings);
        return Ok(Arc::new(Certificates::new(
            services,
            tokens,
            require_tenant,
        )));
    }
    Ok(tokens.unwrap_or_else(|| Arc::new(TrustedHeader { require_tenant })))
}

fn tokens(
    settings: &Settings,
    parts: &Parts,
    metrics: &Arc<Metrics>,
) -> Result<Arc<dyn Authenticator>, SettingError> {
    let jwt = JwtSettings {
        key: settings.jwt_key.clone().unwrap_or_default(),
        issuer: settings.jwt_issuer.clone(),
        audience: settings.jwt_audience.clone(),
        tenant_claim: settings.jwt_tenant_claim.clone(),
        require_tenant: settings.require_tenant,
    };
    let jwt = Jwt::start(jwt, Arc::clone(&parts.clock), Arc::clone(metrics));
    Ok(jwt.map_err(|problem| SettingError::of("jwt-key", &problem))?)
}

/// The services that are known by their certificates; the settings have been checked.
fn services(settings: &Settings) -> Vec<Service> {
    let service = |(name, client): (&String, &crate::config::Client)| {
        Some(Service {
            user: UserId::parse(name)?,
            scopes: Scopes::parse(&client.scopes.join(" ")),
            tenant: client.tenant.as_deref().and_then(TenantId::parse),
        })
    };
    settings.clients.iter().filter_map(service).collect()
}
