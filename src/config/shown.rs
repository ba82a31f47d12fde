//! `letterbox config`: the settings that hold, in the form of a settings file.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use http::HeaderValue;
use toml::Value;

use super::{
    clients,
    given::Given,
    settings::{Auth, LogFormat},
};
use crate::model::TenantId;

/// A setting that holds.
pub(super) struct Holding {
    pub(super) name: String,
    /// None: it is not set, and has no default.
    pub(super) value: Option<Value>,
    /// What it was given by; none: it is the default.
    pub(super) place: Option<String>,
}

/// What can be a setting's value.
pub(super) trait Shown {
    /// As a file would have it; none: not set.
    fn shown(&self) -> Option<Value>;
}

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

macro_rules! shown {
    ($($type:ty: |$value:ident| $shown:expr;)*) => {
        $(impl Shown for $type {
            fn shown(&self) -> Option<Value> {
                let $value = self;
                Some(Value::from($shown))
            }
        })*
    };
}

shown! {
    String: |text| text.clone();
    SocketAddr: |address| address.to_string();
    PathBuf: |path| path.display().to_string();
    TenantId: |tenant| tenant.as_str();
    bool: |switch| *switch;
    f64: |number| *number;
    Duration: |time| humantime::format_duration(*time).to_string();
    usize: |number| i64::try_from(*number).unwrap_or(i64::MAX);
    NonZeroUsize: |number| i64::try_from(number.get()).unwrap_or(i64::MAX);
    NonZeroU32: |number| i64::from(number.get());
    Auth: |mode| match mode {
        Auth::TrustedHeader => "trusted-header",
        Auth::Jwt => "jwt",
    };
    LogFormat: |format| match format {
        LogFormat::Auto => "auto",
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> Option<Value> {
        self.as_ref().and_then(Shown::shown)
    }
}

impl Shown for Vec<HeaderValue> {
    fn shown(&self) -> Option<Value> {
        let texts = self.iter().filter_map(|value| value.to_str().ok());
        let texts: Vec<&str> = texts.collect();
        (!texts.is_empty()).then(|| Value::from(texts.join(",")))
    }
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
