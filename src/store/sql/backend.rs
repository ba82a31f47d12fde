//! All that the two databases disagree on.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::Database;
use uuid::Uuid;

use super::insert::{Commit, Insert, Rows};
use crate::{
    model::{EventId, TenantId},
    store::{Error, Result, Writing},
};

/// A database that [`SqlStore`](super::SqlStore) can keep its tables in.
pub(crate) trait Backend: Database + Sized {
    /// What it needs besides its connections.
    type Extras: Send + Sync + 'static;

    /// Begins a transaction that is going to write.
    const BEGIN: &'static str;

    /// How writes share it.
    const WRITING: Writing;

    /// Whether reads are made together. Those that are hold no [`ReadPermit`].
    const READS_TOGETHER: bool;

    /// Translates a statement from SQLite's dialect.
    fn dialect(sql: &str) -> String;

    /// The text of INSERTs that are run together; `$1` is the tenant, then come the rows, and then,
    /// where they are committed at once, what [`insert_and_commit`](Self::insert_and_commit) adds.
    fn inserts(inserts: &[&Insert], commit: Commit) -> String;

    /// Whether several may be run together.
    fn inserts_together(extras: &Self::Extras) -> bool;

    /// What there is to be done about a failure.
    fn classify(error: sqlx::Error) -> Error;

