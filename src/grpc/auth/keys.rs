//! The keys that tokens are verified by, from a file of one of three kinds.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};
use serde::Deserialize;
use serde_json::Value;

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Shorter secrets can be found by trying (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// What the operator is told of one.
pub const SHORT_SECRET: &str = "an HMAC secret is shorter than 32 bytes, and may be guessed";

/// What is signed with by this name; `none`, and what else nobody should sign with, has none here.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        // As it is called since RFC 9864.
        "Ed25519" => Some(Algorithm::EdDSA),
        _ => name.parse().ok(),
    }
}

/// Whether a key file's content has to be kept from everybody: an HMAC secret, which is what is neither a JWKS
/// nor PEM, or a JWKS with one.
pub fn holds_secret(bytes: &[u8]) -> bool {
    Keys::read(bytes).is_ok_and(|keys| keys.secrets().next().is_some())
}

/// Whether a key file's content holds an HMAC secret that may be guessed.
pub fn holds_short_secret(bytes: &[u8]) -> bool {
    Keys::read(bytes).is_ok_and(|keys| keys.hold_short_secret())
}

/// The keys of a file.
pub(super) struct Keys {
    kind: Kind,
    all: Vec<Key>,
}

/// What a key file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Set,
    Pem,
    /// Whatever is neither of the others.
    Secret,
}

/// A key, and what may be signed with it: the key says so, never a token.
struct Key {
    /// Its name, in a set of keys; none: whatever name a token gives may mean it.
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    verifier: DecodingKey,
    /// How many bytes it has, where it is a secret.
    secret_bytes: Option<usize>,
}

impl Keys {
    /// Reads a JWKS, a PEM public key, or else an HMAC secret.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        // Some editors put a mark before a text.
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('{') {
            return Self::of_set(text);
        }
        let (kind, algorithms, verifier, secret_bytes) = if text.contains("-----BEGIN") {
            let (algorithms, verifier) = pem(text)?;
            (Kind::Pem, algorithms, verifier, None)
        } else {
            let secret = secret(bytes, text)?;
            let verifier = DecodingKey::from_secret(secret);
            (Kind::Secret, HMAC.to_vec(), verifier, Some(secret.len()))
        };
        let key = Key {
            id: None,
            algorithms,
            verifier,
            secret_bytes,
        };
        Ok(Self {
            kind,
            all: vec![key],
        })
    }

    /// Reads what a file has been changed to. What held public keys and holds something else now is not taken
    /// for a secret: it may be an error's page that was stored in their place, which anybody can sign with.
    pub(super) fn read_anew(&self, bytes: &[u8]) -> Result<Self, String> {
        let keys = Self::read(bytes)?;
        if keys.kind == Kind::Secret && self.kind != Kind::Secret {
            return Err("holds neither a JWKS nor a PEM public key any more".to_owned());
        }
        Ok(keys)
    }

    /// RFC 7517. Keys that cannot be used are left out, since a set may be for others, too.
    fn of_set(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_str(text)
            .map_err(|error| format!("is neither a set of keys (JWKS) nor a secret: {error}"))?;
        let keys: Vec<Key> = set.keys.into_iter().filter_map(key_of_set).collect();
        if keys.is_empty() {
            return Err("holds no key that tokens can be verified by".to_owned());
        }
        Ok(Self {
            kind: Kind::Set,
            all: keys,
        })
    }

    pub(super) fn hold_short_secret(&self) -> bool {
        self.secrets().any(|length| length < SECRET_BYTES)
    }

    /// How long the secrets among them are, in bytes.
    fn secrets(&self) -> impl Iterator<Item = usize> {
        self.all.iter().filter_map(|key| key.secret_bytes)
    }

    /// The keys that may have signed a token.
    pub(super) fn candidates<'a>(
        &'a self,
        algorithm: Algorithm,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a DecodingKey> {
        let keys = self.all.iter().filter(move |key| {
            let named = key.id.is_none() || id.is_none() || key.id.as_deref() == id;
            named && key.algorithms.contains(&algorithm)
        });
        keys.map(|key| &key.verifier)
    }
}

/// A secret without the line's end that editors put behind it.
fn secret<'a>(bytes: &'a [u8], text: &str) -> Result<&'a [u8], String> {
    if let Some(other) = no_secret(bytes, text) {
        return Err(format!("holds {other}: a JWKS, PEM or a secret is wanted"));
    }
    let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.trim_ascii().is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(secret)
}

