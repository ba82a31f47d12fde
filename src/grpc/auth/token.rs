//! A token as it comes (RFC 7515, section 7.1): whose it is does not matter yet.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{BadCredentials, keys::algorithm};

/// A token that can be read, and nobody has looked at its signature.
pub(super) struct Token<'a> {
    /// How it says that it was signed.
    pub(super) algorithm: Algorithm,
    /// The key that it says it was signed with.
    pub(super) key_id: Option<String>,
    signed: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// Reads what a token says of how it was signed.
    pub(super) fn read(token: &'a str) -> Result<Self, BadCredentials> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            kid: Option<String>,
            crit: Option<Value>,
        }
        let malformed = BadCredentials::Malformed;
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(malformed)?;
        if claims.contains('.') {
            return Err(malformed);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| malformed)?;
        if header.crit.is_some() {
            // What has to be understood to accept the token, and we do not (RFC 7515, section 4.1.11).
            return Err(BadCredentials::NotAccepted);
        }
        Ok(Self {
            algorithm: algorithm(&header.alg).ok_or(BadCredentials::NotAccepted)?,
            key_id: header.kid,
            signed,
            claims,
            signature,
        })
    }

    /// Whether this key has signed it; one that signs by the algorithm that it names.
    pub(super) fn is_by(&self, key: &DecodingKey) -> bool {
        let verified = crypto::verify(self.signature, self.signed.as_bytes(), key, self.algorithm);
        verified.is_ok_and(|verified| verified)
    }

    /// What it says.
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(self.claims).ok()?).ok()
    }
}
