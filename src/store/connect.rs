//! From a database's URL to a store.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use sqlx::{
    Connection, Database, Executor, FromRow, IntoArguments, PgConnection, Postgres, Sqlite,
    SqliteConnection,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};

use super::{
    Error, Store,
    connection::connect,
    lock::{FileLock, LockError, make_private},
    sql::{SqlStore, connect_postgres, connect_sqlite, postgres, sqlite},
};
use crate::metrics::Metrics;

/// Where the rows are kept.
#[derive(Clone)]
pub enum Address {
    /// An SQLite file.
    Sqlite(Box<SqliteConnectOptions>),
    /// A Postgres database.
    Postgres(Box<PgConnectOptions>),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        // Errors of the parsers may quote the URL, which may hold a password.
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" if url.contains(":memory:") || url.contains("mode=memory") => {
                Err("an SQLite database in memory would not outlive the process".into())
            }
            "sqlite" => sqlite::options(url)
                .map(|options| Self::Sqlite(Box::new(options)))
                .map_err(|_| "not a URL of an SQLite file, such as sqlite://letterbox.db".into()),
            "postgres" | "postgresql" => postgres::options(url)
                .map(|options| Self::Postgres(Box::new(options)))
                .map_err(|_| {
                    "not a URL of a Postgres database, such as postgres://user@host/name".into()
                }),
            _ => Err("must begin with sqlite: or postgres:".into()),
        }
    }
}

impl Address {
    /// What can be seen to be wrong with it before anything is opened.
    pub fn problem(&self) -> Option<String> {
        let Self::Sqlite(options) = self else {
            return None;
        };
        let file = options.get_filename();
        let Some(folder) = file.parent() else {
            return Some("it names no file".to_owned());
        };
        if file.is_dir() {
            return Some(format!("{} is a folder", file.display()));
        }
        let missing = folder != Path::new("") && !folder.exists();
        missing.then(|| format!("there is no folder {}", folder.display()))
    }
}

impl fmt::Display for Address {
    /// Names the database without its password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(options) => {
                write!(
                    formatter,
                    "SQLite file {}",
                    options.get_filename().display()
                )
            }
            Self::Postgres(options) => write!(
                formatter,
                "Postgres database {} at {}:{}",
                options
                    .get_database()
                    .unwrap_or_else(|| options.get_username()),
                options.get_host(),
                options.get_port()
            ),
        }
    }
}

