//! Libraries and tools that people call with. Each script is a conversation that checks itself.

use super::{Programs, clone, serve_at};
use crate::{
    processes::{Deployment, Ended, Process},
    support::prelude::*,
};

/// A server that pages can call too, and what a command comes to that calls it.
async fn converse(database: Database, program: &str, arguments: &[&str]) -> Ended {
    let deployment = Deployment::new(database).await;
    let server = serve_at(&deployment, None, &["--grpc-web"]).await;
    let target = server.address().to_string();
    let mut command = Programs::new().command(program, &clone(), server.address());
    command.args(
        arguments
            .iter()
            .map(|argument| argument.replace("TARGET", &target)),
    );
    Process::start(command).ended().await
}

#[rstest]
#[case::grpcio_through_reflection("python3", "grpcio_reflection.py")]
#[case::grpc_js("node", "grpc_js.mjs")]
#[case::connect_web("node", "grpc_web.mjs")]
#[tokio::test(flavor = "multi_thread")]
async fn what_people_call_with_gets_what_it_expects(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] program: &str,
    #[case] script: &str,
) {
    let script = format!("tests/interop/{script}");
    let ended = converse(database, program, &[&script, "TARGET"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[rstest]
#[case::over_grpc("grpc")]
#[case::over_grpc_web("grpcweb")]
#[tokio::test(flavor = "multi_thread")]
async fn buf_curl_learns_the_api_from_the_server_and_calls_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] protocol: &str,
) {
    let mut arguments = vec!["curl", "--protocol", protocol, "-H", "x-user-id: ana"];
    if protocol == "grpc" {
        arguments.push("--http2-prior-knowledge");
    }
    let request = r#"{"recipient_ids": ["ben"], "subject": "plans", "content": "Lunch?"}"#;
    arguments.extend(["-d", request]);
    arguments.push("http://TARGET/letterbox.v1.MessagingService/SendMessage");
    let ended = converse(database, "buf", &arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout.join("\n")).unwrap();
    assert_eq!(answer["message"]["content"], "Lunch?");
}