    /// Runs a statement that answers with one JSON text, or with no row.
    fn fetch(
        connection: &mut Self::Connection,
        sql: &Arc<str>,
        params: &[Param<'_>],
    ) -> impl Future<Output = sqlx::Result<Option<String>>> + Send;

    /// The text that makes several reads in one tenant, given the one that makes one, and parameters like theirs.
    fn together(sql: &str, params: &[Param<'_>]) -> String;

    /// Runs such a text; says what each read is answered, in their order.
    fn fetch_together(
        connection: &mut Self::Connection,
        sql: &Arc<str>,
        reads: &[&[Param<'_>]],
    ) -> impl Future<Output = sqlx::Result<Vec<Option<String>>>> + Send;

    /// Runs a statement for its effect; says how many rows it wrote.
    fn execute(
        connection: &mut Self::Connection,
        sql: &Arc<str>,
        params: &[Param<'_>],
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs a statement that has neither parameters nor an answer.
    fn run(
        connection: &mut Self::Connection,
        sql: &'static str,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Runs such a text; says how many rows it wrote.
    fn insert(
        connection: &mut Self::Connection,
        sql: &Arc<str>,
        tenant: &TenantId,
        rows: &[&Rows<'_>],
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs such a text that commits at once: where it is still so what the rows were decided on, and
    /// nobody has the tenant's turn. Says how many rows it wrote, which is all or none. After a
    /// refusal the connection may be amid a transaction.
    fn insert_and_commit(
        connection: &mut Self::Connection,
        sql: &Arc<str>,
        tenant: &TenantId,
        rows: &[&Rows<'_>],
        basis: Basis,
    ) -> impl Future<Output = Result<u64, Unsaved>> + Send;

    /// Runs before each read, and holds off what must not run beside it.
    fn read_permit(extras: &Self::Extras) -> impl Future<Output = Option<ReadPermit<'_>>> + Send;

    /// Whether so much is not in the database's own file yet that it is to be taken in.
    fn has_much_to_take_in(extras: &Self::Extras) -> bool;

    /// Takes it in, over a connection that writes.
    fn take_in(
        extras: &Self::Extras,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = ()> + Send;

    /// How large the file is that holds what is not in the database's own file yet, in bytes.
    fn log_bytes(extras: &Self::Extras) -> u64;

    /// What the operator should know of how the database is set up.
    fn concern(extras: &Self::Extras) -> Option<String>;

    /// Runs after all connections have been closed.
    fn closed(extras: &Self::Extras);

    /// Whether no other process serves the database, so that there is nobody to tell anything.
    fn is_alone(extras: &Self::Extras) -> bool;

    /// Tells the other processes which tenants' logs have grown.
    fn announce(
        extras: &Self::Extras,
        connection: &mut Self::Connection,
        tenants: &[TenantId],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Waits for such an announcement, of another process.
    fn announced(extras: &Self::Extras) -> impl Future<Output = Option<Vec<TenantId>>> + Send;
}

/// Why something is not saved, or may not be.
#[derive(Debug)]
pub(crate) enum Unsaved {
    /// The database refuses it.
    Refused(sqlx::Error),
    /// What it would have said was not heard.
    Unheard(sqlx::Error),
}

/// Held while a read runs.
pub(crate) type ReadPermit<'a> = tokio::sync::RwLockReadGuard<'a, ()>;

/// Spells the joins `EACH table alias WHERE condition DONE`: for each row before it, the rows of
/// the table that the condition finds, and never the other way round.
pub(super) fn each(sql: &str, join: impl Fn(&str, &str, &str) -> String) -> String {
    let mut parts = sql.split("EACH ");
    let mut spelt = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (inside, rest) = part.split_once(" DONE").unwrap_or((part, ""));
        let (named, condition) = inside.split_once(" WHERE ").unwrap_or((inside, "TRUE"));
        let (table, alias) = named.split_once(' ').unwrap_or((named, named));
        spelt.push_str(&join(table, alias, condition));
        spelt.push_str(rest);
    }
    spelt
}

/// Spells the function `numbers_of(column)`: the numbers that stand between commas.
pub(super) fn numbers_of(sql: &str, function: impl Fn(&str) -> String) -> String {
    let mut parts = sql.split("numbers_of(");
    let mut spelt = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, rest) = part.split_once(')').unwrap_or((part, ""));
        spelt.push_str(&function(column));
        spelt.push_str(rest);
    }
    spelt
}

/// What was so when a batch was loaded, and is to be so when it is saved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Basis {
    /// The event that the log ends with.
    pub(super) newest: EventId,
    /// What marks the last change that no event tells of.
    pub(super) unlogged: i64,
}

/// A statement's parameter.
pub(crate) enum Param<'a> {
    Text(&'a str),
    OwnText(String),
    Int(i64),
    Id(Uuid),
    /// A JSON array, an element a row.
    Rows(Box<RawValue>),
}

impl Param<'_> {
    /// The same, for as long as it is needed.
    pub(super) fn to_owned(&self) -> Param<'static> {
        match self {
            Self::Text(text) => Param::OwnText((*text).to_owned()),
            Self::OwnText(text) => Param::OwnText(text.clone()),
            Self::Int(number) => Param::Int(*number),
            Self::Id(id) => Param::Id(*id),
            Self::Rows(rows) => Param::Rows(rows.clone()),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::OwnText(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            _ => None,
        }
    }
}

/// Rows as one parameter, each an array of its columns.
pub(crate) fn json_rows<Row: Serialize>(rows: &[Row]) -> Result<Param<'static>> {
    serde_json::value::to_raw_value(rows)
        .map(Param::Rows)
        .map_err(Error::defect)
}

/// Binds a statement's parameters, in their order.
macro_rules! bind {
    ($query:expr, $params:expr) => {{
        let mut query = $query;
        for param in $params {
            query = match param {
                Param::Text(text) => query.bind(*text),
                Param::OwnText(text) => query.bind(text.as_str()),
                Param::Int(number) => query.bind(*number),
                Param::Id(id) => query.bind(*id),
                Param::Rows(rows) => query.bind(sqlx::types::Json(&**rows)),
            };
        }
        query
    }};
}
pub(super) use bind;

/// Implements the calls of [`Backend`] for one of sqlx's drivers.
///
/// The drivers' types share no trait that could say "binds these four and decodes a text".
macro_rules! calls {
    () => {
        async fn fetch(
            connection: &mut Self::Connection,
            sql: &Arc<str>,
            params: &[Param<'_>],
        ) -> sqlx::Result<Option<String>> {
            let sql = sqlx::AssertSqlSafe(Arc::clone(sql));
            let query = $crate::store::sql::backend::bind!(sqlx::query_scalar(sql), params);
            let found: Option<Option<String>> = query.fetch_optional(connection).await?;
            Ok(found.flatten())
        }

        async fn execute(
            connection: &mut Self::Connection,
            sql: &Arc<str>,
            params: &[Param<'_>],
        ) -> sqlx::Result<u64> {
            let sql = sqlx::AssertSqlSafe(Arc::clone(sql));
            let query = $crate::store::sql::backend::bind!(sqlx::query(sql), params);
            Ok(query.execute(connection).await?.rows_affected())
        }

        async fn run(connection: &mut Self::Connection, sql: &'static str) -> sqlx::Result<()> {
            sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
        }
    };
}
pub(super) use calls;
