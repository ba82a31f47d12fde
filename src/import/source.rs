//! The database that is read: one connection, one snapshot.

use std::str::FromStr;

use futures_util::{TryStreamExt, stream::BoxStream};
use sqlx::{
    AssertSqlSafe, ConnectOptions, FromRow, PgConnection, SqliteConnection,
    postgres::{PgConnectOptions, PgRow},
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::Error;

/// A connection to a database that is only read.
pub(super) enum Source {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A row of either database.
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

/// What everything is read in: for Postgres the isolation, for SQLite it is a transaction anyhow.
const SNAPSHOT: [&str; 2] = [
    "BEGIN",
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
     BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
];

impl Source {
    /// Connects, and begins a snapshot.
    pub(super) async fn open(from: &str) -> Result<Self, Error> {
        let unusable = |problem: &str| Error::Open(problem.to_owned());
        let refused = |error: sqlx::Error| match error.as_database_error() {
            // In its own words, without codes and line numbers of its sources.
            Some(error) => unusable(error.message()),
            None => unusable(&error.to_string()),
        };
        let mut source = if from.starts_with("postgres:") || from.starts_with("postgresql:") {
            // The parser's own words may quote the password.
            let options = PgConnectOptions::from_str(from)
                .map_err(|_| unusable("not a URL such as postgres://user@host/name"))?;
            let connection = options.disable_statement_logging().connect().await;
            Self::Postgres(connection.map_err(refused)?)
        } else {
            let file = from.strip_prefix("sqlite://").unwrap_or(from);
            if file.contains("://") {
                return Err(unusable("neither an SQLite file nor a postgres:// URL"));
            }
            let options = SqliteConnectOptions::new().filename(file).read_only(true);
            let connection = options.disable_statement_logging().connect().await;
            Self::Sqlite(connection.map_err(refused)?)
        };
        let begun = match &mut source {
            Self::Sqlite(connection) => sqlx::raw_sql(SNAPSHOT[0]).execute(connection).await.err(),
            Self::Postgres(connection) => {
                sqlx::raw_sql(SNAPSHOT[1]).execute(connection).await.err()
            }
        };
        begun.map_or(Ok(source), |error| Err(Error::Read(error)))
    }

    /// Rows as they come. What is put into the text are our own words, numbers, and names in
    /// [`quoted`] form.
    pub(super) fn stream<T: Row>(&mut self, sql: String) -> BoxStream<'_, sqlx::Result<T>> {
        match self {
            Self::Sqlite(connection) => sqlx::query_as(AssertSqlSafe(sql)).fetch(connection),
            Self::Postgres(connection) => sqlx::query_as(AssertSqlSafe(sql)).fetch(connection),
        }
    }

    /// All rows.
    pub(super) async fn rows<T: Row>(&mut self, sql: String) -> Result<Vec<T>, Error> {
        let rows = self.stream(sql).try_collect();
        rows.await.map_err(Error::Read)
    }

    /// A count.
    pub(super) async fn count(&mut self, sql: String) -> Result<u64, Error> {
        let rows: Vec<(i64,)> = self.rows(sql).await?;
        let count = rows.first().map_or(0, |(count,)| *count);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// A table's columns, each with its declared type; none: no such table.
    pub(super) async fn columns(&mut self, table: &str) -> Result<Vec<(String, String)>, Error> {
        let table = literal(table);
        let sql = match self {
            Self::Sqlite(_) => format!("SELECT name, type FROM pragma_table_info({table})"),
            Self::Postgres(_) => format!(
                "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute
                WHERE attrelid = to_regclass(quote_ident({table})) AND attnum > 0
                AND NOT attisdropped"
            ),
        };
        self.rows(sql).await
    }

    /// Something as text, in bytes: SQLite does not make sure that they are UTF-8.
    pub(super) fn text(&self, value: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("CAST({value} AS BLOB)"),
            Self::Postgres(_) => format!("convert_to({value}::text, 'UTF8')"),
        }
    }

    /// A time as [`text`](Self::text), in UTC.
    pub(super) fn time(&self, value: &str) -> String {
        match self {
            Self::Sqlite(_) => self.text(value),
            Self::Postgres(_) => self.text(&format!(
                "to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
            )),
        }
    }
}

/// A name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
