//! What the settings mean.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use http::HeaderValue;
use toml::Value;

use super::{
    Clients, Limits, SettingError, clients,
    given::Given,
    values::{Shown, address, duration, endpoint, origins, ratio, switch, tenant},
};
use crate::{model::TenantId, store::Address};

/// What the options mean.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where everything is kept: `sqlite://FILE` or `postgres://…`.
    pub database_url: String,
    /// How callers are told apart.
    pub auth: Auth,
    /// A file with an HMAC secret, a PEM public key or a JWKS.
    pub jwt_key: Option<PathBuf>,
    /// Who must have issued a token; none: not checked.
    pub jwt_issuer: Option<String>,
    /// Whom a token must be for; none: not checked.
    pub jwt_audience: Option<String>,
    /// The claim that names a token's tenant; none: every token belongs to `default`.
    pub jwt_tenant_claim: Option<String>,
    /// The server's certificate; none: plain text.
    pub tls_cert: Option<PathBuf>,
    /// Its private key.
    pub tls_key: Option<PathBuf>,
    /// Who must have signed a client's certificate; none: clients need none.
    pub tls_client_ca: Option<PathBuf>,
    /// Pages in browsers can call, over gRPC-Web.
    pub grpc_web: bool,
    /// Whose pages can call: origins, as browsers name them (RFC 6454).
    pub grpc_web_origins: Vec<HeaderValue>,
    /// Services that are known by their certificates; none: nobody is.
    pub clients: Clients,
    /// The operator vouches for the network.
    pub trust_network: bool,
    /// A call that names no tenant is refused.
    pub require_tenant: bool,
    /// Only users can be written to who have made a call, or whom an admin has added.
    pub known_users_only: bool,
    /// A thread lies in its starter's inbox at once.
    pub show_started_threads: bool,
    /// Nobody sees another participant's e-mail address.
    pub hide_email_addresses: bool,
    /// The tenant whose admins see how much every tenant holds; none: nobody does.
    pub operator_tenant: Option<TenantId>,
    /// A watcher hears at least this often.
    pub heartbeat_interval: Duration,
    /// A watcher who takes nothing for this long is cut off.
    pub watch_stall_timeout: Duration,
    /// How long events are kept.
    pub event_retention: Duration,
    /// How long a shutdown may take.
    pub drain_timeout: Duration,
    /// Where metrics are scraped; none: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces go; none: nowhere.
    pub otlp_endpoint: Option<String>,
    /// Which share of the calls is traced, from 0 to 1, of those whose callers have not settled that.
    pub otlp_sampling: f64,
    /// How much of everything there may be.
    pub limits: Limits,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
}

/// How callers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By headers that a mesh or gateway sets.
    TrustedHeader,
    /// By bearer tokens.
    Jwt,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text to a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// An object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50_051)),
            database_url: "sqlite://letterbox.db".to_owned(),
            auth: Auth::TrustedHeader,
            jwt_key: None,
            jwt_issuer: None,
            jwt_audience: None,
            jwt_tenant_claim: None,
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
            grpc_web: false,
            grpc_web_origins: Vec::new(),
            clients: Clients::new(),
            trust_network: false,
            require_tenant: false,
            known_users_only: false,
            show_started_threads: false,
            hide_email_addresses: false,
            operator_tenant: None,
            heartbeat_interval: Duration::from_secs(30),
            watch_stall_timeout: Duration::from_mins(5),
            event_retention: Duration::from_hours(7 * 24),
            drain_timeout: Duration::from_secs(10),
            metrics_listen: None,
            otlp_endpoint: None,
            otlp_sampling: 1.0,
            limits: Limits::default(),
            log: "info".to_owned(),
            log_format: LogFormat::Auto,
        }
    }
}

impl Settings {
    /// Their names, as flags and in the file; not those of the limits.
    pub(super) const NAMES: &[&str] = &[
        "listen",
        "database-url",
        "auth",
        "jwt-key",
        "jwt-issuer",
        "jwt-audience",
        "jwt-tenant-claim",
        "tls-cert",
        "tls-key",
        "tls-client-ca",
        "grpc-web",
        "grpc-web-origins",
        "trust-network",
        "require-tenant",
        "known-users-only",
        "show-started-threads",
        "hide-email-addresses",
        "operator-tenant",
        "heartbeat-interval",
        "watch-stall-timeout",
        "event-retention",
        "drain-timeout",
        "metrics-listen",
        "otlp-endpoint",
        "otlp-sampling",
        "log",
        "log-format",
    ];

