//! A Postgres of the test's own, which can be killed and started again.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::disk::Disk;
use crate::support::*;

/// A Postgres that ends with the test.
pub(crate) struct OwnPostgres {
    folder: TempDir,
    /// What the folder lies on, where that is small.
    disk: Option<Disk>,
    port: u16,
    process: Mutex<Option<Child>>,
}

impl OwnPostgres {
    /// Starts one on a new folder, with fsync and all else as it comes.
    pub(crate) async fn start() -> Self {
        Self::start_in(postgres_folder(), None).await
    }

    /// Starts one on a small disk.
    pub(crate) async fn start_on(disk: Disk) -> Self {
        Self::start_in(disk.folder(), Some(disk)).await
    }

    async fn start_in(folder: TempDir, disk: Option<Disk>) -> Self {
        give_to_postgres(folder.path());
        let made = postgres_program("initdb")
            .arg("--pgdata")
            .arg(data(folder.path()))
            .args(["--no-sync", "--username=postgres", "--auth=trust"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"])
            .stdout(Stdio::null())
            .status()
            .expect("initdb is there");
        assert!(made.success(), "a cluster is made");
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port that is free");
        let port = socket.local_addr().expect("it is bound").port();
        drop(socket);
        let postgres = Self {
            folder,
            disk,
            port,
            process: Mutex::new(None),
        };
        postgres.go_on().await;
        postgres
    }

    /// The URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What its data lies on, where that is small.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref()
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as `kill -9` does. Its children find out by themselves.
    pub(crate) async fn kill(&self) {
        let mut process = self.process.lock().await;
        if let Some(mut process) = process.take() {
            process.kill().expect("a process can be killed");
            process.wait().expect("a child can be waited for");
        }
    }

    /// Starts it where it was killed, and waits until it answers.
    pub(crate) async fn go_on(&self) {
        let mut process = self.process.lock().await;
        recovery(async {
            while !self.answers().await {
                let running = process.as_mut().is_some_and(|process| {
                    let ended = process.try_wait().expect("a child can be waited for");
                    ended.is_none()
                });
                // While children of the one before live, it does not start.
                if !running {
                    *process = Some(self.spawn());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Waits until it answers, however it comes to.
    pub(crate) async fn recovered(&self) {
        recovery(async {
            while !self.answers().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    async fn answers(&self) -> bool {
        PgConnection::connect(&self.url("postgres")).await.is_ok()
    }

    fn spawn(&self) -> Child {
        let mut program = postgres_program("postgres");
        if self.disk.is_some() {
            // Its log, of which it would keep up to 1 GiB, is not to fill the disk by itself.
            program.args(["-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"]);
        }
        program
            .arg("-D")
            .arg(data(self.folder.path()))
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "shared_buffers=32MB", "-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is there")
    }

    /// Runs a statement in one of its databases.
    pub(crate) async fn execute(&self, database: &str, sql: &str) -> sqlx::Result<()> {
        let mut connection = PgConnection::connect(&self.url(database)).await?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        connection.close().await
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if let Some(process) = self.process.get_mut() {
            // QUIT is its fastest way to stop, with its children.
            crate::processes::send_signal(process.id(), "QUIT");
            let _ = process.wait();
        }
    }
}

/// How long it may take to come back: it syncs all of its files first, which takes seconds where
/// others use the disk.
const RECOVERY_MAX: Duration = Duration::from_mins(1);

async fn recovery(done: impl Future<Output = ()>) {
    let done = tokio::time::timeout(RECOVERY_MAX, done).await;
    done.expect("Postgres comes back");
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}
