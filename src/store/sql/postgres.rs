//! Postgres: any number of replicas, a turn a tenant, wake-ups over LISTEN.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Arguments, AssertSqlSafe, Connection, Executor, PgConnection, Postgres,
    error::{BoxDynError, DatabaseError},
    migrate::Migrator,
    postgres::{
        PgArguments, PgConnectOptions, PgDatabaseError, PgListener, PgNotification, PgPoolOptions,
        PgSeverity,
    },
};
use tokio::{sync::Mutex, time::timeout};

use super::{
    Backend, Param,
    backend::{ReadPermit, Unsaved, calls, each, numbers_of},
    insert::{Commit, Insert, Kind, Rows, Value},
    kept::{Kept, answer},
    shared::Pools,
};
use crate::{
    metrics::{self, Metrics},
    model::{EventId, TenantId},
    store::{Error, Result, Writing, connect::connect as connect_once},
};

/// The schema.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How many batches, of as many tenants, are written side by side.
const WRITERS: u32 = 4;

/// How many reads run side by side.
const READERS: u32 = 16;

/// How many reads of the log run side by side.
const FEED_READERS: u32 = 4;

/// Where replicas tell each other which tenants' logs have grown.
const CHANNEL: &str = "letterbox";

/// Postgres limits a notification to 8,000 bytes.
const PAYLOAD_BYTES_MAX: usize = 7_000;

/// How long to wait before listening anew.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// How long nothing is heard before the connection is asked whether it lives.
const LISTEN_QUIET: Duration = Duration::from_secs(30);

/// What each connection settles for itself, whatever the server's defaults are.
///
/// - Every statement is a walk along an index; a planner that finds otherwise on fresh tables
///   without statistics would read a whole tenant. Joins are in the order that they are written
///   in. Compiling such statements costs more than running them, and so does planning them for
///   each run's values: there is one plan, unless Citus has to find a tenant's node by it.
/// - `synchronous_commit` is never below `on`: an answer means durable.
/// - A client that is gone is found out, so that it does not keep a turn.
pub(super) const SESSION: &str = "
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET enable_sort = off; SET enable_material = off;
    SET enable_memoize = off; SET join_collapse_limit = 1; SET jit = off;
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false)
        WHERE to_regclass('pg_dist_partition') IS NULL;
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');
    SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// A tenant's head row, locked until the commit, if the log still ends with an event and nobody else
/// has the turn.
///
/// Whoever has it is not waited for: the statement sees what was committed when it began. One that
/// has committed since then has written to the position that this one is going to.
const NOBODY_ELSES_HEAD: &str = "head AS (SELECT tenant FROM log_heads WHERE tenant = $1 AND
    (SELECT id FROM events WHERE tenant = $1 ORDER BY position DESC LIMIT 1) = $newest
    FOR UPDATE SKIP LOCKED)";

/// What a Postgres store needs besides its connections.
pub(crate) struct Extras {
    options: PgConnectOptions,
    listener: Mutex<Option<PgListener>>,
    /// A server can be told to forget what it acknowledged; then so would we.
    fsync: String,
    /// Citus spreads the tables over machines. It runs an INSERT … SELECT where the tenant lies if
    /// that is all of the statement.
    distributed: bool,
}

/// Connects to a database whose tables are up to date.
pub(crate) async fn connect(
    options: PgConnectOptions,
    metrics: &Arc<Metrics>,
) -> sqlx::Result<(Pools<Postgres>, Extras)> {
    let mut connection: PgConnection = connect_once(&options).await?;
    let (fsync, distributed): (String, bool) = sqlx::query_as(
        "SELECT current_setting('fsync'), to_regclass('pg_dist_partition') IS NOT NULL",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    // Lazy, so that what comes out of a pool is always new: what is used again is `Kept`.
    let readers = pool(READERS).connect_lazy_with(options.clone());
    let writers = pool(WRITERS).connect_lazy_with(options.clone());
    let feed = pool(FEED_READERS).connect_lazy_with(options.clone());
    let pools = Pools {
        writers: Kept::new(writers, metrics::Pool::Writers, metrics),
        readers: Kept::new(readers, metrics::Pool::Readers, metrics),
        feed: Kept::new(feed, metrics::Pool::Feed, metrics),
    };
    let extras = Extras {
        options,
        listener: Mutex::new(None),
        fsync,
        distributed,
    };
    Ok((pools, extras))
}

/// How a database is reached.
pub(crate) fn options(url: &str) -> sqlx::Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.application_name("letterbox"))
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        // It would cost a round trip before every statement.
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) })
        })
}

