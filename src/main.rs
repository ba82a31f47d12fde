//! The `letterbox` command.

mod commands;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use letterbox::{
    config::{self, Command, Parsed},
    server::StartError,
    telemetry,
};
use tokio::runtime::{self, Runtime};

use self::commands::{fail, written};

/// For SQLite's allocations, too. Measured in ARCHITECTURE.md, "Speed".
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A setting is wrong.
const EXIT_SETTING: u8 = 2;

fn main() -> ExitCode {
    let (command, settings) = match config::parse(std::env::args_os()) {
        Ok(Parsed::Run(command, settings)) => (command, *settings),
        Ok(Parsed::Help(text)) => {
            return written(text.print(), ExitCode::SUCCESS);
        }
        Ok(Parsed::Print(text)) => {
            return written(io::stdout().write_all(&text), ExitCode::SUCCESS);
        }
        Err(error) => return fail(&error.to_string(), EXIT_SETTING),
    };
    let runtime = match runtime(&command) {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}"), 1),
    };
    let telemetry = {
        let _runtime = runtime.enter();
        telemetry::start(&settings)
    };
    let telemetry = match telemetry {
        Ok(telemetry) => telemetry,
        Err(problem) => return fail(&problem, EXIT_SETTING),
    };
    let result = runtime.block_on(commands::run(command, settings));
    telemetry.stop();
    // What is still under way after the drain timeout is not waited for.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error @ StartError::Setting(_)) => fail(&error.to_string(), EXIT_SETTING),
        Err(error) => fail(&error.to_string(), 1),
    }
}

/// A thread for each processor; for callers that measure, none that has no caller.
fn runtime(command: &Command) -> io::Result<Runtime> {
    let mut runtime = runtime::Builder::new_multi_thread();
    if let Command::Bench(options) = command {
        runtime.worker_threads(options.threads());
    }
    runtime.enable_all().build()
}
