//! The service as such: health, reflection, shutting down, one process for an `SQLite` file.

use std::time::Duration;

use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::prelude::*;

const SERVICE: &str = "letterbox.v1.MessagingService";
const ADMIN_SERVICE: &str = "letterbox.admin.v1.AdminService";

fn health(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[rstest]
#[case::over_all("")]
#[case::of_the_service(SERVICE)]
#[case::of_administration(ADMIN_SERVICE)]
#[tokio::test(flavor = "multi_thread")]
async fn health_answers_without_identity(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] service: &str,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.require_tenant = true)
        .start(database)
        .await;
    let mut client = HealthClient::new(server.connect());
    let answer = client.check(health(service)).await.unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    let mut watch = client.watch(health(service)).await.unwrap().into_inner();
    let first = soon("a status", watch.message()).await.unwrap();
    assert_eq!(first.expect("a status").status(), ServingStatus::Serving);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_a_service_that_is_not_there_is_not_found(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let mut client = HealthClient::new(server.connect());
    let refused = client.check(health("letterbox.v1.Nothing")).await;
    assert_eq!(refused.expect_err("not there").code(), Code::NotFound);
}

/// Asks one question of server reflection, in one of its versions.
macro_rules! reflect {
    ($version:ident, $server:expr, $question:ident($text:expr), $answer:ident) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::$question($text.into())),
        };
        let mut client = ServerReflectionClient::new($server.connect());
        let answers = client.server_reflection_info(tokio_stream::iter([request]));
        let mut answers = answers.await.unwrap().into_inner();
        let answer = soon("an answer", answers.message()).await.unwrap();
        match answer.expect("an answer").message_response {
            Some(MessageResponse::$answer(answer)) => answer,
            other => panic!("expected an answer, got {other:?}"),
        }
    }};
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services_without_identity_in_both_versions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let listed = reflect!(v1, server, ListServices(""), ListServicesResponse).service;
    let names: Vec<String> = listed.into_iter().map(|service| service.name).collect();
    let listed = reflect!(v1alpha, server, ListServices(""), ListServicesResponse).service;
    let alpha: Vec<String> = listed.into_iter().map(|service| service.name).collect();
    for names in [names, alpha] {
        for expected in [SERVICE, "grpc.health.v1.Health"] {
            assert!(names.iter().any(|name| name == expected), "{names:?}");
        }
    }
}

#[rstest]
#[case::the_service(SERVICE)]
#[case::administration(ADMIN_SERVICE)]
#[case::a_message("letterbox.v1.ThreadView")]
#[case::the_details_of_errors("google.rpc.ErrorInfo")]
#[tokio::test(flavor = "multi_thread")]
async fn reflection_describes_what_a_client_needs_in_both_versions(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] symbol: &str,
) {
    let server = TestServer::start(database).await;
    let file = reflect!(
        v1,
        server,
        FileContainingSymbol(symbol),
        FileDescriptorResponse
    );
    let alpha = reflect!(
        v1alpha,
        server,
        FileContainingSymbol(symbol),
        FileDescriptorResponse
    );
    assert!(!file.file_descriptor_proto.is_empty());
    assert_eq!(file.file_descriptor_proto, alpha.file_descriptor_proto);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shuts_down_ends_its_watches_after_their_last_event(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let bot = server.client("bot").with_scopes("letterbox.watch-all");
    let mut watches = [ben.watch().await, bot.watch_all().await];
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    for _ in 2..=20 {
        ana.reply(&thread, "more").await;
    }
    let running = server.begin_to_stop();
    for watch in &mut watches {
        let (lines, status) = watch.end().await;
        let refusal = Refusal::of(&status);
        assert_eq!(refusal.code, Code::Unavailable);
        assert_eq!(refusal.reason, "SHUTTING_DOWN");
        assert!(refusal.retry_delay.is_some(), "RetryInfo");
        assert_eq!(lines.len(), 20, "{lines:?}");
    }
    soon("the server's end", running).await.unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_a_shutdown_has_ended_is_resumed_elsewhere(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let mut watch = server.client("ben").watch().await;
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
    let stopped = server.stop().await;
    let (lines, status) = watch.end().await;
    assert_eq!((lines, status.code()), (vec![], Code::Unavailable));

    let server = stopped.start().await;
    let mut resumed = server.client("ben").resume(&watch.token).await;
    server
        .client("ana")
        .start("news", &["ben"], "Back again")
        .await;
    assert_eq!(resumed.line().await, "ana sent news 1: Back again");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_in_time_whoever_is_still_connected(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.drain_timeout = Duration::from_secs(1))
        .start(database)
        .await;
    // One who reads nothing and hears of no end, a watch of health, and a silent connection.
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let _unread = ben.watch().await;
    let content = "x".repeat(60_000);
    let thread = ana.start("flood", &["ben"], &content).await.thread;
    for _ in 1..=10 {
        ana.reply(&thread, &content).await;
    }
    let _health = HealthClient::new(server.connect())
        .watch(health(""))
        .await
        .unwrap();
    let _silent = tokio::net::TcpStream::connect(server.authority())
        .await
        .unwrap();

    let running = server.begin_to_stop();
    let ended = tokio::time::timeout(Duration::from_secs(5), running).await;
    ended.expect("it ends at the drain timeout").unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_a_shutdown_is_kept_and_nothing_else(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (ana, thread) = (server.client("ana"), thread.clone());
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for count in 0..1_000 {
                    let content = format!("{writer}: {count}");
                    let request = ReplyThreadRequest {
                        thread_id: thread.clone(),
                        content,
                        ..Default::default()
                    };
                    match ana.reply_thread(request).await {
                        Ok(answer) => answered.push(answer.message.expect("a message")),
                        Err(refused) => {
                            // Without details it is the client's word on a closed connection.
                            if !refused.details().is_empty() {
                                assert_eq!(Refusal::of(&refused).reason, "SHUTTING_DOWN");
                            }
                            break;
                        }
                    }
                }
                answered
            })
        })
        .collect();
    eventually("some replies", async || {
        let count = ana.view(&thread).await.thread().message_count;
        (count > 50).then_some(())
    })
    .await;
    let server = server.restart().await;

    let mut kept = Vec::new();
    let mut request = GetThreadRequest {
        thread_id: thread,
        page_size: 200,
        ..Default::default()
    };
    let reader = server.client("ana");
    loop {
        let page = reader.get_thread(request.clone()).await.unwrap();
        kept.extend(page.messages);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    for writer in writers {
        for message in writer.await.unwrap() {
            let index = usize::try_from(message.number - 1).unwrap();
            assert_eq!(kept.get(index), Some(&message));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_for_an_sqlite_file_refuses_to_start() {
    let server = TestServer::start(Database::Sqlite).await;
    let refusal = server.try_replica().await.err().expect("it does not start");
    assert!(!refusal.contains('\n'), "one clear line: {refusal}");
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    // The file is free again when the first one has ended.
    let server = server.restart().await;
    assert_eq!(
        server.client("ben").subjects(Folder::Inbox).await,
        ["plans"]
    );
}
