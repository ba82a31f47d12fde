//! Postgres: any number of replicas, a turn a tenant, wake-ups over LISTEN.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Arguments, AssertSqlSafe, Connection, Executor, PgConnection, Postgres,
    error::{BoxDynError, DatabaseError},
    migrate::Migrator,
    postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions, PgSeverity},
};

use super::{
    Backend, Param,
    announcements::Announcements,
    arrays,
    backend::{Basis, ReadPermit, Unsaved, calls, each, numbers_of},
    insert::{Commit, Insert, Rows},
    kept::Kept,
    shared::Pools,
};
use crate::{
    metrics::{self, Metrics},
    model::TenantId,
    store::{Error, Result, Writing, connection::connect as connect_once},
};

/// The schema.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How many batches, of as many tenants, are written side by side.
const WRITERS: u32 = 4;

/// How many reads run side by side.
const READERS: u32 = 16;

/// How many reads of the log run side by side.
const FEED_READERS: u32 = 4;

/// What each connection settles for itself, whatever the server's defaults are.
///
/// - Every statement is a walk along an index; a planner that finds otherwise on fresh tables
///   without statistics would read a whole tenant. Joins are in the order that they are written
///   in. Compiling such statements costs more than running them, and so does planning them for
///   each run's values: there is one plan, unless Citus has to find a tenant's node by it.
/// - `synchronous_commit` is never below `on`: an answer means durable.
/// - A client that is gone is found out, so that it does not keep a turn.
/// - A standby is refused: what it shows may be older than what was acknowledged. An address that
///   follows the primary can lead to one amid a switchover, and whoever reads there would do so for as
///   long as the connection lasts. A primary does not become a standby without ending its connections.
pub(super) const SESSION: &str = "
    DO $$ BEGIN
        IF pg_is_in_recovery() THEN
            RAISE EXCEPTION 'this server is a standby' USING ERRCODE = 'read_only_sql_transaction';
        END IF;
    END $$;
    SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET enable_sort = off; SET enable_material = off;
    SET enable_memoize = off; SET join_collapse_limit = 1; SET jit = off;
    SELECT set_config('plan_cache_mode', 'force_generic_plan', false)
        WHERE to_regclass('pg_dist_partition') IS NULL;
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');
    SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '5s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// What a Postgres store needs besides its connections.
pub(crate) struct Extras {
    announcements: Announcements,
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
    let (fsync, distributed, mark): (String, bool, String) = sqlx::query_as(
        "SELECT current_setting('fsync'), to_regclass('pg_dist_partition') IS NOT NULL,
            '@' || gen_random_uuid()",
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
        announcements: Announcements::new(options, mark),
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

    const READS_TOGETHER: bool = true;

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

    fn inserts(inserts: &[&Insert], commit: Commit) -> String {
        arrays::inserts(inserts, commit)
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
        let arguments = arrays::arguments(tenant, rows).map_err(sqlx::Error::Encode)?;
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
        basis: Basis,
    ) -> Result<u64, Unsaved> {
        let mut arguments = arrays::arguments(tenant, rows).map_err(encoding)?;
        arguments.add(basis.newest.0).map_err(encoding)?;
        arguments.add(basis.unlogged).map_err(encoding)?;
        let sql = AssertSqlSafe(Arc::clone(sql));
        let query = sqlx::query_scalar_with(sql, arguments);
        // The answer is read to its end, which the server sends when it has committed.
        let heads: i64 = query.fetch_one(connection).await.map_err(unsaved)?;
        let wanted: usize = rows.iter().map(|rows| rows.count()).sum();
        Ok(heads.unsigned_abs() * wanted as u64)
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

    fn together(sql: &str, params: &[Param<'_>]) -> String {
        arrays::together(sql, params)
    }

    async fn fetch_together(
        connection: &mut PgConnection,
        sql: &Arc<str>,
        reads: &[&[Param<'_>]],
    ) -> sqlx::Result<Vec<Option<String>>> {
        let arguments = arrays::of_reads(reads).map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_as_with(AssertSqlSafe(Arc::clone(sql)), arguments);
        let mut answers: Vec<(i64, Option<String>)> = query.fetch_all(connection).await?;
        answers.sort_unstable_by_key(|(place, _)| *place);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    async fn read_permit(_: &Extras) -> Option<ReadPermit<'_>> {
        None
    }

    fn has_much_to_take_in(_: &Extras) -> bool {
        // It looks after its log by itself.
        false
    }

    async fn take_in(_: &Extras, _: &mut PgConnection) {}

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

    fn is_alone(extras: &Extras) -> bool {
        extras.announcements.is_alone()
    }

    async fn announce(
        extras: &Extras,
        connection: &mut PgConnection,
        tenants: &[TenantId],
    ) -> sqlx::Result<()> {
        extras.announcements.tell(connection, tenants).await
    }

    async fn announced(extras: &Extras) -> Option<Vec<TenantId>> {
        extras.announcements.hear().await
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