/// What a file is that somebody may have taken for a key: anybody who knows it could sign, were it a secret.
fn no_secret(bytes: &[u8], text: &str) -> Option<&'static str> {
    let begins = |marks: &[&str]| marks.iter().any(|mark| text.starts_with(mark));
    let holds = |marks: &[&str]| {
        let holds = |mark: &&str| {
            bytes
                .windows(mark.len())
                .any(|part| part == mark.as_bytes())
        };
        marks.iter().any(holds)
    };
    if text == "null" {
        Some("JSON's null")
    } else if serde_json::from_str::<Vec<Value>>(text).is_ok() {
        Some("a list, not a set of keys")
    } else if begins(&["<"]) {
        Some("a page of HTML or XML")
    } else if begins(&["http://", "https://", "HTTP/"]) {
        Some("where keys are, or an answer of HTTP, and not the keys alone")
    } else if begins(&["ssh-", "ecdsa-sha2-"]) {
        Some("a key of SSH")
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        Some("something compressed")
    } else if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        Some("text in UTF-16")
    } else if holds(&["\"keys\"", "\"kty\"", "\\\"keys\\\"", "-----BEGIN"]) {
        Some("keys amid something else, or in another encoding than UTF-8")
    } else if holds(&["BEGIN "]) && holds(&[" KEY"]) {
        Some("something like PEM, without its dashes")
    } else if is_der(bytes.trim_ascii()) {
        Some("a key in DER")
    } else {
        is_der_in_base64(text).then_some("the inside of PEM, without the lines around it")
    }
}

/// Whether a text is a public key as it stands in PEM, or in a certificate's settings.
fn is_der_in_base64(text: &str) -> bool {
    let text: String = text.split_ascii_whitespace().collect();
    let text = text.trim_end_matches('=');
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .any(|engine| engine.decode(text).is_ok_and(|bytes| is_der(&bytes)))
}

/// Whether the bytes are one sequence, which begins with another one or a number: a public key in DER.
fn is_der(bytes: &[u8]) -> bool {
    let (length, inside) = match *bytes {
        [0x30, 0x82, high, low, first, ..] => {
            (4 + usize::from(high) * 256 + usize::from(low), first)
        }
        [0x30, 0x81, length, first, ..] => (3 + usize::from(length), first),
        [0x30, length, first, ..] => (2 + usize::from(length), first),
        _ => return false,
    };
    bytes.len() == length && matches!(inside, 0x30 | 0x02)
}

fn pem(text: &str) -> Result<(Vec<Algorithm>, DecodingKey), String> {
    if text.contains("PRIVATE KEY") {
        return Err("holds a private key; the service wants the public one".to_owned());
    }
    if text.matches("-----BEGIN").count() > 1 {
        return Err("holds several keys, which only a JWKS can".to_owned());
    }
    let pem = text.as_bytes();
    if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
        return Ok((RSA.to_vec(), key));
    }
    if let Ok(key) = DecodingKey::from_ec_pem(pem) {
        let algorithm = curve(text).ok_or("is of a curve that is neither P-256 nor P-384")?;
        return Ok((vec![algorithm], key));
    }
    let key = DecodingKey::from_ed_pem(pem);
    let key = key.map_err(|_| "is no PEM public key of RSA, EC or Ed25519".to_owned())?;
    Ok((vec![Algorithm::EdDSA], key))
}

/// What an EC key signs with: its curve's name stands in it (RFC 5480, section 2.1.1.1).
fn curve(pem: &str) -> Option<Algorithm> {
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD
        .decode(lines.map(str::trim).collect::<String>())
        .ok()?;
    let holds = |name: &[u8]| der.windows(name.len()).any(|bytes| bytes == name);
    match (holds(P256), holds(P384)) {
        (true, _) => Some(Algorithm::ES256),
        (_, true) => Some(Algorithm::ES384),
        _ => None,
    }
}

fn key_of_set(value: Value) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let operations = value.get("key_ops").and_then(Value::as_array);
    if operations.is_some_and(|operations| !operations.iter().any(|one| one == "verify")) {
        return None;
    }
    let of_kind = match (text("kty")?, text("crv")) {
        ("RSA", _) => RSA.to_vec(),
        ("EC", Some("P-256")) => vec![Algorithm::ES256],
        ("EC", Some("P-384")) => vec![Algorithm::ES384],
        ("OKP", Some("Ed25519")) => vec![Algorithm::EdDSA],
        ("oct", _) => HMAC.to_vec(),
        _ => return None,
    };
    let algorithms = match text("alg") {
        None => of_kind,
        Some(name) => {
            let algorithm = algorithm(name)?;
            of_kind.contains(&algorithm).then_some(vec![algorithm])?
        }
    };
    let (id, is_secret) = (text("kid").map(str::to_owned), text("kty") == Some("oct"));
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let verifier = DecodingKey::from_jwk(&jwk).ok()?;
    let secret_bytes = if is_secret {
        Some(verifier.try_get_as_bytes().ok()?.len())
    } else {
        None
    };
    if secret_bytes == Some(0) {
        return None;
    }
    Some(Key {
        id,
        algorithms,
        verifier,
        secret_bytes,
    })
}
