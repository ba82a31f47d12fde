//! A Postgres of the test's own, with a standby that streams from it.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::{processes::Process, support::prelude::*};

/// A primary and its standby, which end with the test.
pub(super) struct Cluster {
    pub(super) primary: Node,
    pub(super) standby: Node,
    _folder: TempDir,
}

/// How the standby follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Following {
    /// A commit waits until the standby has it.
    Synchronous,
    /// The standby has it a little later.
    Asynchronous,
    /// It does not: it is a copy of what there was when it was made.
    Backup,
}

/// One server.
pub(super) struct Node {
    data: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
}

/// The URL of a server's database.
pub(super) fn url(address: SocketAddr) -> String {
    format!("postgres://postgres@{address}/postgres")
}

impl Cluster {
    /// Starts both; a backup is not made yet.
    pub(super) async fn start(following: Following) -> Self {
        let folder = postgres_folder();
        let mut primary = Node::in_folder(folder.path().join("primary"));
        let data = format!("--pgdata={}", primary.data.display());
        let trusting = ["--username=postgres", "--auth=trust", "--no-sync"];
        let locale = ["--encoding=UTF8", "--locale=C.UTF-8"];
        run(
            "initdb",
            &[&[data.as_str()], &trusting[..], &locale[..]].concat(),
        )
        .await;
        primary.start().await;
        let standby = Node::in_folder(folder.path().join("standby"));
        let mut cluster = Self {
            primary,
            standby,
            _folder: folder,
        };
        if following != Following::Backup {
            cluster.copy(&["--write-recovery-conf"]).await;
            cluster.standby.start().await;
            cluster.caught_up().await;
        }
        if following == Following::Synchronous {
            let primary = &cluster.primary;
            // What a server allows by default does not count: an answer means durable.
            primary
                .execute("ALTER SYSTEM SET synchronous_commit = 'local'")
                .await;
            primary
                .execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
                .await;
            primary.execute("SELECT pg_reload_conf()").await;
            let settled = "SELECT sync_state = 'sync' FROM pg_stat_replication";
            primary.until(settled).await;
        }
        cluster
    }

    /// Makes the standby a backup of what there is now.
    pub(super) async fn back_up(&self) {
        self.copy(&[]).await;
    }

    async fn copy(&self, options: &[&str]) {
        let port = self.primary.address.port();
        let from =
            format!("--dbname=host=127.0.0.1 port={port} user=postgres application_name=standby");
        let to = format!("--pgdata={}", self.standby.data.display());
        let quick = ["--checkpoint=fast", "--no-sync"];
        run(
            "pg_basebackup",
            &[&[from.as_str(), &to], &quick[..], options].concat(),
        )
        .await;
    }

    /// Waits until the standby has all that the primary has.
    pub(super) async fn caught_up(&self) {
        let caught_up = "SELECT flush_lsn = pg_current_wal_flush_lsn() FROM pg_stat_replication";
        self.primary.until(caught_up).await;
    }

    /// Cuts the standby off: what is written from now on it does not get.
    pub(super) async fn part(&self) {
        let standby = &self.standby;
        standby
            .execute("ALTER SYSTEM SET primary_conninfo = ''")
            .await;
        standby.execute("SELECT pg_reload_conf()").await;
        let gone = "SELECT count(*) = 0 FROM pg_stat_replication";
        self.primary.until(gone).await;
    }
}

impl Node {
    fn in_folder(data: PathBuf) -> Self {
        // Free now, and given to nobody else for a while.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self {
            data,
            address: free.local_addr().expect("an address"),
            process: None,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it, and waits until it answers.
    pub(super) async fn start(&mut self) {
        let port = format!("--port={}", self.address.port());
        let data = self.data.display().to_string();
        let local = ["--listen_addresses=127.0.0.1", "--unix_socket_directories="];
        let arguments = [&["-D", &data, &port], &local[..]].concat();
        self.process = Some(Process::start(program("postgres", &arguments)));
        eventually("the server's start", || async {
            PgConnection::connect(&url(self.address)).await.ok()
        })
        .await;
    }

    /// Ends it at once, as a crash does: nobody is told anything, and nothing is tidied up.
    pub(super) async fn crash(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal("QUIT");
        process.ended().await;
    }

    /// Has the standby take over.
    pub(super) async fn promote(&mut self) {
        if self.process.is_none() {
            self.start().await;
        }
        // A standby may end a statement that is in the way of its recovery.
        self.until("SELECT NOT pg_is_in_recovery() OR pg_promote(wait => false)")
            .await;
        self.until("SELECT NOT pg_is_in_recovery()").await;
    }

    /// Runs a statement.
    pub(super) async fn execute(&self, sql: &str) {
        let connection = PgConnection::connect(&url(self.address)).await;
        let mut connection = connection.expect("the server answers");
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        done.await.expect("a statement");
    }

    /// Waits until a statement says yes.
    pub(super) async fn until(&self, sql: &str) {
        eventually(sql, async || {
            let mut connection = PgConnection::connect(&url(self.address)).await.ok()?;
            let asked = sqlx::query_scalar(AssertSqlSafe(sql));
            let yes: Option<Option<bool>> = asked.fetch_optional(&mut connection).await.ok()?;
            yes.flatten().filter(|yes| *yes)
        })
        .await;
    }
}

async fn run(name: &str, arguments: &[&str]) {
    let ended = Process::start(program(name, arguments)).ended().await;
    assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
}

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = postgres_program(name);
    command.args(arguments);
    command
}
