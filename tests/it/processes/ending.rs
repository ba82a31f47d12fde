//! SIGTERM and SIGINT: in good order, and within the drain timeout, whoever holds on.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, runtime::Runtime};
use tonic::{Streaming, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{
    caller::{send, to_reply, to_send, whole_thread},
    deployment::{Deployment, Server},
    process::{letterbox, send_signal},
};
use crate::support::prelude::*;

/// Longer than any test waits: whoever holds the end up for so long fails it.
const LONG_DRAIN: &str = "--drain-timeout=1h";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_with_status_0(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("TERM", "INT")] signal: &str,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[LONG_DRAIN]).await;
    let mut ben = server.client("ben");
    let plans = send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    server.signal(signal);
    let address = server.address();
    let ended = server.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    TcpStream::connect(address)
        .await
        .expect_err("nobody listens");
    let refused = ben.get_inbox_summary(GetInboxSummaryRequest {}).await;
    assert_eq!(
        refused.expect_err("nobody answers").code(),
        Code::Unavailable
    );

    let server = deployment.serve(&[]).await;
    let kept = whole_thread(server.client("ben"), &plans.thread_id).await;
    assert_eq!(kept, [plans]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_as_soon_as_it_says_its_address_ends_it_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    for _ in 0..10 {
        let server = deployment.serve(&[LONG_DRAIN]).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_and_ends_in_good_order_although_nobody_reads_its_log_any_more() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = letterbox(folder.path(), &["--listen=127.0.0.1:0", "--log=debug"]);
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    drop(log);
    let (_, address) = line.split_once("listening on ").expect("the address first");
    let (address, _) = address.split_once('"').expect("JSON");

    let endpoint = Endpoint::try_from(format!("http://{address}")).unwrap();
    let mut health = HealthClient::new(endpoint.connect_lazy());
    let checked = health.check(HealthCheckRequest::default()).await;
    send_signal(process.id(), "TERM");
    let ended = tokio::task::spawn_blocking(move || process.wait());
    let ended = soon("its end", ended).await.unwrap().unwrap();
    assert_eq!(
        checked.unwrap().into_inner().status(),
        ServingStatus::Serving
    );
    assert_eq!(ended.code(), Some(0));
}

/// As where a network comes apart: the connections stay open, and nothing comes.
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_and_tells_everybody_though_its_database_has_fallen_silent() {
    let database = Database::Postgres.create().await;
    let (proxy, url) = Proxy::before(&database.url()).await;
    let deployment = Deployment::at(&url);
    let settings = ["--drain-timeout=4s", "--metrics-listen=127.0.0.1:0"];
    let server = deployment.serve(&settings).await;
    let (mut ana, mut ben) = (server.client("ana"), server.client("ben"));
    send(ana.clone(), to_send(&["ben"], "plans", "Lunch?")).await;
    let watch = ben.watch_messages(WatchMessagesRequest::default()).await;
    let mut watch = watch.expect("a watch begins").into_inner();
    soon("`ready`", watch.message())
        .await
        .expect("a watch begins");
    proxy.fall_silent();
    let read = tokio::spawn(async move { ben.list_inbox(ListInboxRequest::default()).await });
    let write = to_send(&["ben"], "plans", "Dinner?");
    let write = tokio::spawn(async move { ana.send_message(write).await });
    let metrics = server.metrics_address().await;
    for rpc in ["ListInbox", "SendMessage"] {
        let series = format!("letterbox_rpc_in_flight{{rpc=\"{rpc}\"}}");
        let under_way = async || (Scrape::of(metrics).await.count(&series) > 0).then_some(());
        eventually("a call", under_way).await;
    }

    server.signal("TERM");
    let stopped = Instant::now();
    let ended = tokio::spawn(server.ended());
    let told = |status: &tonic::Status| Refusal::of(status).reason;
    let status = soon("the end of the watch", watch.message()).await;
    assert_eq!(told(&status.expect_err("it ends")), "SHUTTING_DOWN");
    let status = soon("an answer", read).await.unwrap();
    assert_eq!(told(&status.expect_err("nothing came")), "SHUTTING_DOWN");
    let status = soon("an answer", write).await.unwrap();
    assert_eq!(told(&status.expect_err("nothing came")), "SHUTTING_DOWN");
    let ended = soon("the server's end", ended).await.unwrap();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        stopped.elapsed() < Duration::from_secs(5),
        "{:?}",
        stopped.elapsed()
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn open_watches_end_with_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[LONG_DRAIN]).await;
    let mut ben = server.client("ben");
    let watch = ben.watch_messages(WatchMessagesRequest::default()).await;
    let mut watch = watch.expect("a watch begins").into_inner();
    soon("`ready`", watch.message())
        .await
        .expect("a watch begins");
    let mut health = HealthClient::new(server.connect());
    let mut statuses = Vec::new();
    for service in ["", "letterbox.v1.MessagingService"] {
        let service = service.to_owned();
        let watch = health.watch(HealthCheckRequest { service }).await;
        let mut watch = watch.expect("a watch begins").into_inner();
        let first = soon("a status", watch.message()).await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::Serving);
        statuses.push(watch);
    }

    let ended = tokio::spawn(server.stop());
    let status = loop {
        match soon("the end of the watch", watch.message()).await {
            Ok(response) => assert!(response.is_some(), "a watch ends with an error only"),
            Err(status) => break status,
        }
    };
    let refusal = Refusal::of(&status);
    let said = (refusal.code, refusal.reason.as_str());
    assert_eq!(said, (Code::Unavailable, "SHUTTING_DOWN"));
    for mut watch in statuses {
        let next = soon("a status", watch.message()).await.unwrap().unwrap();
        assert_eq!(next.status(), ServingStatus::NotServing);
    }
    soon("the server's end", ended).await.unwrap();
}

