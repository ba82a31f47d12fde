//! Puts right what a check finds, where it follows from something else that is stored.
//!
//! What disagrees is looked for in a snapshot, and recomputed in turns like any other write: a bounded
//! piece each, so that servers beside it go on. What it has become by then is what counts.

use std::fmt;

use sqlx::{
    ConnectOptions, Connection, PgConnection, Postgres, Sqlite, SqliteConnection,
    postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

use super::{
    Address, Disagreement, OpenError, Result,
    check::{POSTGRES_SNAPSHOT, cause, disagreements, tenants},
    connection::connect,
    lock::{FileLock, LockError},
    sql::{Backend, CHECKS, Check, FIRST, Param, Statements, json_rows},
};
use crate::{model::TenantId, progress::Progress};

/// How many rows of each kind are looked for at once, as the statements say it.
const MANY: &str = "LIMIT 10000";

/// How many rows one turn puts right at most.
const TURN_ROWS: usize = 500;

/// Something that has been put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired(Disagreement);

impl fmt::Display for Repaired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "repaired: {}", self.0)
    }
}

/// Puts right what can be, one tenant after the other.
pub async fn repair(address: &Address, progress: &Progress) -> Result<Vec<Repaired>, OpenError> {
    let connected = |error| OpenError::Connect(address.to_string(), error);
    let repaired = match address {
        Address::Sqlite(options) => {
            let file = options.get_filename();
            if !file.exists() {
                let problem = "there is no such file".to_owned();
                return Err(OpenError::Store(address.to_string(), problem));
            }
            let _lock = FileLock::take(file).map_err(|error: LockError| {
                OpenError::Locked(address.to_string(), error.to_string())
            })?;
            let options = SqliteConnectOptions::new()
                .filename(file)
                .disable_statement_logging();
            let connection = connect::<SqliteConnection>(&options).await;
            repair_all::<Sqlite>(connection.map_err(connected)?, "BEGIN", progress).await
        }
        Address::Postgres(options) => {
            let options = PgConnectOptions::clone(options).disable_statement_logging();
            let connection = connect::<PgConnection>(&options).await;
            let connection = connection.map_err(connected)?;
            repair_all::<Postgres>(connection, POSTGRES_SNAPSHOT, progress).await
        }
    };
    repaired.map_err(|error| OpenError::Store(address.to_string(), cause(&error)))
}

async fn repair_all<DB: Backend>(
    mut connection: DB::Connection,
    snapshot: &'static str,
    progress: &Progress,
) -> Result<Vec<Repaired>> {
    let mut all = Vec::new();
    let tenants = tenants::<DB>(&mut connection).await?;
    progress.begin("repairing", tenants.len());
    let statements = Statements::of::<DB>();
    for tenant in tenants {
        let mut found = find::<DB>(&mut connection, &tenant, snapshot).await?;
        while !found.is_empty() {
            for (check, disagreements) in &found {
                for some in disagreements.chunks(TURN_ROWS) {
                    take_turn::<DB>(&mut connection, &tenant, &statements, check, some).await?;
                }
            }
            // Counts of counts come out in the next round.
            let left = find::<DB>(&mut connection, &tenant, snapshot).await?;
            let is_left = |one: &Disagreement| left.iter().any(|(_, left)| left.contains(one));
            let before = all.len();
            let found_rows = found.into_iter().flat_map(|(_, rows)| rows);
            all.extend(found_rows.filter(|one| !is_left(one)).map(Repaired));
            if all.len() == before {
                break;
            }
            found = left;
        }
        progress.advance(1);
    }
    Ok(all)
}

/// What disagrees and can be put right.
async fn find<DB: Backend>(
    connection: &mut DB::Connection,
    tenant: &TenantId,
    snapshot: &'static str,
) -> Result<Vec<(&'static Check, Vec<Disagreement>)>> {
    let mut snapshot = connection
        .begin_with(snapshot)
        .await
        .map_err(DB::classify)?;
    let mut found = Vec::new();
    for check in CHECKS.iter().filter(|check| !check.repairs.is_empty()) {
        let sql = check.sql.replace(FIRST, MANY);
        let rows = disagreements::<DB>(&mut snapshot, tenant, check, &sql).await?;
        if !rows.is_empty() {
            found.push((check, rows));
        }
    }
    Ok(found)
}

/// Recomputes some rows in a turn of the tenant's.
async fn take_turn<DB: Backend>(
    connection: &mut DB::Connection,
    tenant: &TenantId,
    statements: &Statements,
    check: &Check,
    some: &[Disagreement],
) -> Result<()> {
    let begun = connection.begin_with(DB::BEGIN).await;
    let mut transaction = begun.map_err(DB::classify)?;
    let name = [Param::Text(tenant.as_str())];
    DB::fetch(&mut transaction, statements.turn(), &name)
        .await
        .map_err(DB::classify)?;
    let keys: Vec<_> = some.iter().map(|one| (row_of(&one.key),)).collect();
    let params = [Param::Text(tenant.as_str()), json_rows(&keys)?];
    for repair in check.repairs {
        let sql = DB::dialect(repair).into();
        DB::execute(&mut transaction, &sql, &params)
            .await
            .map_err(DB::classify)?;
    }
    // A server beside it must not go on with what it remembers.
    DB::execute(&mut transaction, statements.mark_unlogged(), &name)
        .await
        .map_err(DB::classify)?;
    transaction.commit().await.map_err(DB::classify)
}

/// What is put right by a key: of a participant, who is named after the thread, the whole thread.
fn row_of(key: &str) -> &str {
    key.split_once(" of ").map_or(key, |(thread, _)| thread)
}
