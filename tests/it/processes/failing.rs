//! What goes wrong though the settings are right: one line, and exit status 1.

use std::{fs, os::unix::fs::symlink};

use tokio::net::TcpListener;

use super::{
    deployment::Deployment,
    process::{Process, letterbox},
};
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_ends_the_start(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("--listen", "--metrics-listen")] setting: &str,
) {
    let deployment = Deployment::new(database).await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap().to_string();
    let mut command = deployment.command(&[setting, &address]);
    command.env("LETTERBOX_LISTEN", "127.0.0.1:0");
    let process = Process::start(command);
    let line = process.refused(1).await;
    assert!(line.contains(&address), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_file_does_not_start() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    for _ in 0..2 {
        let second = Process::start(deployment.command(&["--listen=127.0.0.1:0"]));
        let line = second.refused(1).await;
        assert!(line.contains("another process"), "{line}");
    }
    // By another name, too.
    let file = deployment.url().trim_start_matches("sqlite://");
    symlink(file, deployment.folder().join("link.db")).unwrap();
    let arguments = ["--listen=127.0.0.1:0", "--database-url=sqlite://link.db"];
    let second = Process::start(letterbox(deployment.folder(), &arguments));
    let line = second.refused(1).await;
    assert!(line.contains("another process"), "{line}");

    server.stop().await;
    deployment.serve(&[]).await;
}

#[rstest]
#[case::serve("serve")]
#[case::migrate("migrate")]
#[case::check("check")]
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_cannot_be_reached_ends_the_start_without_its_password(
    #[case] command: &str,
) {
    // Bound and not listened on, so that nobody else can take it and nobody answers.
    let unreachable = tokio::net::TcpSocket::new_v4().unwrap();
    unreachable.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = unreachable.local_addr().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let url = format!("postgres://ana:hush@{address}/letters");
    let arguments = [command, "--listen=127.0.0.1:0", "--database-url", &url];
    let line = Process::start(letterbox(folder.path(), &arguments))
        .refused(1)
        .await;
    assert!(line.contains(&address.to_string()), "{line}");
    assert!(line.contains("letters"), "{line}");
    assert!(!line.contains("hush"), "{line}");
}

#[rstest]
#[case::serve("serve")]
#[case::migrate("migrate")]
#[case::check("check")]
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_without_that_database_ends_the_start_without_its_password(
    #[case] command: &str,
) {
    let deployment = Deployment::new(Database::Postgres).await;
    let (server, _) = deployment.url().rsplit_once('/').unwrap();
    let url = format!("{server}/nothing").replace("://postgres@", "://postgres:hush@");
    let arguments = [command, "--listen=127.0.0.1:0", "--database-url", &url];
    let line = Process::start(letterbox(deployment.folder(), &arguments))
        .refused(1)
        .await;
    assert!(line.contains("nothing"), "{line}");
    assert!(!line.contains("hush"), "{line}");
}

#[rstest]
#[case::serve("serve")]
#[case::migrate("migrate")]
#[case::check("check")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_ends_the_start_and_is_left_as_it_is(#[case] command: &str) {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("notes.txt");
    let text = "Dear diary, ".repeat(1_000);
    fs::write(&file, &text).unwrap();
    let arguments = [
        command,
        "--listen=127.0.0.1:0",
        "--database-url=sqlite://notes.txt",
    ];
    let line = Process::start(letterbox(folder.path(), &arguments))
        .refused(1)
        .await;
    assert!(line.contains("notes.txt"), "{line}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[rstest]
#[case::serve("serve")]
#[case::migrate("migrate")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_only_be_read_ends_the_start(#[case] command: &str) {
    let deployment = Deployment::new(Database::Sqlite).await;
    let ended = deployment.run(&["migrate"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // So that it is not root alone who can run this test, or who cannot.
    let url = format!("{}?mode=ro", deployment.url());
    let reading = Deployment::at(&url);
    let line = Process::start(reading.command(&[command])).refused(1).await;
    assert!(line.contains("cannot open the SQLite file"), "{line}");
    assert!(line.contains("readonly"), "{line}");
}
