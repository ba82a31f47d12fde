//! Settings: flags, `LETTERBOX_*` variables and a TOML file, in that precedence.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, parser::ValueSource};

use crate::store::Address;

/// The file that is read where none is named, if it is there.
const DEFAULT_FILE: &str = "letterbox.toml";

/// Private threaded messaging as a gRPC service.
///
/// Without a subcommand it serves. Every option can also be given as a variable (`LETTERBOX_LISTEN`
/// for --listen) and in a TOML file (listen = "…"); a flag comes before a variable, a variable
/// before the file.
#[derive(Debug, Parser)]
#[command(name = "letterbox", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

/// What to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT (the default)
    #[default]
    Serve,
    /// Bring the database's tables up to date, and end
    Migrate,
    /// Recompute every count and invariant of the stored data, report what disagrees, and end
    ///
    /// Ends with status 0 where everything agrees, with 1 where something does not. It only
    /// reads, and can run beside a server.
    Check,
}

/// The options, as they are written; [`Settings`] is what they mean.
#[derive(Debug, Default, Args)]
struct Options {
    /// A TOML file with settings [default: letterbox.toml, if it is there]
    #[arg(long, env = "LETTERBOX_CONFIG", global = true, value_name = "FILE")]
    config: Option<String>,
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
    /// from a mesh or gateway that sets them [default: trusted-header]
    #[arg(long, env = "LETTERBOX_AUTH", global = true, value_name = "MODE")]
    auth: Option<String>,
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
    /// Refuse to write to users who have never made a call
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
}

/// What the options mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where everything is kept: `sqlite://FILE` or `postgres://…`.
    pub database_url: String,
    /// The operator vouches for the network.
    pub trust_network: bool,
    /// A call that names no tenant is refused.
    pub require_tenant: bool,
    /// Only users who have made a call can be written to.
    pub known_users_only: bool,
    /// A thread lies in its starter's inbox at once.
    pub show_started_threads: bool,
    /// A watcher hears at least this often.
    pub heartbeat_interval: Duration,
    /// A watcher who takes nothing for this long is cut off.
    pub watch_stall_timeout: Duration,
    /// How long events are kept.
    pub event_retention: Duration,
    /// How long a shutdown may take.
    pub drain_timeout: Duration,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
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
            trust_network: false,
            require_tenant: false,
            known_users_only: false,
            show_started_threads: false,
            heartbeat_interval: Duration::from_secs(30),
            watch_stall_timeout: Duration::from_mins(5),
            event_retention: Duration::from_hours(7 * 24),
            drain_timeout: Duration::from_secs(10),
            log: "info".to_owned(),
            log_format: LogFormat::Auto,
        }
    }
}

/// A setting that is wrong, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(String);

impl SettingError {
    /// What is wrong with a setting.
    pub(crate) fn of(name: &str, problem: &str) -> Self {
        Self(format!("{name}: {problem}"))
    }
}

/// What the command line, the variables and the file come to.
pub enum Parsed {
    /// Something to do.
    Run(Command, Box<Settings>),
    /// Help or version, to be printed.
    Print(clap::Error),
}

/// Reads the command line, the variables and the file.
pub fn parse<I, T>(arguments: I) -> Result<Parsed, SettingError>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let matches = match Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Parsed::Print(error)),
        Err(error) => return Err(first_line(&error)),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| first_line(&error))?;
    let given = Given::collect(&matches, &cli.options)?;
    let settings = Settings::from_given(&given)?;
    Ok(Parsed::Run(
        cli.command.unwrap_or_default(),
        Box::new(settings),
    ))
}

/// Clap explains itself in paragraphs; a log wants a line.
fn first_line(error: &clap::Error) -> SettingError {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    SettingError(line.trim_start_matches("error: ").to_owned())
}

/// Values as they were written, each with where.
struct Given(BTreeMap<String, (String, String)>);

/// The names of all settings, as flags and in the file.
const NAMES: &[&str] = &[
    "listen",
    "database-url",
    "auth",
    "trust-network",
    "require-tenant",
    "known-users-only",
    "show-started-threads",
    "heartbeat-interval",
    "watch-stall-timeout",
    "event-retention",
    "drain-timeout",
    "log",
    "log-format",
];

impl Given {
    fn collect(matches: &clap::ArgMatches, options: &Options) -> Result<Self, SettingError> {
        let file = match options.config.as_deref() {
            Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
            _ => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let mut given = match file {
            Some(path) => Self::of_file(&path)?,
            None => Self(BTreeMap::new()),
        };
        // A global argument's value is among the matches of the innermost subcommand.
        let innermost = matches
            .subcommand()
            .map_or(matches, |(_, submatches)| submatches);
        for name in NAMES {
            let id = name.replace('-', "_");
            let value = innermost.get_one::<String>(&id);
            let variable = format!("LETTERBOX_{}", id.to_uppercase());
            let place = match innermost.value_source(&id) {
                Some(ValueSource::EnvVariable) => variable,
                _ => format!("--{name}"),
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                given.0.insert((*name).to_owned(), (value.clone(), place));
            }
        }
        Ok(given)
    }

    fn of_file(path: &Path) -> Result<Self, SettingError> {
        let named = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingError(format!("cannot read {named}: {error}")))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            SettingError(format!("{named}: {}", error.message()))
        })?;
        let mut given = BTreeMap::new();
        for (key, value) in table {
            let name = key.replace('_', "-");
            if !NAMES.contains(&name.as_str()) {
                return Err(SettingError(format!("{named}: no such setting: {key}")));
            }
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Boolean(_) | toml::Value::Integer(_) => value.to_string(),
                _ => return Err(SettingError(format!("{named}: {key} must be a text"))),
            };
            given.insert(name, (value, named.to_string()));
        }
        Ok(Self(given))
    }

    /// Reads one setting, where it is given.
    fn read<T>(
        &self,
        name: &str,
        field: &mut T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<(), SettingError> {
        if let Some((value, place)) = self.0.get(name) {
            *field = read(value)
                .map_err(|problem| SettingError(format!("{name}: {problem} (given by {place})")))?;
        }
        Ok(())
    }
}

impl Settings {
    fn from_given(given: &Given) -> Result<Self, SettingError> {
        let mut settings = Self::default();
        let (mut auth, mut checked_url) = ((), ());
        given.read("listen", &mut settings.listen, address)?;
        given.read("database-url", &mut checked_url, |url| {
            url.parse::<Address>().map(|_| ())
        })?;
        given.read("database-url", &mut settings.database_url, |url| {
            Ok(url.to_owned())
        })?;
        given.read("auth", &mut auth, |mode| match mode {
            "trusted-header" => Ok(()),
            other => Err(format!("`{other}` is no mode: trusted-header is")),
        })?;
        given.read("trust-network", &mut settings.trust_network, switch)?;
        given.read("require-tenant", &mut settings.require_tenant, switch)?;
        given.read("known-users-only", &mut settings.known_users_only, switch)?;
        given.read(
            "show-started-threads",
            &mut settings.show_started_threads,
            switch,
        )?;
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
        settings.check()?;
        Ok(settings)
    }

    /// Checks what the settings mean together.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.listen.ip().is_loopback() || self.trust_network {
            Ok(())
        } else {
            Err(SettingError(format!(
                "listen: with auth = trusted-header, whoever reaches {} can claim to be anybody; \
                 listen on loopback, or vouch for the network with --trust-network",
                self.listen
            )))
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let resolved = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    resolved.ok_or_else(|| format!("`{text}` is not an address such as 127.0.0.1:50051"))
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err(format!("`{text}` is not a time such as 30s, 5m or 7d")),
    }
}