    pub(super) fn from_given(given: &mut Given) -> Result<Self, SettingError> {
        let mut settings = Self::default();
        given.read("listen", &mut settings.listen, address)?;
        given.read("database-url", &mut settings.database_url, |url| {
            url.parse::<Address>().map(|_| url.to_owned())
        })?;
        given.read("auth", &mut settings.auth, |mode| match mode {
            "trusted-header" => Ok(Auth::TrustedHeader),
            "jwt" => Ok(Auth::Jwt),
            other => Err(format!("`{other}` is neither trusted-header nor jwt")),
        })?;
        let some = |text: &str| match text {
            "" => Err("must not be empty".to_owned()),
            text => Ok(Some(text.to_owned())),
        };
        let file = |path: &str| Ok(some(path)?.map(PathBuf::from));
        given.read("jwt-key", &mut settings.jwt_key, file)?;
        given.read("tls-cert", &mut settings.tls_cert, file)?;
        given.read("tls-key", &mut settings.tls_key, file)?;
        given.read("tls-client-ca", &mut settings.tls_client_ca, file)?;
        settings.clients.clone_from(&given.clients);
        given.read("jwt-issuer", &mut settings.jwt_issuer, some)?;
        given.read("jwt-audience", &mut settings.jwt_audience, some)?;
        given.read("jwt-tenant-claim", &mut settings.jwt_tenant_claim, some)?;
        given.read("grpc-web", &mut settings.grpc_web, switch)?;
        given.read("grpc-web-origins", &mut settings.grpc_web_origins, origins)?;
        given.read("trust-network", &mut settings.trust_network, switch)?;
        given.read("require-tenant", &mut settings.require_tenant, switch)?;
        given.read("known-users-only", &mut settings.known_users_only, switch)?;
        given.read(
            "show-started-threads",
            &mut settings.show_started_threads,
            switch,
        )?;
        given.read(
            "hide-email-addresses",
            &mut settings.hide_email_addresses,
            switch,
        )?;
        given.read("operator-tenant", &mut settings.operator_tenant, tenant)?;
        given.read(
            "heartbeat-interval",
            &mut settings.heartbeat_interval,
            duration,
        )?;
        given.read(
            "watch-stall-timeout",
            &mut settings.watch_stall_timeout,
            duration,
        )?;
        given.read("event-retention", &mut settings.event_retention, duration)?;
        given.read("drain-timeout", &mut settings.drain_timeout, duration)?;
        given.read("metrics-listen", &mut settings.metrics_listen, |text| {
            address(text).map(Some)
        })?;
        given.read("otlp-endpoint", &mut settings.otlp_endpoint, |text| {
            endpoint(text).map(Some)
        })?;
        given.read("otlp-sampling", &mut settings.otlp_sampling, ratio)?;
        given.read("log", &mut settings.log, |filter| Ok(filter.to_owned()))?;
        given.read(
            "log-format",
            &mut settings.log_format,
            |format| match format {
                "auto" => Ok(LogFormat::Auto),
                "text" => Ok(LogFormat::Text),
                "json" => Ok(LogFormat::Json),
                other => Err(format!("`{other}` is none of auto, text, json")),
            },
        )?;
        settings.limits = Limits::from_given(given)?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks what the settings mean together.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(SettingError(
                "tls-cert, tls-key: one needs the other".to_owned(),
            ));
        }
        if self.tls_client_ca.is_some() && self.tls_cert.is_none() {
            return Err(SettingError(
                "tls-client-ca: needs tls-cert and tls-key".to_owned(),
            ));
        }
        if !self.grpc_web_origins.is_empty() && !self.grpc_web {
            return Err(SettingError("grpc-web-origins: needs grpc-web".to_owned()));
        }
        clients::check(&self.clients)?;
        if !self.clients.is_empty() && self.tls_client_ca.is_none() {
            return Err(SettingError(
                "clients: needs tls-client-ca, for else no client shows a certificate".to_owned(),
            ));
        }
        if self.auth == Auth::Jwt {
            return match &self.jwt_key {
                Some(_) => Ok(()),
                None => Err(SettingError(
                    "jwt-key: with auth = jwt, a file with the key is needed".to_owned(),
                )),
            };
        }
        // Whoever has a certificate of the operator's is trusted with the headers.
        let trusted = self.trust_network || self.tls_client_ca.is_some();
        if self.listen.ip().is_loopback() || trusted {
            Ok(())
        } else {
            Err(SettingError(format!(
                "listen: with auth = trusted-header, whoever reaches {} can claim to be anybody; \
                 listen on loopback, have clients show certificates (--tls-client-ca), or vouch \
                 for the network with --trust-network",
                self.listen
            )))
        }
    }
}

impl Shown for Auth {
    fn shown(&self) -> Option<Value> {
        Some(Value::from(match self {
            Self::TrustedHeader => "trusted-header",
            Self::Jwt => "jwt",
        }))
    }
}

impl Shown for LogFormat {
    fn shown(&self) -> Option<Value> {
        Some(Value::from(match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}
