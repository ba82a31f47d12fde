//! The command line, as it is written; `Settings` is what it means.

use clap::{Args, Parser, Subcommand};

use clap_complete::Shell;

use super::limits::LimitOptions;

use crate::{bench, health, import, token};

/// Private threaded messaging as a gRPC service
///
/// `letterbox` alone serves, on 127.0.0.1:50051, and keeps everything in letterbox.db in the working
/// directory; nothing has to be set up before.
///
/// Every setting is an option, a variable (`LETTERBOX_LISTEN` for --listen) and a line of a TOML file
/// (listen = "…"). An option comes before a variable, a variable before the file. `letterbox config`
/// shows what holds, and why.
#[derive(Debug, Parser)]
#[command(name = "letterbox", version = VERSION)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Subcommands>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// The version, and the commit that was built.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("LETTERBOX_COMMIT"),
    ")"
);

/// All subcommands.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Subcommands {
    #[command(flatten)]
    Run(Command),
    /// Print the settings that hold, and where each comes from, and end
    ///
    /// In the form of a settings file. Passwords are hidden; keys are files, of which only the names
    /// are shown.
    Config,
    /// Print a script that completes commands and options in a shell, and end
    ///
    /// Such as `letterbox completions bash > /etc/bash_completion.d/letterbox`.
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, in roff, and end
    ///
    /// Such as `letterbox man > /usr/local/share/man/man1/letterbox.1`.
    Man,
}

/// What to do.
#[derive(Clone, Debug, Default, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT (the default)
    #[default]
    Serve,
    /// Bring the database's tables up to date, and end
    ///
    /// A server does so by itself when it starts. Migrations never lose data, and a server of the
    /// version before goes on working.
    Migrate(Migrate),
    /// Recompute every count and invariant of the stored data, report what disagrees, and end
    ///
    /// Ends with status 0 where everything agrees, with 1 where something does not. It only
    /// reads, and can run beside a server, unless it is told to --repair.
    Check(Check),
    /// Import the messages of another service, and end
    #[command(subcommand)]
    Import(import::Options),
    /// Ask a running server whether it serves, and end: with status 0 where it does, with 1 where not
    ///
    /// For containers. Asked is the standard health service (grpc.health.v1), where --listen says that
    /// the server is.
    Health(Box<health::Options>),
    /// Measure a running server under load, or fill it with data
    ///
    /// It is a client like any other, over real gRPC. The data that a mix reads is made first,
    /// where it is missing. The tenant's name keeps it apart from other data.
    Bench(Box<bench::Options>),
    /// Make a token, for development and tests of --auth jwt, and print it
    Token(Box<token::Options>),
}

/// How to bring the tables up to date.
#[derive(Clone, Copy, Debug, Args)]
pub struct Migrate {
    /// Change nothing, and say whether the tables are up to date: status 0 where they are, 1 where
    /// they are not
    #[arg(long)]
    pub check: bool,
}

/// How to check.
#[derive(Clone, Copy, Debug, Args)]
pub struct Check {
    /// Put right what follows from the messages: counts, marks and order. On Postgres also beside
    /// servers; a server that uses an SQLite file has to be stopped
    #[arg(long)]
    pub repair: bool,
}

