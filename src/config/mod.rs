//! Settings: flags, `LETTERBOX_*` variables and a TOML file, in that precedence.

mod clients;
mod given;
mod limits;
mod options;
mod settings;
mod shown;
mod values;

use clap::{Arg, CommandFactory, FromArgMatches, error::ErrorKind};
use clap_mangen::Man;

pub use self::{
    clients::{Client, Clients},
    limits::Limits,
    options::{Check, Command, Migrate},
    settings::{Auth, LogFormat, Settings},
};
use self::{
    given::Given,
    options::{Cli, Subcommands},
};

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
    Help(clap::Error),
    /// Something else to be printed.
    Print(Vec<u8>),
}

/// Reads the command line, the variables and the file.
pub fn parse<I, T>(arguments: I) -> Result<Parsed, SettingError>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Parsed::Help(error)),
        Err(error) => return Err(first_line(&error)),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| first_line(&error))?;
    let settings = || {
        let names = [Settings::NAMES, Limits::NAMES].concat();
        let mut given = Given::collect(&names, &matches, cli.options.config.as_deref())?;
        Ok((Settings::from_given(&mut given)?, given))
    };
    match cli.command.unwrap_or(Subcommands::Run(Command::Serve)) {
        Subcommands::Run(command) => Ok(Parsed::Run(command, Box::new(settings()?.0))),
        Subcommands::Config => {
            let (_, given) = settings()?;
            Ok(Parsed::Print(shown::file(&given).into_bytes()))
        }
        Subcommands::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "letterbox", &mut script);
            Ok(Parsed::Print(script))
        }
        Subcommands::Man => Ok(Parsed::Print(manual())),
    }
}

/// The manual page: the command's own, then a part for each subcommand that has options.
fn manual() -> Vec<u8> {
    fn add_parts(command: &clap::Command, name: &str, page: &mut Vec<u8>) {
        for subcommand in command.get_subcommands() {
            let name = format!("{name} {}", subcommand.get_name());
            // The settings stand in the command's own part.
            let own = hide_settings(subcommand.clone(), &[]);
            let is_own = |option: &Arg| {
                !option.is_positional() && !option.is_hide_set() && option.get_id() != "help"
            };
            if own.get_arguments().any(is_own) {
                let mut part = Vec::new();
                let _ = Man::new(own).render_options_section(&mut part);
                let part = String::from_utf8_lossy(&part);
                let heading = format!(".SH \"OPTIONS OF {}\"", name.to_uppercase());
                page.extend(part.replacen(".SH OPTIONS", &heading, 1).into_bytes());
            }
            add_parts(subcommand, &name, page);
        }
    }
    let command = command();
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = Man::new(command.clone()).render(&mut page);
    add_parts(&command, "letterbox", &mut page);
    page
}

/// What commands that open a database heed of the settings.
const OF_DATABASES: &[&str] = &["config", "database_url", "log", "log_format"];

/// The command line; what is no server does not show those of the server's settings that do not
/// concern it.
fn command() -> clap::Command {
    let mut command = Cli::command();
    // What is global is in the subcommands only then.
    command.build();
    let shown: [(&str, &[&str]); 8] = [
        ("migrate", OF_DATABASES),
        ("check", OF_DATABASES),
        ("import", OF_DATABASES),
        ("health", &["config", "listen", "tls_cert"]),
        ("bench", &[]),
        ("completions", &[]),
        ("man", &[]),
        ("token", &[]),
    ];
    shown
        .into_iter()
        .fold(command, |command, (name, settings)| {
            command.mut_subcommand(name, |command| hide_settings(command, settings))
        })
}

/// Leaves all settings but these out of a command's help.
fn hide_settings(command: clap::Command, but: &'static [&'static str]) -> clap::Command {
    command
        .mut_args(|argument| {
            let hidden = argument.is_global_set() && !but.contains(&argument.get_id().as_str());
            argument.hide(hidden)
        })
        .mut_subcommands(|command| hide_settings(command, but))
}

/// Clap explains itself in paragraphs; a log wants a line.
fn first_line(error: &clap::Error) -> SettingError {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return SettingError("the subcommand is missing: --help names those that there are".into());
    }
    let text = error.to_string();
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let words: Vec<&str> = paragraph.split_whitespace().collect();
        words.join(" ")
    });
    let paragraphs: Vec<String> = paragraphs.collect();
    let said = paragraphs.first().map_or("", String::as_str);
    let said = said.trim_start_matches("error: ").to_owned();
    let mut tips = paragraphs
        .iter()
        .filter_map(|line| line.strip_prefix("tip: "));
    // Of a subcommand or an option that is only mistyped.
    SettingError(match tips.find(|tip| tip.contains("similar")) {
        Some(tip) => format!("{said}: {tip}"),
        None => said,
    })
}