impl Backend for Postgres {
    type Extras = Extras;

    // Not left to the server's default: a turn must see what was committed before it.
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";

    const WRITING: Writing = Writing::SideBySide(WRITERS as usize);

    fn dialect(sql: &str) -> String {
        // A subquery that is not to be pulled up keeps a join in the order that it is written in.
        let sql = each(sql, |table, alias, condition| {
            format!("LATERAL (SELECT * FROM {table} {alias} WHERE {condition} OFFSET 0) AS {alias}")
        });
        let sql = numbers_of(&sql, |column| {
            format!(
                "LATERAL (SELECT unnest(CAST(string_to_array({column}, ',') AS bigint[])) AS value)"
            )
        });
        sql.replace("rows_of(", "jsonb_array_elements(")
            .replace("elements_of(", "json_array_elements(")
            .replace("nested(", "(")
            .replace("json_group_array(", "json_agg(")
            .replace("json_array(", "json_build_array(")
            .replace("unhex(", "uuid(")
            .replace("hex(", "text(")
    }

    /// One statement, in one round trip. The INSERTs see the tables as they were before it, and
    /// none of them needs another. The rows are an array a column: as JSON, taking them apart was a
    /// quarter of what a batch cost.
    fn inserts(inserts: &[&Insert], commit: Commit) -> String {
        let mut parameters = 2..;
        let heads = match commit {
            Commit::Later => "log_heads",
            Commit::AtOnce => "head",
        };
        let mut texts = inserts.iter().map(|insert| {
            let columns = insert.columns.iter().zip(&mut parameters);
            let (names, arrays): (Vec<String>, Vec<String>) = columns
                .map(|((name, kind), parameter)| {
                    (
                        format!("r.{name}"),
                        format!("${parameter}::{}[]", kind.postgres()),
                    )
                })
                .unzip();
            let names_of_rows = names.join(", ").replace("r.", "");
            let rows = format!("unnest({}) AS r ({names_of_rows})", arrays.join(", "));
            insert.text(heads, &names, &rows)
        });
        if let ([_], Commit::Later) = (inserts, commit) {
            return texts.next().unwrap_or_default();
        }
        let (mut parts, counts): (Vec<_>, Vec<_>) = texts
            .by_ref()
            .enumerate()
            .map(|(index, insert)| {
                (
                    format!("insert{index} AS ({insert} RETURNING 1)"),
                    format!("(SELECT count(*) FROM insert{index})"),
                )
            })
            .unzip();
        drop(texts);
        if let (Commit::AtOnce, Some(newest)) = (commit, parameters.next()) {
            parts.insert(
                0,
                NOBODY_ELSES_HEAD.replace("$newest", &format!("${newest}")),
            );
        }
        format!("WITH {}\nSELECT {}", parts.join(",\n"), counts.join(" + "))
    }

    fn inserts_together(extras: &Extras) -> bool {
        !extras.distributed
    }

