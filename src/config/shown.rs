//! `letterbox config`: the settings that hold, in the form of a settings file.

use std::collections::BTreeMap;

use toml::Value;

use super::{
    clients,
    given::{Given, Holding},
};

/// The settings as a file, each with where it comes from.
pub(super) fn file(given: &Given) -> String {
    let mut file: String = given.holding().iter().map(line).collect();
    if !given.clients.is_empty() {
        // Only a file can give them. A table stands behind everything that is in none.
        let table = BTreeMap::from([(clients::NAME, &given.clients)]);
        let table = toml::to_string(&table);
        file += &table.unwrap_or_else(|error| unreachable!("a table is TOML: {error}"));
    }
    file
}

fn line(Holding { name, value, place }: &Holding) -> String {
    let given = place.as_deref().map(|place| format!("given by {place}"));
    let place = given.as_deref().unwrap_or("default");
    match value {
        Some(Value::String(text)) => {
            let text = Value::String(without_password(text));
            format!("{name} = {text} # {place}\n")
        }
        Some(value) => format!("{name} = {value} # {place}\n"),
        None => format!("# {name} is not set\n"),
    }
}

/// A URL whose password is hidden; any other text as it is.
fn without_password(text: &str) -> String {
    const HIDDEN: &str = "***";
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // An address has no `@`, and a password may have one.
    let rest = match rest.rsplit_once('@') {
        Some((user, address)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{HIDDEN}@{address}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let parameters = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                format!("{name}={HIDDEN}")
            }
            _ => parameter.to_owned(),
        });
    let parameters: Vec<String> = parameters.collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{rest}{mark}{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_not_shown() {
        let check = |text: &str, shown: &str| assert_eq!(without_password(text), shown);
        check("sqlite://letterbox.db", "sqlite://letterbox.db");
        check("postgres://ana@host/name", "postgres://ana@host/name");
        check(
            "postgres://ana:se:c@ret@host:5432/name?sslmode=require",
            "postgres://ana:***@host:5432/name?sslmode=require",
        );
        check(
            "postgres://host/name?user=ana&password=secret",
            "postgres://host/name?user=ana&password=***",
        );
        check("info", "info");
    }
}
