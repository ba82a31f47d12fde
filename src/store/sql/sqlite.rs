//! SQLite: an embedded file, one writer, readers beside it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use sqlx::{
    AssertSqlSafe, Database, Either, Executor, Sqlite, SqliteConnection,
    error::DatabaseError,
    migrate::Migrator,
    query::Query,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    types::Json,
};
use tokio::sync::RwLock;

use super::{
    Backend, Param,
    backend::{Basis, ReadPermit, Unsaved, calls, each, numbers_of},
    insert::{Commit, Insert, Kind, Rows},
    kept::Kept,
    shared::Pools,
};
use crate::{
    metrics::{self, Metrics},
    model::TenantId,
    store::{
        Error, Writing,
        lock::{FileLock, beside, followed, open_to_others},
    },
};

/// The schema.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How many reads run side by side.
const READERS: u32 = 4;

/// Beyond this the write-ahead log is taken into the database and starts over.
///
/// Reads that overlap never let it start over by themselves, so it would grow for ever. The more it holds, the
/// more of the pages that are written again and again go into the database once: at 16 MiB a quarter of a
/// writer's time went by with that.
const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The same in SQLite's pages of 4 KiB, for when the file is longer than what it holds.
const WAL_PAGES_MAX: i64 = 16_384;

/// Takes the write-ahead log in, as far as nobody reads what it would overwrite.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Has the write-ahead log start over, where nobody reads it.
///
/// Its file stays, and is written anew from its start: to make it longer commit by commit was a
/// quarter of what a batch cost. Only beyond [`WAL_FILE_BYTES`] is it cut.
///
/// Another program that reads, such as a backup, is not waited for: every batch would wait anew,
/// for as long as its timeout. The log grows meanwhile, and is taken in afterwards.
const START_OVER: &str = "
    PRAGMA busy_timeout = 0;
    PRAGMA wal_checkpoint(RESTART);
    PRAGMA busy_timeout = 5000";

/// How long the file of the write-ahead log stays. A commit may go beyond [`WAL_BYTES_MAX`].
const WAL_FILE_BYTES: &str = "134217728";

/// Does nothing, and tells how many pages the write-ahead log holds.
const WAL_PAGES: &str = "PRAGMA wal_checkpoint(NOOP)";

/// What an SQLite store needs besides its connections.
pub(crate) struct Extras {
    metrics: Arc<Metrics>,
    lock: Mutex<Option<FileLock>>,
    file: PathBuf,
    wal: PathBuf,
    /// Reads hold it shared; a checkpoint waits for them, and holds new ones off.
    reads: RwLock<()>,
}

/// Opens a file whose tables are up to date.
pub(crate) async fn connect(
    options: SqliteConnectOptions,
    lock: FileLock,
    metrics: &Arc<Metrics>,
) -> sqlx::Result<(Pools<Sqlite>, Extras)> {
    let file = options.get_filename().to_owned();

    let writers = pool(1).connect_with(options.clone()).await?;
    let options = options.read_only(true);
    let pools = Pools {
        writers: Kept::new(writers, metrics::Pool::Writers, metrics),
        readers: Kept::new(
            pool(READERS).connect_with(options.clone()).await?,
            metrics::Pool::Readers,
            metrics,
        ),
        feed: Kept::new(
            pool(1).connect_with(options).await?,
            metrics::Pool::Feed,
            metrics,
        ),
    };
    let extras = Extras {
        metrics: Arc::clone(metrics),
        lock: Mutex::new(Some(lock)),
        wal: beside(&file, "-wal"),
        file,
        reads: RwLock::new(()),
    };
    Ok((pools, extras))
}

/// How a file is opened: durable at every commit, and made where it does not exist.
pub(crate) fn options(url: &str) -> sqlx::Result<SqliteConnectOptions> {
    let options: SqliteConnectOptions = url.parse()?;
    let file = followed(options.get_filename());
    Ok(options
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL syncs the write-ahead log at every commit; NORMAL could lose the last ones.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        // The writer does it by itself, by the log's size; SQLite's own way takes hot pages in
        // again and again.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", WAL_FILE_BYTES)
        // What undoes a half-done statement is needed by nobody after a crash.
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", CACHE_KIB))
}

/// How much of the file each connection keeps in memory at most, in KiB; negative, as SQLite
/// takes a positive number for pages.
const CACHE_KIB: &str = "-16384";

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        // A file does not hang up.
        .test_before_acquire(false)
}

/// The disk has no room left. A page that would commit is not whole then, and counts for nothing.
const FULL: u32 = 13;

/// The low byte of an error's code: <https://sqlite.org/rescode.html>
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(DatabaseError::code)?;
    let code: u32 = code.parse().ok()?;
    Some(code & 0xff)
}

fn is_full(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(FULL)
}

type Insertion<'q> = Query<'q, Sqlite, <Sqlite as Database>::Arguments>;

fn insertion<'q>(sql: &Arc<str>, tenant: &'q TenantId, rows: &'q [&Rows<'_>]) -> Insertion<'q> {
    let query = sqlx::query(AssertSqlSafe(Arc::clone(sql))).bind(tenant.as_str());
    rows.iter()
        .fold(query, |query, rows| query.bind(Json(*rows)))
}

impl Backend for Sqlite {
    type Extras = Extras;

    const BEGIN: &'static str = "BEGIN IMMEDIATE";

    const WRITING: Writing = Writing::OneForAll;

    // A statement costs next to nothing to begin, and there is no network.
    const READS_TOGETHER: bool = false;

