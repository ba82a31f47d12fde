//! Traces: what a receiver of OTLP gets.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Identity, ServerTlsConfig},
};

use super::{caller::to_send, deployment::Deployment};
use crate::{support::prelude::*, tls::pem};

/// A receiver of traces, on a free port.
struct Receiver {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

struct Service(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let of_resources = request.into_inner().resource_spans;
        for of_resource in of_resources {
            let resource = of_resource.resource.expect("a resource");
            assert_eq!(text(&resource.attributes, "service.name"), "letterbox");
            let spans = of_resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            self.0.lock().expect("spans").extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    async fn start() -> Self {
        Self::serve(tonic::transport::Server::builder()).await
    }

    async fn serve(mut server: tonic::transport::Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let spans = Arc::new(Mutex::default());
        let service = TraceServiceServer::new(Service(Arc::clone(&spans)));
        let serving = server
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        Self { address, spans }
    }

    fn endpoint(&self) -> String {
        format!("--otlp-endpoint=http://{}", self.address)
    }

    /// All that it has got, by trace.
    fn traces(&self) -> BTreeMap<Vec<u8>, Trace> {
        let mut traces: BTreeMap<_, Trace> = BTreeMap::new();
        for span in self.spans.lock().expect("spans").iter() {
            let trace = traces.entry(span.trace_id.clone()).or_default();
            trace.0.push(span.clone());
        }
        traces
    }
}

/// The spans of one trace.
#[derive(Debug, Default)]
struct Trace(Vec<Span>);

impl Trace {
    /// The only span of this name.
    fn span(&self, name: &str) -> &Span {
        let mut named = self.0.iter().filter(|span| span.name == name);
        match (named.next(), named.next()) {
            (Some(span), None) => span,
            _ => panic!("not one span {name} in {self:?}"),
        }
    }
}

/// An attribute, as a text.
fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    let value = found.and_then(|attribute| attribute.value.clone());
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{key} is {other:?}"),
    }
}

const SEND: &str = "letterbox.v1.MessagingService/SendMessage";

