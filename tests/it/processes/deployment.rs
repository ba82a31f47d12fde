//! What processes share and leave behind: a database and a working directory.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tonic::transport::Channel;

use super::{
    caller::{Client, client, connect},
    process::{Ended, Process, letterbox},
};
use crate::support::prelude::*;

/// A database and a working directory, for processes that come and go.
pub(crate) struct Deployment {
    folder: TempDir,
    url: String,
    /// Removed when it is dropped.
    _database: Box<dyn Send>,
}

impl Deployment {
    /// A new, empty database, and an empty folder to work in.
    pub(crate) async fn new(database: Database) -> Self {
        Self::on(database.create().await)
    }

    /// A database that is there, and an empty folder to work in.
    pub(crate) fn on(database: TestDatabase) -> Self {
        Self {
            folder: TempDir::new().expect("a folder to work in"),
            url: database.url(),
            _database: Box::new(database),
        }
    }

    /// A database that is the test's already, and an empty folder to work in.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            folder: TempDir::new().expect("a folder to work in"),
            url: url.to_owned(),
            _database: Box::new(()),
        }
    }

    /// The working directory.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The command, told of the database by a variable.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = letterbox(self.folder(), arguments);
        command.env("LETTERBOX_DATABASE_URL", &self.url);
        command
    }

    /// Runs the command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        Process::start(self.command(arguments)).ended().await
    }

    /// Starts a server on a free port.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(arguments);
        command.env("LETTERBOX_LISTEN", "127.0.0.1:0");
        Server::start(command).await
    }

    /// Checks what is stored, and that it agrees.
    pub(crate) async fn check(&self) {
        self.check_within(PATIENCE).await;
    }

    /// Checks what is stored, where that is so much that it may take longer.
    pub(crate) async fn check_within(&self, patience: Duration) {
        let checking = Process::start(self.command(&["check"]));
        let ended = checking.ended_within(patience).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let [line] = ended.stdout.as_slice() else {
            panic!("not one line: {ended:?}");
        };
        assert!(line.ends_with(": all agrees"), "{ended:?}");
        assert_eq!(ended.stderr, [""; 0], "{ended:?}");
    }

    /// Runs a statement in the database, past the service.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url, sql).await;
    }

    /// How many rows a table holds for which this is true.
    pub(crate) async fn count(&self, table: &str, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
        let counted = if self.url.starts_with("sqlite:") {
            let connection = SqliteConnection::connect(&self.url).await;
            let mut connection = connection.expect("the file is a database");
            let counted = sqlx::query_scalar(AssertSqlSafe(sql));
            counted.fetch_one(&mut connection).await
        } else {
            let counted = sqlx::query_scalar(AssertSqlSafe(sql));
            counted.fetch_one(&mut self.postgres().await).await
        };
        counted.expect("a count")
    }

    /// A connection to the database, where it is a Postgres.
    pub(crate) async fn postgres(&self) -> PgConnection {
        let connection = PgConnection::connect(&self.url).await;
        connection.expect("the database answers")
    }
}

/// A process that serves.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
}

impl Server {
    /// Starts a command that serves, and waits until it does.
    pub(crate) async fn start(command: Command) -> Self {
        match Self::try_start(command).await {
            Ok(server) => server,
            Err(line) => panic!("the log begins with {line:?}"),
        }
    }

    /// Starts a command that may serve; what it says instead where it does not.
    pub(crate) async fn try_start(command: Command) -> Result<Self, String> {
        let process = Process::start(command);
        let address = process.try_address().await?;
        Ok(Self { process, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its metrics are scraped, if it was told to have them scraped.
    pub(crate) async fn metrics_address(&self) -> SocketAddr {
        let line = self.process.line_with("metrics on http://").await;
        let said: serde_json::Value = serde_json::from_str(&line).expect("a line is an object");
        let address = said["address"].as_str().and_then(|text| text.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {line}"))
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// A connection of one's own.
    pub(crate) fn connect(&self) -> Channel {
        connect(self.address)
    }

    /// A client of this user, on a connection of its own.
    pub(crate) fn client(&self, user: &str) -> Client {
        client(self.address, &[("x-user-id", user)])
    }

    /// A client with this metadata, on a connection of its own.
    pub(crate) fn client_with(&self, metadata: &[(&'static str, &str)]) -> Client {
        client(self.address, metadata)
    }

    /// Sends it a signal, such as TERM.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Kills it, as `kill -9` does, and waits until it has gone.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Ended {
        self.process.ended().await
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) -> Ended {
        self.stop_by("TERM").await
    }

    /// Ends it in good order by this signal.
    pub(crate) async fn stop_by(self, signal: &str) -> Ended {
        self.signal(signal);
        let ended = self.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }
}
