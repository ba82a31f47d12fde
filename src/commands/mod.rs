//! What each subcommand does, from its options to what it prints and its exit status.

mod import;
mod serve;
mod store;

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use letterbox::{
    bench,
    config::{Command, Settings},
    health,
    model::Clock,
    server::{StartError, SystemClock},
    token,
};

/// Carries out a subcommand.
pub(crate) async fn run(command: Command, settings: Settings) -> Result<ExitCode, StartError> {
    match command {
        Command::Serve => serve::serve(settings).await,
        Command::Migrate(options) => store::migrate(&settings, options.check).await,
        Command::Check(options) => store::check(&settings, options.repair).await,
        Command::Import(source) => import::import(source, &settings).await,
        Command::Health(options) => {
            let asked = health::ask(&options, settings.listen, settings.tls_cert.as_deref());
            Ok(printed(asked.await.map(|()| "serving\n")))
        }
        Command::Bench(options) => Ok(printed(bench::run(*options).await)),
        Command::Token(options) => {
            let token = token::make(&options, SystemClock.now());
            Ok(printed(token.map(|token| token + "\n")))
        }
    }
}

/// Prints what a command came to.
fn printed<E: std::fmt::Display>(result: Result<impl std::fmt::Display, E>) -> ExitCode {
    match result {
        Ok(text) => print(text, ExitCode::SUCCESS),
        Err(error) => fail(&error.to_string(), 1),
    }
}

/// Prints what somebody may want to read; the status to exit with.
fn print(text: impl std::fmt::Display, code: ExitCode) -> ExitCode {
    written(write!(io::stdout(), "{text}"), code)
}

/// The status to exit with once a text was written. Where nobody reads any more, as behind `| head`,
/// the command has done its work all the same; where what it says is lost, it has not.
pub(crate) fn written(result: io::Result<()>, code: ExitCode) -> ExitCode {
    match result.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            fail(&format!("cannot write to standard output: {error}"), 1)
        }
        _ => code,
    }
}

/// Says in one line what is wrong.
pub(crate) fn fail(problem: &str, code: u8) -> ExitCode {
    let line = problem.replace('\n', " ");
    eprintln!("letterbox: {line}");
    ExitCode::from(code)
}
