//! Who issues tokens in the tests: keys as an operator has them, and tokens of all kinds.

use std::path::{Path, PathBuf};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use letterbox::config::Auth;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::prelude::*;

/// An HMAC secret.
pub(crate) const SECRET: &[u8] = b"a secret that is known to nobody";

/// The scopes of a service that may act for users.
pub(crate) const ACT_AS: &str = "letterbox.act-as";

/// What is in one of the key files.
pub(crate) fn key_file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tokens/keys");
    std::fs::read(folder.join(name)).expect("a key of the tests")
}

/// An RSA key of a set.
pub(crate) fn jwk(name: &str) -> Value {
    let modulus = String::from_utf8(key_file(&format!("rsa-{name}.n"))).expect("a text");
    json!({"kty": "RSA", "kid": name, "use": "sig", "n": modulus.trim(), "e": "AQAB"})
}

/// A set of keys, as a file.
pub(crate) fn set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// What signs tokens.
pub(crate) fn rsa(name: &str) -> EncodingKey {
    let pem = key_file(&format!("rsa-{name}.pem"));
    EncodingKey::from_rsa_pem(&pem).expect("a private key")
}

/// Seconds since 1970, so far from now.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens are made for the system's clock"
)]
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_secs()).expect("a time") + seconds
}

/// Claims of this user, good for an hour, and these besides.
pub(crate) fn claims(user: &str, more: Value) -> Value {
    let mut claims = json!({"sub": user, "exp": in_seconds(3_600), "iat": in_seconds(0)});
    let Value::Object(more) = more else {
        panic!("claims are an object: {more}");
    };
    for (name, value) in more {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(&name);
        } else {
            claims[name] = value;
        }
    }
    claims
}

/// A token signed by the secret.
pub(crate) fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET);
    encode(&Header::default(), claims, &key).expect("a token")
}

/// A token signed otherwise.
pub(crate) fn signed(
    algorithm: Algorithm,
    key_id: Option<&str>,
    key: &EncodingKey,
    claims: &Value,
) -> String {
    let header = Header {
        kid: key_id.map(str::to_owned),
        ..Header::new(algorithm)
    };
    encode(&header, claims, key).expect("a token")
}

/// A server that verifies tokens by a key file.
pub(crate) struct Deployment {
    pub(crate) server: TestServer,
    folder: TempDir,
}

impl Deployment {
    pub(crate) async fn with_key(database: Database, key: &[u8]) -> Self {
        Self::with(database, key, |_| ()).await
    }

    pub(crate) async fn with(
        database: Database,
        key: &[u8],
        change: impl FnOnce(&mut letterbox::config::Settings),
    ) -> Self {
        let folder = TempDir::new().expect("a folder for the key");
        let path = folder.path().join("key");
        std::fs::write(&path, key).expect("the key is written");
        let setup = TestServer::setup().settings(|settings| {
            settings.auth = Auth::Jwt;
            settings.jwt_key = Some(path);
            change(settings);
        });
        Self {
            server: setup.start(database).await,
            folder,
        }
    }

    /// Replaces the key file, as tools do that never leave half of one.
    pub(crate) fn replace_key(&self, key: &[u8]) {
        let path: PathBuf = self.folder.path().join("next");
        std::fs::write(&path, key).expect("the key is written");
        std::fs::rename(path, self.folder.path().join("key")).expect("the key is replaced");
    }

    /// Waits until the key file has been read again so often with this outcome: `ok`, or `failed`.
    pub(crate) async fn rereads(&self, outcome: &str, count: i64) {
        let rereads = format!("letterbox_rereads_total{{file=\"jwt_key\",outcome=\"{outcome}\"}}");
        eventually(&rereads, async || {
            let scrape = self.server.scrape().await;
            (scrape.count(&rereads) == count).then_some(())
        })
        .await;
    }

    /// Whoever holds this token.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        let value = format!("Bearer {token}");
        self.server.anonymous().with("authorization", &value)
    }

    /// This user, with a token of theirs.
    pub(crate) fn user(&self, user: &str) -> Client {
        self.bearer(&token(&claims(user, json!({}))))
    }

    /// This service, with these scopes.
    pub(crate) fn service(&self, scope: &str) -> Client {
        self.bearer(&token(&claims("robot", json!({"scope": scope}))))
    }
}

/// Who the service takes a caller for.
pub(crate) async fn name_of(client: &Client) -> String {
    client.summary().await.user.expect("the caller").id
}

/// Checks that a caller is turned away for this reason.
pub(crate) async fn assert_turned_away(client: &Client, code: Code, reason: &str) {
    let refused = client.get_inbox_summary(GetInboxSummaryRequest {}).await;
    assert_refused(refused, code, reason);
}
