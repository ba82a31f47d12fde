//! Tokens (JWT), verified by keys from a file that is reread when it changes.

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use http::HeaderMap;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::{
    Authenticator, BadCredentials, ClientNames, Identity, Scopes, TurnedAway, acting, chosen,
    claims::Claims,
    keys::{Keys, SHORT_SECRET},
    parsed, single,
    token::Token,
};
use crate::{
    messenger::Caller,
    metrics::{Metrics, Reread},
    model::{Clock, TenantId, Time, UserId},
};

/// How often the key file is looked at.
const REREAD: Duration = Duration::from_secs(1);

/// How many verified tokens a process remembers: a caller sends the same one again and again.
const TOKENS: usize = 10_000;

/// What tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// A file with an HMAC secret, a PEM public key or a JWKS.
    pub key: PathBuf,
    /// Who must have issued them; none: not checked.
    pub issuer: Option<String>,
    /// Whom they must be for; none: not checked.
    pub audience: Option<String>,
    /// The claim that names the tenant; none: every token belongs to `default`.
    pub tenant_claim: Option<String>,
    /// A call that names no tenant is refused instead of belonging to `default`.
    pub require_tenant: bool,
}

/// Takes a token's word for who is calling.
pub struct Jwt {
    settings: JwtSettings,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    verified: RwLock<Arc<Verified>>,
}

/// Keys, and the tokens that they were found to have signed.
struct Verified {
    file: Vec<u8>,
    keys: Keys,
    tokens: Cache<Box<str>, Arc<Claims>>,
}

impl Verified {
    fn by(keys: Keys, file: Vec<u8>) -> Self {
        Self {
            keys,
            file,
            tokens: Cache::new(TOKENS),
        }
    }
}

impl Jwt {
    /// Reads the key file, and again whenever it changes, for as long as this is used.
    pub fn start(
        settings: JwtSettings,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, String> {
        let file = std::fs::read(&settings.key);
        let file =
            file.map_err(|error| format!("cannot read {}: {error}", settings.key.display()))?;
        let keys =
            Keys::read(&file).map_err(|problem| format!("{} {problem}", settings.key.display()))?;
        let jwt = Arc::new(Self {
            settings,
            clock,
            metrics,
            verified: RwLock::new(Arc::new(Verified::by(keys, file))),
        });
        tokio::spawn(reread(Arc::downgrade(&jwt)));
        Ok(jwt)
    }

    fn verified(&self) -> Arc<Verified> {
        Arc::clone(&self.verified.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a token says, if one of the keys signed it.
    fn claims(&self, token: &str) -> Result<Arc<Claims>, BadCredentials> {
        let verified = self.verified();
        if let Some(claims) = verified.tokens.get(token) {
            return Ok(claims);
        }
        let signed = Token::read(token)?;
        let id = signed.key_id.as_deref();
        let mut keys = verified.keys.candidates(signed.algorithm, id);
        let all = if keys.any(|key| signed.is_by(key)) {
            signed.claims()
        } else {
            None
        };
        let claims = Arc::new(Claims {
            all: all.ok_or(BadCredentials::NotAccepted)?,
            seen: self.clock.now(),
        });
        verified.tokens.insert(token.into(), Arc::clone(&claims));
        Ok(claims)
    }

    fn tenant(
        &self,
        claims: &Claims,
        scopes: &Scopes,
        named: Option<TenantId>,
    ) -> Result<TenantId, TurnedAway> {
        let held = match &self.settings.tenant_claim {
            None => TenantId::default_tenant(),
            Some(claim) => match claims.tenant(claim)? {
                Some(held) => held,
                None if scopes.contains(Scopes::ACT_AS) => {
                    return chosen(named, self.settings.require_tenant);
                }
                None => return Err(BadCredentials::NotAccepted.into()),
            },
        };
        if named.is_some_and(|named| named != held) {
            return Err(TurnedAway::TenantNotAllowed);
        }
        Ok(held)
    }
}

impl Authenticator for Jwt {
    fn authenticate(
        &self,
        headers: &HeaderMap,
        _: Option<&ClientNames>,
    ) -> Result<Identity, TurnedAway> {
        let token = bearer(single(headers, "authorization")?.ok_or(BadCredentials::Missing)?)?;
        let named_user = parsed(headers, "x-user-id", UserId::parse)?;
        let named_tenant = parsed(headers, "x-tenant-id", TenantId::parse)?;

        let claims = self.claims(token)?;
        let now = self.clock.now();
        let expires = claims.check_times(now)?;
        let (issuer, audience) = (&self.settings.issuer, &self.settings.audience);
        claims.check_parties(issuer.as_deref(), audience.as_deref())?;
        let user = claims.user()?;
        let scopes = claims.scopes();
        let tenant = self.tenant(&claims, &scopes, named_tenant)?;

        let (user, acting) = acting(user, named_user, &scopes)?;
        let profile = match acting {
            // The token speaks of the service.
            Some(_) => None,
            None => claims.profile().map(Arc::new),
        };
        Ok(Identity {
            caller: Caller { tenant, user },
            scopes,
            profile,
            expires: Some(Instant::now() + left(now, expires)),
            acting,
        })
    }
}

/// The longest that a token is taken to be good for; a clock cannot name what is much later.
const LIFE_MAX: Duration = Duration::from_hours(100 * 24);

fn left(now: Time, expires: Time) -> Duration {
    let micros = u64::try_from(expires.0.saturating_sub(now.0)).unwrap_or(0);
    Duration::from_micros(micros).min(LIFE_MAX)
}

/// The token behind the scheme (RFC 6750, section 2.1).
fn bearer(value: &str) -> Result<&str, BadCredentials> {
    let (scheme, token) = value.split_once(' ').ok_or(BadCredentials::Malformed)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        Ok(token)
    } else {
        Err(BadCredentials::Malformed)
    }
}

/// Takes the key file in whenever it has changed; what cannot be used leaves the keys as they are.
async fn reread(jwt: Weak<Jwt>) {
    let mut refused = Vec::new();
    loop {
        tokio::time::sleep(REREAD).await;
        let Some(jwt) = jwt.upgrade() else {
            return;
        };
        let path = jwt.settings.key.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let Ok(Ok(file)) = read else {
            // It is being replaced.
            continue;
        };
        let verified = jwt.verified();
        if file == verified.file || file == refused {
            continue;
        }
        let keys = verified.keys.read_anew(&file);
        jwt.metrics.process.reread(Reread::JwtKey, keys.is_ok());
        match keys {
            Ok(keys) => {
                if keys.hold_short_secret() {
                    tracing::warn!("jwt-key: {SHORT_SECRET}");
                }
                let mut current = jwt.verified.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(Verified::by(keys, file));
                tracing::info!("the keys that tokens are verified by have changed");
            }
            Err(problem) => {
                let path = jwt.settings.key.display();
                tracing::warn!("{path} {problem}; the keys stay as they were");
                refused = file;
            }
        }
    }
}