/// A call that its caller traces, or has settled not to.
fn traced<T>(message: T, traceparent: &str) -> Request<T> {
    let mut request = Request::new(message);
    let value = traceparent.parse().expect("a metadata value");
    request.metadata_mut().insert("traceparent", value);
    request
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_stands_in_its_callers_trace_with_its_way_through_the_writer(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let receiver = Receiver::start().await;
    let deployment = Deployment::new(database).await;
    let server = deployment
        .serve(&[&receiver.endpoint(), "--log=debug"])
        .await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = traced(to_send(&["ben"], "plans", "hush-content"), parent);
    server
        .client("ana")
        .send_message(request)
        .await
        .expect("a message");
    let ended = server.stop().await;

    let traces = receiver.traces();
    assert_eq!(traces.len(), 1, "{traces:?}");
    let trace = traces.values().next().expect("a trace");
    let call = trace.span(SEND);
    assert_eq!(hex(&call.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&call.parent_span_id), "b7ad6b7169203331");
    assert_eq!(call.kind, SpanKind::Server as i32);
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "letterbox.v1.MessagingService"),
        ("rpc.method", "SendMessage"),
        ("rpc.grpc.status_code", "0"),
        ("letterbox.tenant", "default"),
    ] {
        assert_eq!(text(&call.attributes, key), value, "{key}");
    }
    // What brings new users needs the turn.
    let way = ["queue", "look", "load", "save", "commit"].map(|name| trace.span(name));
    for part in way {
        assert_eq!(part.parent_span_id, call.span_id, "{part:?}");
    }
    assert_eq!(trace.0.len(), 1 + way.len(), "{trace:?}");
    let starts = way.map(|part| part.start_time_unix_nano);
    assert!(
        starts.is_sorted() && starts[0] >= call.start_time_unix_nano,
        "{trace:?}"
    );
    assert_eq!(text(&way[4].attributes, "letterbox.batch.commands"), "1");

    // The log names the trace, and the trace holds what the log may hold.
    let log = ended.stderr.join("\n");
    assert!(
        log.contains("\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""),
        "{log}"
    );
    assert!(!format!("{traces:?}").contains("hush"), "{traces:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_a_batch_has_the_batchs_steps_in_a_trace_of_its_own(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let receiver = Receiver::start().await;
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[&receiver.endpoint()]).await;
    let ana = server.client("ana");
    let sending = (0..20).map(|_| {
        let mut ana = ana.clone();
        tokio::spawn(async move { ana.send_message(to_send(&["ben"], "plans", "Lunch?")).await })
    });
    for sent in sending.collect::<Vec<_>>() {
        sent.await.expect("a call").expect("a message");
    }
    server.stop().await;

    let traces = receiver.traces();
    assert_eq!(traces.len(), 20);
    for trace in traces.values() {
        // Where nobody else writes, saving and committing are one step.
        for name in [SEND, "queue", "look", "commit"] {
            trace.span(name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_and_a_watch_are_a_span_each_and_health_checks_are_none() {
    let receiver = Receiver::start().await;
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[&receiver.endpoint()]).await;
    let mut ana = server.client("ana");
    let watch = ana.watch_messages(WatchMessagesRequest::default()).await;
    let watch = watch.expect("a watch");
    let missing = GetThreadRequest {
        thread_id: unused_id(),
        ..GetThreadRequest::default()
    };
    ana.get_thread(missing).await.expect_err("no such thread");
    let mut health = tonic_health::pb::health_client::HealthClient::new(server.connect());
    let check = tonic_health::pb::HealthCheckRequest::default();
    health.check(check).await.expect("it is well");
    drop(watch);
    server.stop().await;

    let spans = receiver.spans.lock().expect("spans");
    let calls = spans
        .iter()
        .filter(|span| span.kind == SpanKind::Server as i32);
    let mut calls: Vec<_> = calls.map(|span| span.name.rsplit('/').next()).collect();
    calls.sort_unstable();
    assert_eq!(calls, [Some("GetThread"), Some("WatchMessages")]);
    let read = spans.iter().find(|span| span.name.ends_with("GetThread"));
    let read = read.expect("a read");
    assert_eq!(text(&read.attributes, "rpc.grpc.status_code"), "5");
    // That is its caller's mistake, and no failure of ours.
    let status = read.status.as_ref().map(|status| status.code);
    assert_ne!(status, Some(StatusCode::Error as i32));
}

#[rstest]
#[case::nobody_settled_it("--otlp-sampling=0", None, 0)]
#[case::the_caller_did("--otlp-sampling=0", Some("01"), 1)]
#[case::the_caller_settled_not_to("--otlp-sampling=1", Some("00"), 0)]
#[case::all("--otlp-sampling=1", None, 1)]
#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_traced_unless_the_caller_has_settled_it(
    #[case] sampling: &str,
    #[case] flags: Option<&str>,
    #[case] traced_calls: usize,
) {
    let receiver = Receiver::start().await;
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[&receiver.endpoint(), sampling]).await;
    let message = to_send(&["ben"], "plans", "Lunch?");
    let request = match flags {
        Some(flags) => {
            let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
            traced(message, &format!("00-{ids}-{flags}"))
        }
        None => Request::new(message),
    };
    server
        .client("ana")
        .send_message(request)
        .await
        .expect("a message");
    server.stop().await;
    assert_eq!(receiver.traces().len(), traced_calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traceparent_that_cannot_be_read_begins_a_trace_and_fails_nothing() {
    let receiver = Receiver::start().await;
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[&receiver.endpoint()]).await;
    let request = traced(to_send(&["ben"], "plans", "Lunch?"), "00-zz-zz-01");
    server
        .client("ana")
        .send_message(request)
        .await
        .expect("a message");
    server.stop().await;
    let traces = receiver.traces();
    let call = traces.values().next().expect("a trace").span(SEND);
    assert_eq!(hex(&call.parent_span_id), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_go_over_tls_to_whom_the_systems_authorities_vouch_for() {
    let identity = Identity::from_pem(pem("server-one.pem"), pem("server-one.key"));
    let tls = ServerTlsConfig::new().identity(identity);
    let server = tonic::transport::Server::builder().tls_config(tls);
    let receiver = Receiver::serve(server.expect("a certificate")).await;
    let deployment = Deployment::new(Database::Sqlite).await;
    let authority = deployment.folder().join("authority.pem");
    std::fs::write(&authority, pem("ca-one.pem")).expect("written");
    let endpoint = format!(
        "--otlp-endpoint=https://localhost:{}",
        receiver.address.port()
    );
    let mut command = deployment.command(&[&endpoint, "--listen=127.0.0.1:0"]);
    command.env("SSL_CERT_FILE", &authority);
    let server = super::deployment::Server::start(command).await;
    let mut ana = server.client("ana");
    let sent = ana.send_message(to_send(&["ben"], "plans", "Lunch?")).await;
    sent.expect("a message");
    let ended = server.stop().await;
    assert_eq!(receiver.traces().len(), 1, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_not_there_holds_up_neither_calls_nor_the_end() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment
        .serve(&["--otlp-endpoint=http://127.0.0.1:1"])
        .await;
    let mut ana = server.client("ana");
    let sent = ana.send_message(to_send(&["ben"], "plans", "Lunch?"));
    soon("an answer", sent).await.expect("a message");
    let ended = server.stop().await;
    let log = ended.stderr.join("\n");
    assert!(
        log.contains("\"level\":\"WARN\"") || log.contains("\"level\":\"ERROR\""),
        "{log}"
    );
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
