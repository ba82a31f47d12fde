//! Behind `PgBouncer`, with the settings that the page gives it.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use super::brought;
use crate::{
    processes::{Deployment, Process},
    support::prelude::*,
};

/// The settings that the page tells to make.
fn settings_of_the_page() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/running.md");
    let page = fs::read_to_string(page).expect("there is that page");
    let (_, block) = page.split_once("```ini\n").expect("a block of settings");
    let (block, _) = block.split_once("```").expect("a block ends");
    block
        .lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect()
}

/// A pooler before a test's database, which ends with the test.
struct Pooler {
    /// Where Letterbox finds the database.
    url: String,
    address: SocketAddr,
    settings: PathBuf,
    process: Option<Process>,
    _folder: tempfile::TempDir,
    _database: Deployment,
}

impl Pooler {
    async fn start(settings: &str) -> Self {
        let database = Deployment::new(Database::Postgres).await;
        let (server, name) = database.url().rsplit_once('/').expect("a database's name");
        let (_, server) = server.rsplit_once('@').expect("a user before the host");
        let (host, port) = server.rsplit_once(':').expect("a port");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let folder = postgres_folder();
        let file = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n\
             * = host={host} port={port} user=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             {settings}",
            address.port()
        );
        fs::write(&file, settings).expect("a file can be written");
        let mut pooler = Self {
            url: format!("postgres://letterbox@{address}/{name}"),
            address,
            settings: file,
            process: None,
            _folder: folder,
            _database: database,
        };
        pooler.begin().await;
        pooler
    }

    async fn begin(&mut self) {
        let program = brought("LETTERBOX_TEST_PGBOUNCER");
        // It refuses root, as Postgres does.
        let mut command = postgres_program(program.to_str().expect("a path"));
        command.arg(&self.settings);
        let process = Process::start(command);
        process.line_with("process up").await;
        self.process = Some(process);
    }

    /// Ends it, and starts it again where it was.
    async fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.signal("TERM");
            process.ended().await;
        }
        let gone = std::net::TcpStream::connect(self.address);
        gone.expect_err("nothing listens there");
        self.begin().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_work_behind_a_pooler_that_is_restarted() {
    let mut pooler = Pooler::start(&settings_of_the_page()).await;
    let deployment = Deployment::at(&pooler.url);
    let (one, other) = (deployment.serve(&[]).await, deployment.serve(&[]).await);
    let ana = Client::over(one.connect()).with("x-user-id", "ana");
    let ben = Client::over(other.connect()).with("x-user-id", "ben");
    let mut watch = ben.watch().await;
    let sent = ana.start("Lunch?", &["ben"], "At noon?").await;
    assert_eq!(watch.sent().await.message, Some(sent.message));

    pooler.restart().await;
    // All connections of the pools are broken, and each kind of work goes on over new ones.
    let mut number = 1;
    for content in ["Half past?", "Or one?"] {
        let replied = ana.reply(&sent.thread, content).await;
        number += 1;
        assert_eq!(replied.message.number, number);
        assert_eq!(watch.sent().await.message, Some(replied.message));
        assert_eq!(ben.summary().await.unread_message_count, number);
    }
    one.stop().await;
    other.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_for_a_transaction_only_are_refused_at_the_start() {
    let settings = settings_of_the_page().replace("= session", "= transaction");
    let pooler = Pooler::start(&settings).await;
    let deployment = Deployment::at(&pooler.url);
    let line = Process::start(deployment.command(&["serve"]))
        .refused(1)
        .await;
    assert!(line.contains("prepared statement"), "{line}");
}
