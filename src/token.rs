//! `letterbox token`: a token for development and tests.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};

use crate::model::Time;

/// What the token is to say.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// What signs it: an HMAC secret, or a PEM private key (RSA; PKCS #8 of P-256 or Ed25519)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Whom it is for (sub)
    #[arg(long, value_name = "ID")]
    user: String,
    /// For how long it is good (exp)
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    expires_in: Duration,
    /// What they may do: names separated by spaces (scope)
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Who issues it (iss)
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// What it is for (aud)
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Another claim, such as the one that names the tenant; as often as is needed
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, String)>,
    /// The key's name in a JWKS (kid)
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key's file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The key cannot sign.
    #[error("{0} holds no key that can sign: {1}")]
    Key(PathBuf, jsonwebtoken::errors::Error),
    /// It holds a set of keys, which is for those who verify.
    #[error("{0} holds a JWKS: an HMAC secret or a PEM private key is wanted")]
    Set(PathBuf),
}

fn claim(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Makes a token.
pub fn make(options: &Options, now: Time) -> Result<String, Error> {
    let file = std::fs::read(&options.key);
    let file = file.map_err(|error| Error::File(options.key.clone(), error))?;
    if file.trim_ascii_start().starts_with(b"{") {
        return Err(Error::Set(options.key.clone()));
    }
    let unusable = |error| Error::Key(options.key.clone(), error);
    let (algorithm, key) = signer(&file).map_err(unusable)?;

    let seconds = now.0 / 1_000_000;
    let life = i64::try_from(options.expires_in.as_secs()).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    claims.insert("sub".into(), options.user.clone().into());
    claims.insert("iat".into(), seconds.into());
    claims.insert("exp".into(), seconds.saturating_add(life).into());
    for (name, value) in [
        ("scope", &options.scope),
        ("iss", &options.issuer),
        ("aud", &options.audience),
    ] {
        if let Some(value) = value {
            claims.insert(name.into(), value.clone().into());
        }
    }
    for (name, value) in &options.claim {
        claims.insert(name.clone(), Value::from(value.clone()));
    }
    let header = Header {
        kid: options.key_id.clone(),
        ..Header::new(algorithm)
    };
    jsonwebtoken::encode(&header, &claims, &key).map_err(unusable)
}

fn signer(file: &[u8]) -> jsonwebtoken::errors::Result<(Algorithm, EncodingKey)> {
    let text = std::str::from_utf8(file).unwrap_or_default();
    if !text.contains("-----BEGIN") {
        // The server leaves out the end of the last line as well.
        let secret = file.strip_suffix(b"\n").unwrap_or(file);
        let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
        return Ok((Algorithm::HS256, EncodingKey::from_secret(secret)));
    }
    if let Ok(key) = EncodingKey::from_rsa_pem(file) {
        return Ok((Algorithm::RS256, key));
    }
    match EncodingKey::from_ec_pem(file) {
        Ok(key) => Ok((Algorithm::ES256, key)),
        Err(_) => Ok((Algorithm::EdDSA, EncodingKey::from_ed_pem(file)?)),
    }
}
