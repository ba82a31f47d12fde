//! Values of settings: as they are written, and as they are shown.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use http::{HeaderValue, Uri};
use toml::Value;

use crate::model::TenantId;

pub(super) const KIB: usize = 1024;
pub(super) const MIB: usize = 1024 * KIB;

/// The longest time that a setting can be; what is longer is a mistake.
const TIME_MAX: Duration = Duration::from_hours(100 * 366 * 24);

/// An address to listen on; a name is looked up.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let resolved = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    resolved.ok_or_else(|| format!("`{text}` is not an address such as 127.0.0.1:50051"))
}

/// Where an HTTP service is.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let url: Option<Uri> = text.parse().ok();
    let usable = url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
    });
    let problem = || "is not a URL such as http://127.0.0.1:4317".to_owned();
    usable.then(|| text.to_owned()).ok_or_else(problem)
}

/// A share of something.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    let ratio: Option<f64> = text.parse().ok();
    ratio
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| format!("`{text}` is not a number from 0 to 1"))
}

/// Origins, separated by commas.
pub(super) fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    text.split(',').map(str::trim).map(origin).collect()
}

/// An origin in the very form that a browser sends, since that is compared byte for byte.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let as_sent = || {
        let uri: Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let default_port = match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        };
        let plain = !authority.as_str().contains('@')
            && !text.bytes().any(|byte| byte.is_ascii_uppercase())
            && (authority.port_u16().is_none() || authority.port_u16() != default_port);
        (plain && text == format!("{scheme}://{authority}")).then(|| text.parse().ok())?
    };
    as_sent().ok_or_else(|| {
        format!("`{text}` is not an origin as browsers send it, such as https://app.example")
    })
}

/// On or off.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// The name of a tenant.
pub(super) fn tenant(text: &str) -> Result<Option<TenantId>, String> {
    let tenant = TenantId::parse(text).map(Some);
    tenant.ok_or_else(|| {
        format!("`{text}` is no tenant: 1 to 63 of a-z, 0-9 and `-`, beginning with a letter")
    })
}

/// A number of something, of which there has to be one at least.
pub(super) fn count<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a number from 1"))
}

/// The same, or `off`.
pub(super) fn optional<T: std::str::FromStr>(text: &str) -> Result<Option<T>, String> {
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("`{text}` is neither a number from 1 nor off"))
}

/// A number of bytes, such as 65536, 64KiB or 4MiB.
pub(super) fn bytes(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let (digits, unit) = match text.strip_suffix("KiB") {
        Some(digits) => (digits, KIB),
        None => match text.strip_suffix("MiB") {
            Some(digits) => (digits, MIB),
            None => (text, 1),
        },
    };
    let number: Option<usize> = digits.trim_end().parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|bytes| (least..=most).contains(bytes))
        .ok_or_else(|| {
            format!(
                "`{text}` is not a number of bytes from {} to {}",
                written(least),
                written(most)
            )
        })
}

/// Bytes as they are best written.
fn written(bytes: usize) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(MIB) => format!("{}MiB", bytes / MIB),
        bytes if bytes.is_multiple_of(KIB) => format!("{}KiB", bytes / KIB),
        bytes => bytes.to_string(),
    }
}

/// A time, such as 30s or 7d.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(duration) if duration > TIME_MAX => Err("must be at most 100 years".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err(format!("`{text}` is not a time such as 30s, 5m or 7d")),
    }
}

/// What can be a setting's value.
pub(super) trait Shown {
    /// As a file would have it; none: not set.
    fn shown(&self) -> Option<Value>;
}

/// How values of these types are shown.
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
