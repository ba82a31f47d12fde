//! What an operator should look at.

use std::{os::unix::fs::MetadataExt, path::Path};

use crate::{
    config::{Auth, Settings},
    grpc::{SHORT_SECRET, holds_secret, holds_short_secret},
    store::Store,
};

/// What may be a mistake, and is no reason not to start.
pub(super) fn concerns(settings: &Settings, store: &dyn Store) -> Vec<String> {
    let mut concerns: Vec<String> = store.concern().into_iter().collect();
    if settings.auth == Auth::TrustedHeader && settings.jwt_key.is_some() {
        concerns.push("jwt-key is given, but no token is looked at: auth is trusted-header".into());
    }
    if let Some(path) = &settings.jwt_key
        && std::fs::read(path).is_ok_and(|bytes| holds_short_secret(&bytes))
    {
        concerns.push(format!("jwt-key: {SHORT_SECRET}"));
    }
    let keys = [
        ("jwt-key", &settings.jwt_key),
        ("tls-key", &settings.tls_key),
    ];
    for (name, path) in keys {
        if let Some(path) = path
            && is_secret(name, path)
            && is_open_to_all(path)
        {
            let path = path.display();
            concerns.push(format!(
                "{name}: everybody can read {path}, a secret: chmod o-r"
            ));
        }
    }
    concerns
}

/// A certificate's key always is, what verifies tokens only if it signs them, too.
fn is_secret(name: &str, path: &Path) -> bool {
    name == "tls-key" || std::fs::read(path).is_ok_and(|bytes| holds_secret(&bytes))
}

fn is_open_to_all(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.mode() & 0o004 != 0)
}