/// Why a database could not be opened; for the operator, so it names what was tried.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("cannot open the {0}: {1}")]
    Locked(String, String),
    /// It cannot be reached, or is not a database.
    #[error("cannot open the {0}: {1}")]
    Connect(String, #[source] sqlx::Error),
    /// Its tables cannot be brought up to date.
    #[error("cannot bring the tables of the {0} up to date: {1}")]
    Migrate(String, #[source] MigrateError),
    /// Its tables are not Letterbox's.
    #[error("cannot use the {0}: {1}")]
    Store(String, String),
}

/// Opens a store; its tables are made and brought up to date first.
///
/// What happens to it is counted by `metrics`.
pub async fn open(address: &Address, metrics: Arc<Metrics>) -> Result<Arc<dyn Store>, OpenError> {
    let lock = migrate_locked(address).await?;
    let connected = |error| OpenError::Connect(address.to_string(), error);
    let usable = |error: Error| OpenError::Store(address.to_string(), error.to_string());
    match address {
        Address::Sqlite(options) => {
            let lock = lock.ok_or_else(|| {
                OpenError::Locked(address.to_string(), "its lock was not taken".into())
            })?;
            let (pools, extras) = connect_sqlite((**options).clone(), lock, &metrics)
                .await
                .map_err(connected)?;
            let store = SqlStore::<Sqlite>::new(pools, extras, metrics).await;
            Ok(Arc::new(store.map_err(usable)?))
        }
        Address::Postgres(options) => {
            let (pools, extras) = connect_postgres((**options).clone(), &metrics)
                .await
                .map_err(connected)?;
            let store = SqlStore::<Postgres>::new(pools, extras, metrics).await;
            Ok(Arc::new(store.map_err(usable)?))
        }
    }
}

/// Brings a database's tables up to date.
pub async fn migrate(address: &Address) -> Result<(), OpenError> {
    migrate_locked(address).await.map(|_lock| ())
}

/// The migrations that a database lacks, by name; nothing is changed, and no file is made.
pub async fn missing_migrations(address: &Address) -> Result<Vec<String>, OpenError> {
    let connected = |error| OpenError::Connect(address.to_string(), error);
    let (migrations, applied) = match address {
        Address::Sqlite(options) => {
            let migrations = &sqlite::MIGRATIONS;
            if !options.get_filename().exists() {
                return Ok(missing(migrations, &[]));
            }
            // As the file is, without the settings of a server, which would write to an empty one.
            let options = SqliteConnectOptions::new()
                .filename(options.get_filename())
                .read_only(true);
            let connection = connect::<SqliteConnection>(&options).await;
            let mut connection = connection.map_err(connected)?;
            (migrations, applied(&mut connection, SQLITE_HAS_LIST).await)
        }
        Address::Postgres(options) => {
            let connection = connect::<PgConnection>(options).await;
            let mut connection = connection.map_err(connected)?;
            let applied = applied(&mut connection, POSTGRES_HAS_LIST).await;
            (&postgres::MIGRATIONS, applied)
        }
    };
    Ok(missing(migrations, &applied.map_err(connected)?))
}

/// Whether there is a list of the migrations that were applied.
const SQLITE_HAS_LIST: &str =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
const POSTGRES_HAS_LIST: &str = "SELECT count(to_regclass('_sqlx_migrations'))";

/// The versions of the migrations that were applied.
async fn applied<C>(connection: &mut C, has_list: &'static str) -> sqlx::Result<Vec<i64>>
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
    for<'r> (i64,): FromRow<'r, <C::Database as Database>::Row>,
    <C::Database as Database>::Arguments: IntoArguments<C::Database>,
{
    let (lists,): (i64,) = sqlx::query_as(has_list).fetch_one(&mut *connection).await?;
    if lists == 0 {
        return Ok(Vec::new());
    }
    let versions = "SELECT version FROM _sqlx_migrations WHERE success";
    let versions: Vec<(i64,)> = sqlx::query_as(versions).fetch_all(&mut *connection).await?;
    Ok(versions.into_iter().map(|(version,)| version).collect())
}

fn missing(migrations: &Migrator, applied: &[i64]) -> Vec<String> {
    let missing = migrations
        .iter()
        .filter(|migration| !applied.contains(&migration.version));
    let names =
        missing.map(|migration| format!("{:04} {}", migration.version, migration.description));
    names.collect()
}

/// Brings the tables up to date; an SQLite file stays locked.
async fn migrate_locked(address: &Address) -> Result<Option<FileLock>, OpenError> {
    let connected = |error| OpenError::Connect(address.to_string(), error);
    match address {
        Address::Sqlite(options) => {
            let lock = FileLock::take(options.get_filename());
            let lock = lock.map_err(|error: LockError| {
                OpenError::Locked(address.to_string(), error.to_string())
            })?;
            make_private(options.get_filename());
            let mut connection = connect::<SqliteConnection>(options)
                .await
                .map_err(connected)?;
            run(address, &sqlite::MIGRATIONS, &mut connection).await?;
            // A file that can only be read is opened all the same, and every write would fail.
            let nothing = connection.execute("DELETE FROM log_heads WHERE false");
            nothing.await.map_err(connected)?;
            connection.close().await.map_err(connected)?;
            Ok(Some(lock))
        }
        Address::Postgres(options) => {
            let mut connection = connect::<PgConnection>(options).await.map_err(connected)?;
            run(address, &postgres::MIGRATIONS, &mut connection).await?;
            connection.close().await.map_err(connected)?;
            Ok(None)
        }
    }
}

async fn run<C>(
    address: &Address,
    migrations: &Migrator,
    connection: &mut C,
) -> Result<(), OpenError>
where
    C: sqlx::migrate::Migrate,
{
    let migrator = Migrator {
        // A newer version may have been here: its tables serve this one too.
        ignore_missing: true,
        migrations: migrations.migrations.clone(),
        ..Migrator::DEFAULT
    };
    migrator
        .run_direct(None, connection, false)
        .await
        .map_err(|error| OpenError::Migrate(address.to_string(), error))
}
