//! JWTs: a header and claims, signed by the key of the deployment; or a whole token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use prost::Message as _;
use serde_json::Value;
use sha2::Sha256;

use super::{Target, judged};
use crate::{
    support::{RawClient, prelude::*},
    tokens::{Deployment, SECRET},
};

/// A server that takes tokens signed by [`SECRET`], of a tenant.
pub(super) struct Jwts {
    _deployment: Deployment,
    client: RawClient,
}

impl Target for Jwts {
    const NAME: &'static str = "jwts";

    const WORDS: &'static [&'static str] = &[
        "\"alg\":\"none\"",
        "\"HS256\"",
        "\"HS512\"",
        "\"RS256\"",
        "\"exp\":9999999999",
        "\"exp\":1e300",
        "\"exp\":-1",
        "\"nbf\":1.5",
        "\"iat\":9223372036854775808",
        "\"sub\":\"ana\"",
        "\"sub\":\"letterbox:x\"",
        "\"aud\":[]",
        "\"org\":\"shop\"",
        "\"scope\":\"letterbox.act-as\"",
        "\"given_name\":\"\\u0000\"",
        "\"email\":null",
        "\\ud800",
        "null",
        "[[[[",
        ".",
        "\n",
    ];

    async fn start(database: Database) -> Self {
        let deployment = Deployment::with(database, SECRET, |settings| {
            settings.jwt_audience = Some("letterbox".into());
            settings.jwt_tenant_claim = Some("org".into());
        });
        let deployment = deployment.await;
        Self {
            client: RawClient::connect(&deployment.server).await,
            _deployment: deployment,
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let signed = signed(HEADER.as_bytes(), CLAIMS.as_bytes());
        vec![format!("{HEADER}\n{CLAIMS}").into(), signed.into()]
    }

    async fn attempt(&self, input: &[u8]) -> Result<String, String> {
        let mut halves = input.splitn(2, |byte| *byte == b'\n');
        let header = halves.next().unwrap_or_default();
        let (token, claims) = match halves.next() {
            Some(claims) => (signed(header, claims), claims),
            None => (String::from_utf8_lossy(header).into_owned(), &[][..]),
        };
        let Ok(value) = format!("Bearer {token}").parse() else {
            return Ok("no header's value".into());
        };
        let mut headers = HeaderMap::new();
        headers.insert("authorization", value);
        let call = "letterbox.v1.MessagingService/GetInboxSummary";
        let answer = self.client.call(call, headers, b"").await;
        let kind = format!("{} {}", judged(&answer.status)?, shape(claims));
        match answer.status.code() {
            Code::Unauthenticated | Code::ResourceExhausted => Ok(kind),
            Code::Ok if token == signed(HEADER.as_bytes(), CLAIMS.as_bytes()) => Ok(kind),
            Code::Ok => {
                let summary = GetInboxSummaryResponse::decode(&answer.body[5..]);
                let user = summary.ok().and_then(|summary| summary.user);
                says_all(header, claims, &user.unwrap_or_default().id)?;
                Ok(kind)
            }
            _ => Err(format!("{:?}", answer.status)),
        }
    }
}

const HEADER: &str = r#"{"alg":"HS256"}"#;
const CLAIMS: &str = r#"{"sub":"ana","exp":9999999999,"aud":"letterbox","org":"shop","scope":"letterbox.act-as","given_name":"Ana","email":"ana@example.org","iat":1700000000}"#;

/// A token of this very header and these claims, signed with HMAC over SHA-256 (RFC 7515).
fn signed(header: &[u8], claims: &[u8]) -> String {
    let body = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("a key");
    mac.update(body.as_bytes());
    format!(
        "{body}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

/// Of what types the claims are that are looked at: an answer does not tell by itself how far the
/// server has read.
fn shape(claims: &[u8]) -> String {
    let claims = serde_json::from_slice::<Value>(claims).unwrap_or_default();
    let names = [
        "sub",
        "exp",
        "nbf",
        "aud",
        "org",
        "scope",
        "given_name",
        "email",
        "iat",
    ];
    let types = names.map(|name| match &claims[name] {
        Value::Null => '-',
        Value::Bool(_) => 'b',
        Value::Number(_) => 'n',
        Value::String(_) => 's',
        Value::Array(_) => 'a',
        Value::Object(_) => 'o',
    });
    types.iter().collect()
}

/// Checks that a token which was taken says what it has to, with another reader's eyes.
fn says_all(header: &[u8], claims: &[u8], user: &str) -> Result<(), String> {
    let parse = |bytes| serde_json::from_slice::<Value>(bytes);
    let (Ok(header), Ok(claims)) = (parse(header), parse(claims)) else {
        return Err("a token without JSON was taken".into());
    };
    let for_us = match &claims["aud"] {
        Value::Array(all) => all.contains(&"letterbox".into()),
        one => one == "letterbox",
    };
    let in_tenant = claims["org"].is_string()
        || claims.get("org").is_none()
            && claims["scope"]
                .as_str()
                .is_some_and(|scopes| scopes.contains("letterbox.act-as"));
    let checks = [
        (header["alg"] == "HS256", "another algorithm"),
        (claims["sub"] == user, "another user"),
        (
            claims["exp"].as_f64().is_some_and(|exp| exp > 1.7e9),
            "no time",
        ),
        (
            claims.get("nbf").is_none_or(Value::is_number),
            "no beginning",
        ),
        (for_us, "another audience"),
        (in_tenant, "no tenant"),
    ];
    match checks.iter().find(|(good, _)| !good) {
        Some((_, amiss)) => Err(format!("a token was taken with {amiss}: {claims}")),
        None => Ok(()),
    }
}