    async fn insert(
        connection: &mut PgConnection,
        sql: &Arc<str>,
        tenant: &TenantId,
        rows: &[&Rows<'_>],
    ) -> sqlx::Result<u64> {
        let arguments = arguments(tenant, rows).map_err(sqlx::Error::Encode)?;
        let sql = AssertSqlSafe(Arc::clone(sql));
        if let [_] = rows {
            let done = sqlx::query_with(sql, arguments).execute(connection).await?;
            return Ok(done.rows_affected());
        }
        let query = sqlx::query_scalar_with(sql, arguments);
        let written: i64 = query.fetch_one(connection).await?;
        Ok(written.unsigned_abs())
    }

    async fn insert_and_commit(
        connection: &mut PgConnection,
        sql: &Arc<str>,
        tenant: &TenantId,
        rows: &[&Rows<'_>],
        newest: EventId,
    ) -> Result<u64, Unsaved> {
        let mut arguments = arguments(tenant, rows).map_err(encoding)?;
        arguments.add(newest.0).map_err(encoding)?;
        let sql = AssertSqlSafe(Arc::clone(sql));
        let query = sqlx::query_scalar_with(sql, arguments);
        // The answer is read to its end, which the server sends when it has committed.
        let written: i64 = query.fetch_one(connection).await.map_err(unsaved)?;
        Ok(written.unsigned_abs())
    }

    fn classify(error: sqlx::Error) -> Error {
        let code = error.as_database_error().and_then(DatabaseError::code);
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match code.as_deref() {
            // query_canceled (by statement_timeout), lock_not_available
            Some("57014" | "55P03") => Error::TurnTimedOut,
            // Data exception, integrity constraint violation, program limit exceeded
            Some(code)
                if ["22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class)) =>
            {
                Error::Data(error.into())
            }
            // Syntax error or access rule violation
            Some(code) if code.starts_with("42") => Error::Defect(error.into()),
            _ => Error::Unavailable(error.into()),
        }
    }

    calls!();

    async fn read_permit(_: &Extras) -> Option<ReadPermit<'_>> {
        None
    }

    async fn committed(_: &Extras, _: &mut PgConnection) {}

    fn log_bytes(_: &Extras) -> u64 {
        0
    }

    fn concern(extras: &Extras) -> Option<String> {
        let fsync = &extras.fsync;
        (fsync != "on").then(|| {
            format!("Postgres runs with fsync = {fsync}: a crash can lose what was acknowledged")
        })
    }

    fn closed(_: &Extras) {}

    async fn announce(connection: &mut PgConnection, tenants: &[TenantId]) -> sqlx::Result<()> {
        let names: Vec<&str> = tenants.iter().map(TenantId::as_str).collect();
        let mut payload = names.join(" ");
        if payload.len() > PAYLOAD_BYTES_MAX {
            // None named: look at all.
            payload.clear();
        }
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(payload)
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn announced(extras: &Extras) -> Option<Vec<TenantId>> {
        let mut listener = extras.listener.lock().await;
        let Some(connected) = listener.as_mut() else {
            match listen(&extras.options).await {
                // What was announced meanwhile is unknown: look at all.
                Ok(connected) => *listener = Some(connected),
                Err(error) => {
                    // The poll carries the feed until then.
                    tracing::debug!(%error, "cannot listen for other replicas");
                    tokio::time::sleep(LISTEN_AGAIN).await;
                }
            }
            return None;
        };
        match hear(connected).await {
            Ok(Some(notification)) => {
                let names = notification.payload().split_ascii_whitespace();
                let tenants: Vec<TenantId> = names.filter_map(TenantId::parse).collect();
                (!tenants.is_empty()).then_some(tenants)
            }
            Ok(None) => None,
            Err(error) => {
                tracing::debug!(%error, "lost the connection that listens for other replicas");
                *listener = None;
                None
            }
        }
    }
}

impl Kind {
    fn postgres(self) -> &'static str {
        match self {
            Self::Id => "uuid",
            Self::Int => "bigint",
            Self::Text => "text",
        }
    }
}

fn encoding(error: BoxDynError) -> Unsaved {
    Unsaved::Refused(sqlx::Error::Encode(error))
}

/// An error of a statement rolls it back; what ends a whole session may have come after the commit.
fn unsaved(error: sqlx::Error) -> Unsaved {
    let reason = error.as_database_error();
    let reason = reason.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    match reason.map(PgDatabaseError::severity) {
        Some(PgSeverity::Error) => Unsaved::Refused(error),
        _ => Unsaved::Unheard(error),
    }
}

/// The tenant, and rows as an array a column.
fn arguments(tenant: &TenantId, rows: &[&Rows<'_>]) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    arguments.add(tenant.as_str())?;
    for rows in rows {
        add_columns(&mut arguments, rows)?;
    }
    Ok(arguments)
}

/// Adds rows as an array a column.
fn add_columns(arguments: &mut PgArguments, rows: &Rows<'_>) -> Result<(), BoxDynError> {
    for (index, (_, kind)) in rows.insert.columns.iter().enumerate() {
        let column = rows.column(index);
        match kind {
            Kind::Id => arguments.add(column.map(Value::id).collect::<Vec<_>>())?,
            Kind::Int => arguments.add(column.map(Value::int).collect::<Vec<_>>())?,
            Kind::Text => arguments.add(column.map(Value::text).collect::<Vec<_>>())?,
        }
    }
    Ok(())
}

/// Waits for a notification; none where some may have been lost.
async fn hear(listener: &mut PgListener) -> Result<Option<PgNotification>> {
    loop {
        match timeout(LISTEN_QUIET, listener.try_recv()).await {
            Ok(heard) => return heard.map_err(Postgres::classify),
            // A connection that was cut without a word is as quiet as one where nothing happens.
            Err(_) => answer::<Postgres, _>(listener.execute("SELECT 1")).await?,
        };
    }
}

async fn listen(options: &PgConnectOptions) -> sqlx::Result<PgListener> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