/// A client that has begun to watch, and does not read its connection any more.
struct Stalled {
    runtime: Option<Runtime>,
    _watch: Streaming<WatchMessagesResponse>,
}

impl Stalled {
    async fn watch(server: &Server, user: &'static str) -> Self {
        let address = server.address();
        let stalled = tokio::task::spawn_blocking(move || {
            // The connection moves only while somebody blocks on its runtime.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let watch = runtime.block_on(async {
                let mut client = super::caller::client(address, &[("x-user-id", user)]);
                let begun = client.watch_messages(WatchMessagesRequest::default()).await;
                let mut watch = begun.expect("a watch begins").into_inner();
                watch.message().await.expect("a watch begins");
                watch
            });
            Self {
                runtime: Some(runtime),
                _watch: watch,
            }
        });
        soon("a watch", stalled).await.expect("a watch begins")
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_holds_it_up_for_the_drain_timeout_only(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&["--drain-timeout=1s"]).await;
    let stalled = Stalled::watch(&server, "ben").await;
    let mut ana = server.client("ana");
    let content = "x".repeat(65_536);
    let plans = send(ana.clone(), to_send(&["ben"], "plans", &content)).await;
    // More than the stream's window of 2 MiB and the queues hold.
    for _ in 0..60 {
        let reply = to_reply(&plans.thread_id, &content);
        soon("an answer", ana.reply_thread(reply))
            .await
            .expect("nobody else is held up");
    }
    let asked = Instant::now();
    let ended = server.stop().await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert!(
        ended
            .stderr
            .iter()
            .any(|line| line.contains("drain timeout")),
        "it was held up: {ended:?}"
    );
    drop(stalled);
    deployment.check().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_byte_holds_it_up_for_the_drain_timeout_at_most(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&["--drain-timeout=1s"]).await;
    let silent = TcpStream::connect(server.address()).await.unwrap();
    // Connections are taken in their order: now that one has been taken too.
    send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    let asked = Instant::now();
    server.stop().await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    drop(silent);
}
