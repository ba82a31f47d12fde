//! What is nobody else's business: files, secrets, and what people write.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tonic::Status;

use super::{
    deployment::{Deployment, Server},
    process::letterbox,
};
use crate::{
    support::prelude::*,
    tokens::issuer::{SECRET, claims, token},
};

/// Names and modes of the database's files in a folder.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let files = folder.read_dir().expect("the folder");
    let mut modes: Vec<(String, u32)> = files
        .map(|file| file.expect("a file"))
        .filter(|file| file.file_name().to_string_lossy().starts_with("letters.db"))
        .map(|file| {
            let mode = file.metadata().expect("its mode").mode() & 0o777;
            (file.file_name().into_string().expect("a name"), mode)
        })
        .collect();
    modes.sort();
    modes
}

/// Starts a server on `letters.db` in a folder, which would let everybody read what it makes.
async fn serve(folder: &Path, arguments: &[&str]) -> Server {
    let arguments = [
        &["--listen=127.0.0.1:0", "--database-url=sqlite://letters.db"],
        arguments,
    ];
    let letterbox = letterbox(folder, &arguments.concat());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
    command
        .arg(letterbox.get_program())
        .args(letterbox.get_args());
    command.current_dir(folder);
    Server::start(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_new_database_are_for_their_owner_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    let server = serve(folder.path(), &[]).await;
    super::caller::send(
        server.client("ana"),
        super::caller::to_send(&["ben"], "plans", "Lunch?"),
    )
    .await;
    let names = [
        "letters.db",
        "letters.db-shm",
        "letters.db-wal",
        "letters.db.lock",
    ];
    let expected = names.map(|name| (name.to_owned(), 0o600));
    assert_eq!(modes(folder.path()), expected);
    let log = server.stop().await.stderr.join("\n");
    assert!(!log.contains("chmod"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_can_read_are_left_so_and_named() {
    let folder = tempfile::TempDir::new().unwrap();
    serve(folder.path(), &[]).await.stop().await;
    let database = folder.path().join("letters.db");
    fs::set_permissions(&database, Permissions::from_mode(0o640)).unwrap();
    let server = serve(folder.path(), &[]).await;
    assert!(modes(folder.path()).contains(&("letters.db".to_owned(), 0o640)));
    let log = server.stop().await.stderr.join("\n");
    assert!(
        log.contains("letters.db") && log.contains("chmod 600"),
        "{log}"
    );
}

#[rstest]
#[case::everybody_can_read(0o644, true)]
#[case::its_group_can_read(0o640, false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_named(#[case] mode: u32, #[case] named: bool) {
    let folder = tempfile::TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
    let server = serve(folder.path(), &["--auth=jwt", "--jwt-key=secret"]).await;
    let log = server.stop().await.stderr.join("\n");
    assert_eq!(
        log.contains("jwt-key") && log.contains("chmod o-r"),
        named,
        "{log}"
    );
}

const WRITTEN: &str = "what-only-ben-may-read";
const SUBJECT: &str = "about-something-between-us";

/// Renames what every read and every write needs, past the server.
async fn break_tables(url: &str) {
    let sql = AssertSqlSafe("ALTER TABLE messages RENAME TO letters");
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.expect("a connection");
        let renamed = sqlx::raw_sql(sql).execute(&mut connection).await;
        renamed.expect("a new name");
    } else {
        let mut connection = PgConnection::connect(url).await.expect("a connection");
        let renamed = sqlx::raw_sql(sql).execute(&mut connection).await;
        renamed.expect("a new name");
    }
}

/// Checks that a status says nothing of how the service is made.
fn assert_discreet(status: &Status) {
    let details = String::from_utf8_lossy(status.details());
    let said = format!("{} {details} {:?}", status.message(), status.metadata()).to_lowercase();
    for leak in [
        "select", "insert", "messages", "letters", "table", "column", "sql", ".rs", "/tmp", ".db",
        "panicked", "postgres",
    ] {
        assert!(!said.contains(leak), "{leak}: {said}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn neither_the_log_nor_an_error_tells_what_is_nobodys_business(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    fs::write(deployment.folder().join("secret"), SECRET).unwrap();
    let arguments = ["--auth=jwt", "--jwt-key=secret", "--log=trace"];
    let server = deployment.serve(&arguments).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let good = token(&claims("ana", json!({})));
    let expired = token(&claims("ana", json!({"exp": 1})));
    let forged = format!("{good}x");
    let by = |token: &str| server.client_with(&[("authorization", &bearer(token))]);

    let send = super::caller::to_send(&["ben"], SUBJECT, WRITTEN);
    let sent = super::caller::send(by(&good), send.clone()).await;
    for bad in [&expired, &forged] {
        let refused = by(bad).send_message(send.clone()).await;
        assert_discreet(&refused.expect_err("a token that is no good"));
    }
    let mut too_long = super::caller::to_reply(&sent.thread_id, &WRITTEN.repeat(4_000));
    let refused = by(&good).reply_thread(too_long.clone()).await;
    assert_discreet(&refused.expect_err("too long"));
    too_long.content = format!("{WRITTEN}\0");
    let refused = by(&good).reply_thread(too_long).await;
    assert_discreet(&refused.expect_err("a NUL"));

    break_tables(deployment.url()).await;
    let reply = super::caller::to_reply(&sent.thread_id, WRITTEN);
    let refused = by(&good).reply_thread(reply).await;
    assert_discreet(&refused.expect_err("a write without its table"));
    let read = GetThreadRequest {
        thread_id: sent.thread_id,
        ..Default::default()
    };
    let refused = by(&good).get_thread(read).await;
    assert_discreet(&refused.expect_err("a read without its table"));

    let log = server.stop().await.stderr.join("\n");
    assert!(
        log.contains("internal error"),
        "it tells of what went wrong: {log}"
    );
    let secret = String::from_utf8_lossy(SECRET).into_owned();
    let signature = good.rsplit('.').next().expect("a signature").to_owned();
    for hidden in [
        WRITTEN, SUBJECT, &secret, &good, &expired, &forged, &signature,
    ] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
}
