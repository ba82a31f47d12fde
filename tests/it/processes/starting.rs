//! How a process starts, and what it says then.

use std::fs;

use sqlx::Connection;

use super::{
    caller::{client, send, to_send},
    deployment::{Deployment, Server},
    process::{Process, letterbox},
};
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_of_the_log_names_the_free_port_that_was_taken(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    assert!(server.address().ip().is_loopback());
    assert_ne!(server.address().port(), 0);
    let sent = send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    assert_eq!(sent.number, 1);
}

/// Starts a process; its start is held up for as long as makes a statement a slow one.
async fn started_slowly(deployment: &Deployment, arguments: &[&str]) -> Process {
    deployment.serve(&[]).await.stop().await;
    let mut somebody = deployment.postgres().await;
    let lock = sqlx::raw_sql("BEGIN; LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE");
    lock.execute(&mut somebody).await.unwrap();
    let process = Process::start(deployment.command(arguments));
    eventually("a slow statement", async || {
        let slow = "SELECT true FROM pg_stat_activity WHERE datname = current_database()
            AND wait_event_type = 'Lock' AND query_start < now() - interval '1.1 s'";
        let slow = sqlx::query_scalar::<_, bool>(slow);
        let found = slow.fetch_optional(&mut deployment.postgres().await).await;
        found.unwrap()
    })
    .await;
    somebody.close().await.unwrap();
    process
}

#[tokio::test(flavor = "multi_thread")]
async fn however_slow_the_database_is_the_address_is_the_first_thing_logged() {
    let deployment = Deployment::new(Database::Postgres).await;
    let process = started_slowly(&deployment, &["--listen=127.0.0.1:0"]).await;
    process.try_address().await.expect("an address");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_slow_is_logged_where_that_is_asked_for() {
    let deployment = Deployment::new(Database::Postgres).await;
    let arguments = ["--listen=127.0.0.1:0", "--log=warn,letterbox=info"];
    let process = started_slowly(&deployment, &arguments).await;
    process.line_with("slow statement").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_should_look_at_comes_after_the_address() {
    let deployment = Deployment::new(Database::Sqlite).await;
    fs::write(deployment.folder().join("key"), "short").unwrap();
    let server = deployment.serve(&["--auth=jwt", "--jwt-key=key"]).await;
    let ended = server.stop().await;
    assert!(ended.stderr[1].contains("may be guessed"), "{ended:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_a_json_object_a_line_where_nobody_looks_on(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&["--log=debug"]).await;
    send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    let ended = server.stop().await;
    assert!(ended.stderr.len() > 2, "{ended:?}");
    for line in &ended.stderr {
        let said: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        for key in ["timestamp", "level", "message", "target"] {
            assert!(said[key].is_string(), "{line}");
        }
    }
    assert_eq!(ended.stdout, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_text_where_that_is_asked_for() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let arguments = ["--log-format=text", "--listen=127.0.0.1:0"];
    let process = Process::start(deployment.command(&arguments));
    let line = process.first_line().await;
    assert!(line.contains("listening on 127.0.0.1:"), "{line}");
    assert!(!line.starts_with('{'), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_url_everything_is_kept_beside_the_process() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let command = letterbox(deployment.folder(), &["--listen=127.0.0.1:0"]);
    let server = Server::start(command).await;
    send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    assert!(deployment.folder().join("letterbox.db").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn serving_is_what_it_does_unless_told_otherwise() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let plans = {
        let server = deployment.serve(&["serve"]).await;
        let sent = send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
        server.stop().await;
        sent
    };
    let server = deployment.serve(&[]).await;
    let kept = super::caller::whole_thread(server.client("ben"), &plans.thread_id).await;
    assert_eq!(kept, [plans]);
}

#[rstest]
#[case::before("--listen=127.0.0.1:0", "serve")]
#[case::after("serve", "--listen=127.0.0.1:0")]
#[tokio::test(flavor = "multi_thread")]
async fn an_option_stands_before_or_after_the_command(#[case] first: &str, #[case] second: &str) {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = Server::start(deployment.command(&[first, second])).await;
    assert_ne!(server.address().port(), 50_051);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_vouched_for_is_listened_to() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let arguments = ["--listen=0.0.0.0:0", "--trust-network"];
    let server = Server::start(deployment.command(&arguments)).await;
    assert!(server.address().ip().is_unspecified());
    let loopback = ([127, 0, 0, 1], server.address().port()).into();
    let ana = client(loopback, &[("x-user-id", "ana")]);
    send(ana, to_send(&["ben"], "plans", "Lunch?")).await;
}

#[rstest]
#[case::version("--version", "letterbox 0.")]
#[case::help("--help", "Private threaded messaging")]
#[case::help_of_a_command("help", "Private threaded messaging")]
#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_the_command_is_answered(#[case] question: &str, #[case] answer: &str) {
    let folder = tempfile::TempDir::new().unwrap();
    let ended = Process::start(letterbox(folder.path(), &[question]))
        .ended()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout[0].starts_with(answer), "{ended:?}");
    assert_eq!(ended.stderr, [""; 0], "{ended:?}");
    let left = folder.path().read_dir().unwrap().count();
    assert_eq!(left, 0, "a question leaves no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_names_every_setting() {
    let folder = tempfile::TempDir::new().unwrap();
    let ended = Process::start(letterbox(folder.path(), &["--help"]))
        .ended()
        .await;
    let text = ended.stdout.join("\n");
    for name in [
        "listen",
        "database-url",
        "auth",
        "jwt-key",
        "jwt-issuer",
        "jwt-audience",
        "jwt-tenant-claim",
        "tls-cert",
        "tls-key",
        "tls-client-ca",
        "trust-network",
        "require-tenant",
        "known-users-only",
        "show-started-threads",
        "heartbeat-interval",
        "event-retention",
        "drain-timeout",
    ] {
        let variable = name.replace('-', "_").to_uppercase();
        for expected in [format!("--{name}"), format!("LETTERBOX_{variable}")] {
            assert!(text.contains(&expected), "{expected}: {text}");
        }
    }
}
