//! Settings: flags, `LETTERBOX_*` variables and a TOML file, in that precedence.

mod clients;
mod given;
mod limits;
mod options;
mod settings;

use clap::{CommandFactory, FromArgMatches};

pub use self::{
    clients::{Client, Clients},
    limits::Limits,
    options::Command,
    settings::{Auth, LogFormat, Settings},
};
use self::{given::Given, options::Cli};

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
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return Ok(Parsed::Print(error)),
        Err(error) => return Err(first_line(&error)),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| first_line(&error))?;
    let given = Given::collect(&matches, cli.options.config.as_deref())?;
    let settings = Settings::from_given(&given)?;
    Ok(Parsed::Run(
        cli.command.unwrap_or_default(),
        Box::new(settings),
    ))
}

/// The command line; what is no server does not show the server's settings.
fn command() -> clap::Command {
    fn hide_settings(command: clap::Command) -> clap::Command {
        command
            .mut_args(|argument| {
                let of_server = argument.is_global_set();
                argument.hide(of_server)
            })
            .mut_subcommands(hide_settings)
    }
    let mut command = Cli::command();
    // What is global is in the subcommands only then.
    command.build();
    command
        .mut_subcommand("bench", hide_settings)
        .mut_subcommand("token", hide_settings)
}

/// Clap explains itself in paragraphs; a log wants a line.
fn first_line(error: &clap::Error) -> SettingError {
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    SettingError(words.join(" ").trim_start_matches("error: ").to_owned())
}
