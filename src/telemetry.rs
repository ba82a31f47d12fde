//! What the process tells of itself.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};

/// Starts the log, on standard error: text for people at a terminal, JSON elsewhere.
pub fn start(settings: &Settings) -> Result<(), String> {
    // A bare level is meant for our own log; libraries speak up when something is wrong.
    let filter = match settings.log.as_str() {
        level @ ("error" | "warn" | "info" | "debug" | "trace") => {
            format!("warn,letterbox={level}")
        }
        other => other.to_owned(),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|error| format!("log: {error}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // It would be reported where it has just failed, and panic there.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal());
    let json = match settings.log_format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    if json {
        subscriber.json().flatten_event(true).init();
    } else {
        subscriber.init();
    }
    Ok(())
}
