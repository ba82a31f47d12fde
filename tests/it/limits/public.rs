//! Health and reflection, which ask nobody who they are.

use std::num::NonZeroUsize;

use http::HeaderMap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse,
    server_reflection_client::ServerReflectionClient, server_reflection_request::MessageRequest,
};

use super::stalled::Stalled;
use crate::support::prelude::*;

/// Somebody who asks for descriptions, one after another.
struct Asking {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Asking {
    async fn begin(server: &TestServer) -> Self {
        let (questions, asked) = mpsc::channel(1);
        let mut client = ServerReflectionClient::new(server.connect());
        let answers = client.server_reflection_info(ReceiverStream::new(asked));
        let answers = soon("reflection", answers).await.expect("reflection");
        Self {
            questions,
            answers: answers.into_inner(),
        }
    }

    async fn ask(&mut self, host: String, question: MessageRequest) -> Result<bool, Status> {
        let question = ServerReflectionRequest {
            host,
            message_request: Some(question),
        };
        self.questions.send(question).await.expect("it is asked");
        let answer = soon("an answer", self.answers.message()).await;
        answer.map(|answer| answer.is_some())
    }
}

async fn watch_health(
    client: &HealthClient<tonic::transport::Channel>,
) -> Result<Streaming<HealthCheckResponse>, Status> {
    let watch = client.clone().watch(HealthCheckRequest::default()).await;
    let mut watch = watch?.into_inner();
    watch.message().await?.expect("whether it is healthy");
    Ok(watch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_reflection_takes_no_room_of_calls_however_much_it_asks() {
    let room = NonZeroUsize::new(16 << 10).unwrap();
    let server = TestServer::setup()
        .settings(|settings| settings.limits.receiving_bytes_max = room)
        .start(Database::Sqlite)
        .await;
    let mut asking = Asking::begin(&server).await;
    for _ in 0..40 {
        let list = MessageRequest::ListServices(String::new());
        let answered = asking.ask("h".repeat(900), list).await;
        assert!(answered.expect("an answer"));
    }
    server
        .client("ana")
        .start("plans", &["ben"], &"x".repeat(12_000))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_repeats_no_more_than_fits_into_trailers() {
    let server = TestServer::start(Database::Sqlite).await;
    let of_symbol = async |length| {
        let symbol = MessageRequest::FileContainingSymbol(" ".repeat(length));
        let mut asking = Asking::begin(&server).await;
        asking.ask(String::new(), symbol).await
    };
    let unknown = of_symbol(1_000).await.expect_err("no such symbol");
    assert_eq!(unknown.code(), Code::NotFound);
    // Nobody answers a larger one.
    assert!(matches!(of_symbol(2_000).await, Ok(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_a_service_that_is_larger_than_any_is_not_looked_at() {
    let server = TestServer::start(Database::Sqlite).await;
    let health = HealthClient::new(server.connect());
    let of_service = async |length| {
        let service = "s".repeat(length);
        let asked = HealthCheckRequest { service };
        health.clone().check(asked).await
    };
    let unknown = of_service(1_000).await.expect_err("no such service");
    assert_eq!(unknown.code(), Code::NotFound);
    // In one frame, and in several.
    for length in [2_000, 100_000] {
        let refused = of_service(length).await;
        assert_refused(refused, Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_away_takes_no_room_of_calls() {
    let server = TestServer::setup()
        .settings(|settings| settings.limits.receiving_bytes_max = NonZeroUsize::MIN)
        .start(Database::Sqlite)
        .await;
    let refused = Stalled::begin_with(&server, "", 60_000)
        .await
        .status()
        .await;
    assert_eq!(refused.code(), Code::Unauthenticated);
    let hits = "letterbox_limits_hit_total{limit=\"receiving_bytes\"}";
    assert_eq!(server.scrape().await.count(hits), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_so_many_calls_of_public_services_and_others_ask_besides() {
    let server = TestServer::start(Database::Sqlite).await;
    let busy = HealthClient::new(server.connect());
    let mut watches = Vec::new();
    let refused = loop {
        match watch_health(&busy).await {
            Ok(watch) => watches.push(watch),
            Err(status) => break status,
        }
        assert!(watches.len() <= 32);
    };
    assert_eq!(watches.len(), 32);
    let refusal = assert_refused(
        Err::<(), _>(refused),
        Code::ResourceExhausted,
        "TOO_MANY_CALLS",
    );
    assert!(refusal.retry_delay.is_some(), "RetryInfo");

    let check = HealthCheckRequest::default();
    let mut other = HealthClient::new(server.connect());
    other.check(check.clone()).await.expect("a healthy server");
    watches.pop();
    eventually("room for a call", async || {
        busy.clone().check(check.clone()).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_request_are_not_counted_as_a_fault_of_the_server() {
    let server = TestServer::start(Database::Sqlite).await;
    let client = RawClient::connect(&server).await;
    for method in ["Check", "Watch"] {
        let path = format!("grpc.health.v1.Health/{method}");
        let answer = client.call(&path, HeaderMap::new(), &[0xff; 2]).await;
        assert_eq!(answer.status.code(), Code::Internal);
        let scrape = server.scrape().await;
        let counted = |code: &str| {
            let labels = format!("code=\"{code}\",rpc=\"Health.{method}\"");
            scrape.count(&format!("letterbox_rpc_handled_total{{{labels}}}"))
        };
        assert_eq!(counted("INTERNAL"), 0);
        assert_eq!(counted("INVALID_ARGUMENT"), 1);
    }
}
