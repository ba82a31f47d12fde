//! The `letterbox` command.

use std::process::ExitCode;

use letterbox::{
    bench,
    config::{self, Command, Parsed, Settings},
    model::Clock,
    server::{self, Parts, Server, StartError, SystemClock},
    store, telemetry, token,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

/// For SQLite's allocations, too. Measured in ARCHITECTURE.md, "Speed".
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A setting is wrong.
const EXIT_SETTING: u8 = 2;

fn main() -> ExitCode {
    let (command, settings) = match config::parse(std::env::args_os()) {
        Ok(Parsed::Run(command, settings)) => (command, *settings),
        Ok(Parsed::Print(text)) => {
            // Nothing can be done about a closed pipe.
            let _ = text.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error.to_string(), EXIT_SETTING),
    };
    let runtime = match Runtime::new() {
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
    let result = runtime.block_on(run(command, settings));
    telemetry.stop();
    // What is still under way after the drain timeout is not waited for.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error @ StartError::Setting(_)) => fail(&error.to_string(), EXIT_SETTING),
        Err(error) => fail(&error.to_string(), 1),
    }
}

async fn run(command: Command, settings: Settings) -> Result<ExitCode, StartError> {
    match command {
        Command::Serve => serve(settings).await?,
        Command::Migrate => {
            let database = server::database_address(&settings)?;
            store::migrate(&database).await?;
            println!("the tables of the {database} are up to date");
        }
        Command::Check => {
            let database = server::database_address(&settings)?;
            return check(&database).await;
        }
        Command::Bench(options) => match bench::run(*options).await {
            Ok(report) => print!("{report}"),
            Err(error) => return Ok(fail(&error.to_string(), 1)),
        },
        Command::Token(options) => match token::make(&options, SystemClock.now()) {
            Ok(token) => println!("{token}"),
            Err(error) => return Ok(fail(&error.to_string(), 1)),
        },
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(settings: Settings) -> Result<(), StartError> {
    // From the first moment: a signal amid the start is a wish to end, too.
    let mut signals = Signals::listen();
    let server = tokio::select! {
        server = Server::start(settings, Parts::default()) => server?,
        () = signals.received() => return Ok(()),
    };
    let address = server.address();
    tracing::info!(%address, "listening on {address}");
    if let Some(address) = server.metrics_address() {
        tracing::info!(%address, "metrics on http://{address}/metrics");
    }
    server.run(signals.received()).await;
    tracing::info!("stopped");
    Ok(())
}

/// Recomputes what is stored, and prints what disagrees.
async fn check(database: &store::Address) -> Result<ExitCode, StartError> {
    let report = store::check(database).await?;
    for disagreement in &report.disagreements {
        println!("{disagreement}");
    }
    println!("{report}");
    Ok(if report.disagreements.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The signals that end a server.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn listen() -> Self {
        let terminate = signal(SignalKind::terminate());
        match terminate.and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?))) {
            Ok(signals) => Self(Some(signals)),
            Err(error) => {
                tracing::error!(%error, "cannot listen for signals");
                Self(None)
            }
        }
    }

    /// Resolves at SIGTERM or SIGINT.
    async fn received(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else {
            return std::future::pending().await;
        };
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("{name}: shutting down");
    }
}

fn fail(problem: &str, code: u8) -> ExitCode {
    let line = problem.replace('\n', " ");
    eprintln!("letterbox: {line}");
    ExitCode::from(code)
}
