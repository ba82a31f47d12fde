//! Who is known by a certificate: a table of the TOML file, which no flag could hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SettingError;
use crate::model::{TenantId, UserId};

/// Services, by a name that their certificates are for.
pub type Clients = BTreeMap<String, Client>;

/// A service that is known by its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// What it may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The tenant that it belongs to.
    pub tenant: Option<String>,
}

/// The setting's name.
pub(super) const NAME: &str = "clients";

/// The scopes that there are.
const SCOPES: &[&str] = &["letterbox.watch-all", "letterbox.admin", "letterbox.act-as"];

/// Reads the table, which stands in this file.
pub(super) fn read(table: toml::Value, file: &str) -> Result<Clients, SettingError> {
    let table: BTreeMap<String, Client> = table.try_into().map_err(|error: toml::de::Error| {
        SettingError(format!("{file}: {NAME}: {}", error.message()))
    })?;
    let mut clients = Clients::new();
    for (name, client) in table {
        // Names of hosts are the same in either case; URIs are not.
        let name = if name.contains(':') {
            name
        } else {
            name.to_ascii_lowercase()
        };
        if clients.insert(name.clone(), client).is_some() {
            let problem = format!("{file}: {NAME}: `{name}` is named twice");
            return Err(SettingError(problem));
        }
    }
    Ok(clients)
}

/// Checks what services are known by.
pub(super) fn check(clients: &Clients) -> Result<(), SettingError> {
    for (name, client) in clients {
        check_one(name, client).map_err(|problem| SettingError::of(NAME, &problem))?;
    }
    Ok(())
}

fn check_one(name: &str, client: &Client) -> Result<(), String> {
    if UserId::parse(name).is_none() {
        return Err(format!("`{name}` is no user id: {}", UserId::RULE));
    }
    for scope in &client.scopes {
        if !SCOPES.contains(&scope.as_str()) {
            return Err(format!(
                "`{name}`: `{scope}` is none of the scopes {}",
                SCOPES.join(", ")
            ));
        }
    }
    match &client.tenant {
        Some(tenant) if TenantId::parse(tenant).is_none() => {
            Err(format!("`{name}`: `{tenant}` is no name of a tenant"))
        }
        _ => Ok(()),
    }
}
