//! `letterbox serve`: until a signal ends it.

use std::process::ExitCode;

use letterbox::{
    config::Settings,
    server::{Parts, Server, StartError},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) async fn serve(settings: Settings) -> Result<ExitCode, StartError> {
    // From the first moment: a signal amid the start is a wish to end, too.
    let mut signals = Signals::listen();
    let server = tokio::select! {
        server = Server::start(settings, Parts::default()) => server?,
        () = signals.received() => return Ok(ExitCode::SUCCESS),
    };
    let address = server.address();
    tracing::info!(%address, "listening on {address}");
    if let Some(address) = server.metrics_address() {
        tracing::info!(%address, "metrics on http://{address}/metrics");
    }
    server.run(signals.received()).await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
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
