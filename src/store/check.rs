//! Recomputes what is kept, and reports what disagrees.

use std::{fmt, sync::Arc};

use sqlx::{
    ConnectOptions, Connection, PgConnection, Postgres, Sqlite, SqliteConnection,
    postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

use super::{
    Address, Error, OpenError, Result,
    connection::connect,
    sql::{Backend, CHECKS, Check, Param, TENANTS},
};
use crate::{model::TenantId, progress::Progress};

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// How many tenants were looked at.
    pub tenants: usize,
    /// What disagrees; of each kind the first hundred.
    pub disagreements: Vec<Disagreement>,
}

/// Something that is not stored as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Whose it is.
    pub tenant: TenantId,
    /// What was compared.
    pub subject: &'static str,
    /// Of which row.
    pub key: String,
    /// What is stored.
    pub stored: Option<String>,
    /// What it should be.
    pub counted: Option<String>,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "tenant {}: {}: {}: stored {}, counted {}",
            self.tenant,
            self.subject,
            self.key,
            self.stored.as_deref().unwrap_or("nothing"),
            self.counted.as_deref().unwrap_or("nothing"),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tenants,
            disagreements,
        } = self;
        let checks = CHECKS.len();
        match disagreements.len() {
            0 => write!(
                formatter,
                "{checks} checks of {tenants} tenants: all agrees"
            ),
            count => write!(
                formatter,
                "{checks} checks of {tenants} tenants: {count} disagreements"
            ),
        }
    }
}

const NO_TABLES: &str = "it has no tables of Letterbox: run `letterbox migrate`";

/// What begins a snapshot.
pub(super) const POSTGRES_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Checks a database, each tenant in one snapshot. It only reads.
pub async fn check(address: &Address, progress: &Progress) -> Result<Report, OpenError> {
    let connected = |error| OpenError::Connect(address.to_string(), error);
    let report = match address {
        Address::Sqlite(options) => {
            // As the file is, without the settings of a server, which would write to an empty one.
            let options = SqliteConnectOptions::new()
                .filename(options.get_filename())
                .read_only(true)
                .disable_statement_logging();
            let connection = connect::<SqliteConnection>(&options).await;
            check_all::<Sqlite>(connection.map_err(connected)?, "BEGIN", progress).await
        }
        Address::Postgres(options) => {
            // Of a large database each statement takes long: nothing to warn of.
            let options = PgConnectOptions::clone(options).disable_statement_logging();
            let connection = connect::<PgConnection>(&options).await;
            check_all::<Postgres>(connection.map_err(connected)?, POSTGRES_SNAPSHOT, progress).await
        }
    };
    report.map_err(|error| OpenError::Store(address.to_string(), cause(&error)))
}

async fn check_all<DB: Backend>(
    mut connection: DB::Connection,
    begin: &'static str,
    progress: &Progress,
) -> Result<Report> {
    let mut report = Report::default();
    let tenants = tenants::<DB>(&mut connection).await?;
    progress.begin("checking", tenants.len() * CHECKS.len());
    for tenant in tenants {
        let snapshot = connection.begin_with(begin).await;
        let mut snapshot = snapshot.map_err(DB::classify)?;
        for check in CHECKS {
            let found = disagreements::<DB>(&mut snapshot, &tenant, check, check.sql).await?;
            report.disagreements.extend(found);
            progress.advance(1);
        }
        report.tenants += 1;
    }
    Ok(report)
}

/// The tenants there are.
pub(super) async fn tenants<DB: Backend>(connection: &mut DB::Connection) -> Result<Vec<TenantId>> {
    let tenants = DB::dialect(TENANTS).into();
    let json = DB::fetch(connection, &tenants, &[]).await;
    let tenants: Option<Vec<TenantId>> = match json.map_err(DB::classify) {
        // No such table.
        Err(Error::Defect(_)) => return Err(Error::defect(NO_TABLES)),
        json => parse(json?)?,
    };
    Ok(tenants.unwrap_or_default())
}

/// A row that disagrees: its key, what is stored, what was counted.
type Row = (String, Option<String>, Option<String>);

/// What one check finds in one tenant, by its statement or one that finds more.
pub(super) async fn disagreements<DB: Backend>(
    snapshot: &mut DB::Connection,
    tenant: &TenantId,
    check: &Check,
    sql: &str,
) -> Result<Vec<Disagreement>> {
    let sql: Arc<str> = DB::dialect(sql).into();
    let json = DB::fetch(snapshot, &sql, &[Param::Text(tenant.as_str())]).await;
    let rows: Option<Vec<Row>> = parse(json.map_err(DB::classify)?)?;
    let rows = rows.unwrap_or_default().into_iter();
    let found = rows.map(|(key, stored, counted)| Disagreement {
        tenant: tenant.clone(),
        subject: check.subject,
        key,
        stored,
        counted,
    });
    Ok(found.collect())
}

/// Reads an answer; none is the same as null.
fn parse<T: serde::de::DeserializeOwned>(json: Option<String>) -> Result<Option<T>> {
    json.map_or(Ok(None), |json| {
        serde_json::from_str(&json).map_err(Error::defect)
    })
}

pub(super) fn cause(error: &Error) -> String {
    use std::error::Error as _;
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}
