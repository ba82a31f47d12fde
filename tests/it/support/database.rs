//! A database of the test's own, gone with it.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

/// The databases that every promise is tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file of the test's own.
    Sqlite,
    /// A database of the test's own, on the server that `scripts/test` has started.
    Postgres,
}

impl Database {
    /// Makes a new, empty database.
    pub(crate) async fn create(self) -> TestDatabase {
        match self {
            Self::Sqlite => TestDatabase::Sqlite(TempDir::new().expect("a folder to write in")),
            Self::Postgres => Self::create_on(&postgres_url()).await,
        }
    }

    /// Makes a new, empty database on the Postgres that a superuser's URL names.
    pub(crate) async fn create_on(server: &str) -> TestDatabase {
        let (server, name) = (server.to_owned(), unique_name());
        statement(&server, format!("CREATE DATABASE {name}")).await;
        TestDatabase::Postgres { server, name }
    }
}

/// A database that is removed when it is dropped.
pub(crate) enum TestDatabase {
    /// The folder that holds the file.
    Sqlite(TempDir),
    /// A superuser's URL of the server, and the database's name.
    Postgres { server: String, name: String },
}

impl TestDatabase {
    /// The URL that the server is given.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => {
                format!("sqlite://{}", folder.path().join("letterbox.db").display())
            }
            Self::Postgres { server, name } => {
                let (server, _) = server.rsplit_once('/').expect("a URL names a database");
                format!("{server}/{name}")
            }
        }
    }

    /// A copy with all that is in it, while nobody uses it.
    pub(crate) async fn copy(&self) -> Self {
        match self {
            Self::Sqlite(folder) => {
                let copy = TempDir::new().expect("a folder to write in");
                for file in folder.path().read_dir().expect("the folder") {
                    let file = file.expect("a file");
                    let to = copy.path().join(file.file_name());
                    std::fs::copy(file.path(), to).expect("a file is copied");
                }
                Self::Sqlite(copy)
            }
            Self::Postgres { server, name } => {
                let copy = unique_name();
                disconnect_all(server, name).await;
                let create = format!("CREATE DATABASE {copy} TEMPLATE {name}");
                statement(server, create).await;
                Self::Postgres {
                    server: server.clone(),
                    name: copy,
                }
            }
        }
    }

    /// Puts a copy of it in its place, whoever uses it; Postgres only.
    pub(crate) async fn restore(&self, copy: Self) {
        let (server, name) = self.server_and_name();
        let (_, copied) = copy.server_and_name();
        statement(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        statement(server, format!("ALTER DATABASE {copied} RENAME TO {name}")).await;
        // It is not there any more.
        std::mem::forget(copy);
    }

    /// Runs a statement in it, past the service.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url(), sql).await;
    }

    /// Shuts everybody out, as an outage does; Postgres only.
    pub(crate) async fn go_down(&self) {
        let (server, name) = self.server_and_name();
        let shut = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
        statement(server, shut).await;
        disconnect_all(server, name).await;
    }

    /// Lets everybody in again.
    pub(crate) async fn come_back(&self) {
        let (server, name) = self.server_and_name();
        let open = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
        statement(server, open).await;
    }

    fn server_and_name(&self) -> (&str, &str) {
        match self {
            Self::Postgres { server, name } => (server, name),
            Self::Sqlite(_) => panic!("an SQLite file has no server that could go down"),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            let server = server.clone();
            // A thread of its own, since the test's runtime cannot wait inside a destructor.
            let dropping = std::thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
                    .block_on(statement(&server, drop));
            });
            let dropped = dropping.join();
            assert!(
                dropped.is_ok() || std::thread::panicking(),
                "the test's database could not be dropped"
            );
        }
    }
}

/// Runs a statement that changes something in a database, past the service.
pub(crate) async fn execute(url: &str, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    let rows = if url.starts_with("sqlite:") {
        let connection = SqliteConnection::connect(url).await;
        let mut connection = connection.expect("the file is a database");
        sql.execute(&mut connection)
            .await
            .expect("a statement")
            .rows_affected()
    } else {
        let connection = PgConnection::connect(url).await;
        let mut connection = connection.expect("the database answers");
        sql.execute(&mut connection)
            .await
            .expect("a statement")
            .rows_affected()
    };
    assert!(rows > 0, "the statement changes something");
}

fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let start = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("it_{}_{}_{count}", process::id(), start.as_micros())
}

async fn disconnect_all(server: &str, name: &str) {
    let sql = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    statement(server, sql).await;
}

async fn statement(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server)
        .await
        .expect("the Postgres to test on answers");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .expect("a superuser can manage databases");
}

fn postgres_url() -> String {
    std::env::var("LETTERBOX_TEST_POSTGRES_URL").expect(
        "LETTERBOX_TEST_POSTGRES_URL names no Postgres to test on: run ./scripts/test, which brings one",
    )
}
