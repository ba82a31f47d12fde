//! What a token says, once it is known who signed it.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::{BadCredentials, Scopes};
use crate::model::{ProfileChange, ProfileClaim, TenantId, Time, UserId};

/// The claims of a token (RFC 7519).
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) all: Map<String, Value>,
    /// When this process first saw the token.
    pub(super) seen: Time,
}

/// How far the issuer's clock may be ahead of ours.
const AHEAD: Time = Time(5_000_000);

/// The times that an answer can tell, in microseconds since 1970: of the years 1 to 9999
/// (`google.protobuf.Timestamp`).
const TELLABLE: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str)
    }

    /// A `NumericDate`: seconds, perhaps with a fraction.
    fn time(&self, name: &str) -> Result<Option<Time>, BadCredentials> {
        let Some(value) = self.all.get(name) else {
            return Ok(None);
        };
        let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e12);
        let seconds = seconds.ok_or(BadCredentials::NotAccepted)?;
        #[expect(clippy::cast_possible_truncation, reason = "it was checked to fit")]
        Ok(Some(Time((seconds * 1e6) as i64)))
    }

    /// Whether the token counts now; when it expires.
    pub(super) fn check_times(&self, now: Time) -> Result<Time, BadCredentials> {
        let expires = self.time("exp")?.ok_or(BadCredentials::NotAccepted)?;
        if expires <= now {
            return Err(BadCredentials::Expired);
        }
        match self.time("nbf")? {
            Some(time) if time.0 > now.0 + AHEAD.0 => Err(BadCredentials::NotAccepted),
            _ => Ok(expires),
        }
    }

    /// Whether it is from this issuer and for this audience, where these are set.
    pub(super) fn check_parties(
        &self,
        issuer: Option<&str>,
        audience: Option<&str>,
    ) -> Result<(), BadCredentials> {
        let from = issuer.is_none_or(|issuer| self.text("iss") == Some(issuer));
        let to = audience.is_none_or(|audience| match self.all.get("aud") {
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            Some(one) => one == audience,
            None => false,
        });
        if from && to {
            Ok(())
        } else {
            Err(BadCredentials::NotAccepted)
        }
    }

    /// Who it is for.
    pub(super) fn user(&self) -> Result<UserId, BadCredentials> {
        let user = self.text("sub").and_then(UserId::parse);
        user.ok_or(BadCredentials::NotAccepted)
    }

    /// What this claim says of the tenant; none where the token lacks it.
    pub(super) fn tenant(&self, claim: &str) -> Result<Option<TenantId>, BadCredentials> {
        let value = match self.all.get(claim) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        let tenant = value.as_str().and_then(TenantId::parse);
        tenant.map(Some).ok_or(BadCredentials::NotAccepted)
    }

    pub(super) fn scopes(&self) -> Scopes {
        self.text("scope").map(Scopes::parse).unwrap_or_default()
    }

    /// What it says of its user; none where it says nothing.
    pub(super) fn profile(&self) -> Option<ProfileClaim> {
        let names = ["given_name", "family_name", "email"];
        let [first_name, last_name, email] = names.map(|name| self.text(name));
        first_name.or(last_name).or(email)?;
        let issued = self.time("iat").ok().flatten();
        let issued = issued.filter(|time| TELLABLE.contains(&time.0));
        Some(ProfileClaim {
            change: ProfileChange::new(first_name, last_name, email),
            time: issued.unwrap_or(self.seen),
        })
    }
}
