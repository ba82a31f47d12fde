//! Traces of calls, for OpenTelemetry.
//!
//! A call that is sampled has a span, and so has each part of its way through the writer: waiting
//! in the queue, and its batch's load, save and commit. A batch serves many calls; its steps stand
//! in the trace of each of them that is sampled, so that a trace shows where its call's time went,
//! and there is no trace of a batch's own to look for.
//!
//! Where nobody asked for traces, and for calls that are not sampled, there are no spans at all.

use std::fmt;

use http::{HeaderMap, HeaderName};
use opentelemetry::{
    propagation::{Extractor, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Level, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// What marks the spans of traces: apart from the log's, which a filter of its own selects.
pub const TARGET: &str = "traces";

/// The span of a call that has just begun; none where it is not sampled.
///
/// Its caller's `traceparent` (<https://www.w3.org/TR/trace-context/>) is its parent, and says whether
/// it is sampled.
pub fn call(service: &str, method: &str, headers: &HeaderMap) -> Span {
    if !tracing::span_enabled!(target: TARGET, Level::INFO) {
        return Span::none();
    }
    let name = format!("{service}/{method}");
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "call",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        letterbox.tenant = Empty,
        letterbox.request_id = Empty,
    );
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    // Without a parent, or with one that cannot be read, a trace begins here.
    let _ = span.set_parent(parent);
    if context(&span).is_sampled() {
        span
    } else {
        Span::none()
    }
}

/// Notes who makes a call, and what they name it by.
pub fn is_by(call: &Span, tenant: &str, request_id: &str) {
    call.record("letterbox.tenant", tenant);
    call.record("letterbox.request_id", request_id);
}

/// Notes how a call has ended; the span itself ends when it is dropped.
pub fn ended(call: &Span, code: usize, failed: bool) {
    call.record("rpc.grpc.status_code", code);
    if failed {
        call.record("otel.status_code", "ERROR");
    }
}

/// The trace that a call's span is part of, as the log names it.
pub fn trace_id(call: &Span) -> Option<impl fmt::Display> {
    let context = (!call.is_disabled()).then(|| context(call));
    context.map(|context| context.trace_id())
}

/// The span of the call that is being carried out here; none where it is not traced.
pub fn current() -> Span {
    let current = Span::current();
    let traced = current
        .metadata()
        .is_some_and(|what| what.target() == TARGET);
    if traced { current } else { Span::none() }
}

/// The wait of a call's command for its batch.
pub fn queue(call: &Span) -> Span {
    if call.is_disabled() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, parent: call, "queue")
}

/// A step of the batch, of so many commands, that a call's command is in.
pub fn step(call: &Span, name: &'static str, commands: usize) -> Span {
    if call.is_disabled() {
        return Span::none();
    }
    tracing::info_span!(
        target: TARGET,
        parent: call,
        "step",
        otel.name = name,
        letterbox.batch.commands = commands,
    )
}

fn context(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

/// A call's headers, as OpenTelemetry looks into them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