    fn dialect(sql: &str) -> String {
        let sql = each(sql, |table, alias, condition| {
            format!("{table} {alias} ON {condition}")
        });
        let sql = numbers_of(&sql, |column| format!("jsonb_each('[' || {column} || ']')"));
        sql.replace("rows_of(", "jsonb_each(")
            .replace("elements_of(", "jsonb_each(")
            // A text that is JSON would be quoted.
            .replace("nested(", "json(")
            // The transaction itself is the turn.
            .replace(" FOR UPDATE", "")
    }

    /// One after the other, which the driver runs in one hop to its thread; the rows are JSON.
    fn inserts(inserts: &[&Insert], commit: Commit) -> String {
        let texts = inserts.iter().zip(2..).map(|(insert, parameter)| {
            let columns = insert.columns.iter().enumerate();
            let values: Vec<String> = columns
                .map(|(index, (_, kind))| match kind {
                    Kind::Id => format!("unhex(r.value->>{index})"),
                    _ => format!("r.value->>{index}"),
                })
                .collect();
            let from = format!("log_heads h CROSS JOIN jsonb_each(${parameter}) AS r");
            insert.text(&values, &from)
        });
        let texts = texts.collect::<Vec<_>>().join(";\n");
        match commit {
            Commit::Later => texts,
            Commit::AtOnce => format!("{};\n{texts};\nCOMMIT", Self::BEGIN),
        }
    }

    fn inserts_together(_: &Extras) -> bool {
        true
    }

    async fn insert(
        connection: &mut SqliteConnection,
        sql: &Arc<str>,
        tenant: &TenantId,
        rows: &[&Rows<'_>],
    ) -> sqlx::Result<u64> {
        let query = insertion(sql, tenant, rows);
        Ok(query.execute(connection).await?.rows_affected())
    }

    /// The file is locked for this process, which writes one batch after the other: nobody else has
    /// the turn, and nobody can have written since.
    async fn insert_and_commit(
        connection: &mut SqliteConnection,
        sql: &Arc<str>,
        tenant: &TenantId,
        rows: &[&Rows<'_>],
        _basis: Basis,
    ) -> Result<u64, Unsaved> {
        let mut answers = connection.fetch_many(insertion(sql, tenant, rows));
        let mut written = Vec::with_capacity(rows.len() + 2);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Either::Left(done)) => written.push(done.rows_affected()),
                Ok(Either::Right(_)) => {}
                // All but the COMMIT, which is the last, and may have run out of room.
                Err(error) if written.len() <= rows.len() || is_full(&error) => {
                    return Err(Unsaved::Refused(error));
                }
                Err(error) => return Err(Unsaved::Unheard(error)),
            }
        }
        // BEGIN and COMMIT repeat what the statement before them has written.
        Ok(written.iter().skip(1).take(rows.len()).sum())
    }

    fn classify(error: sqlx::Error) -> Error {
        match primary_code(&error) {
            // TOOBIG, CONSTRAINT, MISMATCH
            Some(18..=20) => Error::Data(error.into()),
            // ERROR: a statement is wrong
            Some(1) => Error::Defect(error.into()),
            Some(FULL) => Error::Full(error.into()),
            _ => Error::Unavailable(error.into()),
        }
    }

    calls!();

    fn together(sql: &str, _: &[Param<'_>]) -> String {
        sql.to_owned()
    }

    async fn fetch_together(
        connection: &mut SqliteConnection,
        sql: &Arc<str>,
        reads: &[&[Param<'_>]],
    ) -> sqlx::Result<Vec<Option<String>>> {
        let mut answers = Vec::with_capacity(reads.len());
        for params in reads {
            answers.push(Self::fetch(connection, sql, params).await?);
        }
        Ok(answers)
    }

    async fn read_permit(extras: &Extras) -> Option<ReadPermit<'_>> {
        Some(extras.reads.read().await)
    }

    fn has_much_to_take_in(extras: &Extras) -> bool {
        Self::log_bytes(extras) >= WAL_BYTES_MAX
    }

    async fn take_in(extras: &Extras, connection: &mut SqliteConnection) {
        let pages = sqlx::query_as(WAL_PAGES).fetch_one(&mut *connection).await;
        if pages.is_ok_and(|(_, pages, _): (i64, i64, i64)| pages < WAL_PAGES_MAX) {
            return;
        }
        let since = Instant::now();
        // What needs no reader out of the way is done beside them, and that is nearly all.
        let beside_reads = sqlx::raw_sql(CHECKPOINT).execute(&mut *connection).await;
        let _no_reads = extras.reads.write().await;
        let start_over = sqlx::raw_sql(START_OVER).execute(connection).await;
        if let Err(error) = beside_reads.and(start_over) {
            tracing::warn!(%error, "the write-ahead log could not be taken in");
        }
        let took = since.elapsed().as_secs_f64();
        extras.metrics.database.checkpoint_seconds.observe(took);
    }

    fn log_bytes(extras: &Extras) -> u64 {
        std::fs::metadata(&extras.wal).map_or(0, |file| file.len())
    }

    fn concern(extras: &Extras) -> Option<String> {
        open_to_others(&extras.file)
    }

    fn closed(extras: &Extras) {
        let mut lock = extras.lock.lock().unwrap_or_else(PoisonError::into_inner);
        *lock = None;
    }

    fn is_alone(_: &Extras) -> bool {
        // No other process serves the file.
        true
    }

    async fn announce(_: &Extras, _: &mut SqliteConnection, _: &[TenantId]) -> sqlx::Result<()> {
        Ok(())
    }

    async fn announced(_: &Extras) -> Option<Vec<TenantId>> {
        std::future::pending().await
    }
}
