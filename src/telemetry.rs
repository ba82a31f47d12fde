//! What the process tells of itself: its log, and traces.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{
    SpanExporter, WithExportConfig, WithTonicConfig, tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    config::{LogFormat, Settings},
    traces::TARGET,
};

/// How long the last spans may take to be sent.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// What sends traces, until it is stopped.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts the log, on standard error: text for people at a terminal, JSON elsewhere. And the
/// traces, where they have somewhere to go; they are sent on the runtime that this is called in.
pub fn start(settings: &Settings) -> Result<Telemetry, String> {
    let provider = settings
        .otlp_endpoint
        .as_deref()
        .map(|endpoint| provider(endpoint, settings.otlp_sampling))
        .transpose()?;
    let traces = provider.as_ref().map(|provider| {
        let only_traces = filter_fn(|what| what.is_span() && what.target() == TARGET);
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("letterbox"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(only_traces.with_max_level_hint(LevelFilter::INFO))
    });
    tracing_subscriber::registry()
        .with(traces)
        .with(log(settings)?)
        .init();
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Sends what is still to be sent; blocks, for a bounded time.
    pub fn stop(self) {
        let Some(provider) = self.0 else {
            return;
        };
        if let Err(error) = provider.shutdown_with_timeout(FLUSH_MAX) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

fn log<S>(settings: &Settings) -> Result<impl Layer<S>, String>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    // A bare level is meant for our own log; libraries speak up when something is wrong. That a statement took
    // long, or a connection, metrics tell; the log would begin with it, where it should with the address.
    let filter = match settings.log.as_str() {
        level @ ("error" | "warn" | "info" | "debug" | "trace") => {
            format!("warn,sqlx::query=error,sqlx::pool::acquire=error,letterbox={level}")
        }
        other => other.to_owned(),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|error| format!("log: {error}"))?;
    let lines = fmt::layer()
        .with_writer(io::stderr)
        // It would be reported where it has just failed, and panic there.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal());
    let json = match settings.log_format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = if json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.boxed()
    };
    // The spans of traces are not for the log, whatever it is told to hold.
    let no_traces = filter_fn(|what| what.target() != TARGET);
    let no_traces = no_traces.with_max_level_hint(LevelFilter::TRACE);
    Ok(lines.with_filter(filter.and(no_traces)))
}

/// What makes spans, and sends them.
fn provider(endpoint: &str, sampling: f64) -> Result<SdkTracerProvider, String> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
    let exporter = if endpoint.starts_with("https:") {
        exporter.with_tls_config(ClientTlsConfig::new().with_native_roots())
    } else {
        exporter
    };
    let exporter = exporter
        .build()
        .map_err(|error| format!("otlp-endpoint: {error}"))?;
    let resource = Resource::builder()
        .with_service_name("letterbox")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        // Whoever calls may have settled it.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            sampling,
        ))))
        .build())
}
