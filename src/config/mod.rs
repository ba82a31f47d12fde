//! Settings: flags, `LETTERBOX_*` variables and a TOML file, in that precedence.

mod clients;
mod given;
mod limits;
mod options;
mod settings;
mod shown;

use clap::{CommandFactory, FromArgMatches};
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
        let mut given = Given::collect(&matches, cli.options.config.as_deref())?;
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

/// The manual page: the command's own, then one part a subcommand.
fn manual() -> Vec<u8> {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = Man::new(command()).render(&mut page);
    page
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
        .mut_subcommand("completions", hide_settings)
        .mut_subcommand("man", hide_settings)
        .mut_subcommand("token", hide_settings)
}

/// Clap explains itself in paragraphs; a log wants a line.
fn first_line(error: &clap::Error) -> SettingError {
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    SettingError(words.join(" ").trim_start_matches("error: ").to_owned())
}