/// The options, as they are written; [`Settings`] is what they mean.
#[derive(Debug, Default, Args)]
pub(super) struct Options {
    /// A TOML file with settings [default: letterbox.toml, if it is there]
    #[arg(long, env = "LETTERBOX_CONFIG", global = true, value_name = "FILE")]
    pub(super) config: Option<String>,
    /// Where to listen; port 0 takes any free one [default: 127.0.0.1:50051]
    #[arg(long, env = "LETTERBOX_LISTEN", global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where to keep everything, `sqlite://FILE` or `postgres://…` [default: `sqlite://letterbox.db`]
    #[arg(
        long,
        env = "LETTERBOX_DATABASE_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL"
    )]
    database_url: Option<String>,
    /// How callers are told apart: trusted-header takes x-user-id, x-user-scopes and x-tenant-id
    /// from a mesh or gateway that sets them; jwt verifies a bearer token [default: trusted-header]
    #[arg(long, env = "LETTERBOX_AUTH", global = true, value_name = "MODE")]
    auth: Option<String>,
    /// jwt: a file with an HMAC secret, a PEM public key or a JWKS; reread when it changes
    #[arg(long, env = "LETTERBOX_JWT_KEY", global = true, value_name = "FILE")]
    jwt_key: Option<String>,
    /// jwt: who must have issued a token [default: not checked]
    #[arg(
        long,
        env = "LETTERBOX_JWT_ISSUER",
        global = true,
        value_name = "ISSUER"
    )]
    jwt_issuer: Option<String>,
    /// jwt: whom a token must be for [default: not checked]
    #[arg(
        long,
        env = "LETTERBOX_JWT_AUDIENCE",
        global = true,
        value_name = "AUDIENCE"
    )]
    jwt_audience: Option<String>,
    /// jwt: the claim that names a token's tenant [default: every token belongs to `default`]
    #[arg(
        long,
        env = "LETTERBOX_JWT_TENANT_CLAIM",
        global = true,
        value_name = "CLAIM"
    )]
    jwt_tenant_claim: Option<String>,
    /// The server's certificate and those that it is signed by (PEM); reread when it changes
    #[arg(long, env = "LETTERBOX_TLS_CERT", global = true, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The certificate's private key (PEM)
    #[arg(long, env = "LETTERBOX_TLS_KEY", global = true, value_name = "FILE")]
    tls_key: Option<String>,
    /// Clients must show a certificate that one of these has signed (PEM): mutual TLS
    #[arg(
        long,
        env = "LETTERBOX_TLS_CLIENT_CA",
        global = true,
        value_name = "FILE"
    )]
    tls_client_ca: Option<String>,
    /// Let pages in browsers call, over gRPC-Web, which also takes HTTP/1.1 [default: off]
    #[arg(
        long,
        env = "LETTERBOX_GRPC_WEB",
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    grpc_web: Option<String>,
    /// grpc-web: whose pages may call, such as `https://app.example`, separated by commas
    /// [default: none but the server's own]
    #[arg(
        long,
        env = "LETTERBOX_GRPC_WEB_ORIGINS",
        global = true,
        value_name = "ORIGINS"
    )]
    grpc_web_origins: Option<String>,
    /// Vouch for the network: trusted-header then also listens on an address that is not loopback
    #[arg(
        long,
        env = "LETTERBOX_TRUST_NETWORK",
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    trust_network: Option<String>,
    /// Refuse calls that name no tenant, instead of counting them to `default`
    #[arg(
        long,
        env = "LETTERBOX_REQUIRE_TENANT",
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    require_tenant: Option<String>,
    /// Refuse to write to users who have never made a call and whom no admin has added
    #[arg(
        long,
        env = "LETTERBOX_KNOWN_USERS_ONLY",
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    known_users_only: Option<String>,
    /// Show a thread in its starter's inbox at once, and not only after an answer
    #[arg(
        long,
        env = "LETTERBOX_SHOW_STARTED_THREADS",
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    show_started_threads: Option<String>,
    /// Leave e-mail addresses out of what other participants see
    #[arg(
        long,
        env = "LETTERBOX_HIDE_EMAIL_ADDRESSES",
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    hide_email_addresses: Option<String>,
    /// The tenant whose admins see how much every tenant holds; that of no application [default:
    /// none: admins see their own tenant alone]
    #[arg(
        long,
        env = "LETTERBOX_OPERATOR_TENANT",
        global = true,
        value_name = "TENANT"
    )]
    operator_tenant: Option<String>,
    /// A watcher hears at least this often [default: 30s]
    #[arg(
        long,
        env = "LETTERBOX_HEARTBEAT_INTERVAL",
        global = true,
        value_name = "TIME"
    )]
    heartbeat_interval: Option<String>,
    /// A watcher who takes nothing for this long is cut off [default: 5m]
    #[arg(
        long,
        env = "LETTERBOX_WATCH_STALL_TIMEOUT",
        global = true,
        value_name = "TIME"
    )]
    watch_stall_timeout: Option<String>,
    /// How long events are kept, and with them the resume tokens that they are good for
    /// [default: 7d]
    #[arg(
        long,
        env = "LETTERBOX_EVENT_RETENTION",
        global = true,
        value_name = "TIME"
    )]
    event_retention: Option<String>,
    /// How long a shutdown may take [default: 10s]
    #[arg(
        long,
        env = "LETTERBOX_DRAIN_TIMEOUT",
        global = true,
        value_name = "TIME"
    )]
    drain_timeout: Option<String>,
    /// Where Prometheus can scrape /metrics over HTTP; port 0 takes any free one [default: nowhere]
    #[arg(
        long,
        env = "LETTERBOX_METRICS_LISTEN",
        global = true,
        value_name = "ADDRESS"
    )]
    metrics_listen: Option<String>,
    /// Where traces go, over OTLP/gRPC, such as <http://127.0.0.1:4317> [default: nowhere]
    #[arg(
        long,
        env = "LETTERBOX_OTLP_ENDPOINT",
        global = true,
        value_name = "URL"
    )]
    otlp_endpoint: Option<String>,
    /// Which share of the calls is traced, of those whose callers have not settled that, from 0 to 1
    /// [default: 1]
    #[arg(
        long,
        env = "LETTERBOX_OTLP_SAMPLING",
        global = true,
        value_name = "RATIO"
    )]
    otlp_sampling: Option<String>,
    /// What to log, such as warn or letterbox=debug [default: info]
    #[arg(long, env = "LETTERBOX_LOG", global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How to log: text, json, or auto: text to a terminal, JSON elsewhere [default: auto]
    #[arg(
        long,
        env = "LETTERBOX_LOG_FORMAT",
        global = true,
        value_name = "FORMAT"
    )]
    log_format: Option<String>,
    #[command(flatten)]
    limits: LimitOptions,
}
