//! `letterbox migrate`.

use super::{
    caller::{send, to_send, whole_thread},
    deployment::Deployment,
    process::Process,
};
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_makes_the_tables_and_does_so_again_without_harm(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    for _ in 0..2 {
        let ended = deployment.run(&["migrate"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout.len(), 1, "{ended:?}");
        assert_eq!(ended.stderr, [""; 0], "{ended:?}");
    }
    deployment.check().await;
    deployment
        .execute("INSERT INTO log_heads (tenant) VALUES ('by-hand')")
        .await;
    deployment.check().await;

    let server = deployment.serve(&[]).await;
    let plans = send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    server.stop().await;
    let ended = deployment.run(&["migrate"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let server = deployment.serve(&[]).await;
    let kept = whole_thread(server.client("ben"), &plans.thread_id).await;
    assert_eq!(kept, [plans]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_a_file_alone_that_a_server_holds() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let migrating = Process::start(deployment.command(&["migrate"]));
    let line = migrating.refused(1).await;
    assert!(line.contains("another process"), "{line}");
    send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_it_runs_beside_servers() {
    let deployment = Deployment::new(Database::Postgres).await;
    let server = deployment.serve(&[]).await;
    let ended = deployment.run(&["migrate"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stdout[0].contains("postgres@"), "{ended:?}");
    send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_on_an_empty_postgres_all_start() {
    let deployment = Deployment::new(Database::Postgres).await;
    let start = || deployment.serve(&[]);
    let servers = tokio::join!(start(), start(), start());
    for server in [servers.0, servers.1, servers.2] {
        send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    }
    deployment.check().await;
}
