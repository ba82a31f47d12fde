//! What a batch saves, as Postgres is told it: an array a column, in one statement.
//!
//! As JSON, taking the rows apart was a quarter of what a batch cost.

use sqlx::{Arguments, error::BoxDynError, postgres::PgArguments};

use super::{
    Param,
    insert::{Commit, Insert, Kind, Rows, Value},
};
use crate::model::TenantId;

/// A tenant's head row, locked until the commit, if the log still ends with an event, nothing has changed
/// since without one, and nobody else has the turn.
///
/// Where another writer has the turn, nothing is inserted: it is not waited for. Where another one has
/// committed since this statement began to see, either its event is at the position that ours is going to,
/// and the INSERT fails; or `unlogged` has changed, which Postgres checks again when it locks the row.
const NOBODY_ELSES_HEAD: &str = "head AS (SELECT tenant FROM log_heads WHERE tenant = $1 AND
    unlogged = $unlogged AND
    (SELECT id FROM events WHERE tenant = $1 ORDER BY position DESC LIMIT 1) = $newest
    FOR UPDATE SKIP LOCKED)";

/// The text of INSERTs, in one round trip. They see the tables as they were before it, and none of them
/// needs another. The answer is how many rows were written; where they are committed at once, how many
/// heads there were: with one, all rows were written, or the statement has failed.
pub(super) fn inserts(inserts: &[&Insert], commit: Commit) -> String {
    let mut parameters = 2..;
    let heads = match commit {
        Commit::Later => "log_heads",
        Commit::AtOnce => "head",
    };
    if let ([insert], Commit::Later) = (inserts, commit) {
        return alone(insert);
    }
    let texts = inserts.iter().map(|insert| {
        let arrays = insert.columns.iter().zip(&mut parameters);
        let values = arrays
            .map(|((_, kind), parameter)| format!("unnest(${parameter}::{}[])", kind.postgres()));
        insert.text(&values.collect::<Vec<_>>(), &format!("{heads} h"))
    });
    let texts: Vec<String> = texts.collect();
    match commit {
        Commit::Later => counted(&texts),
        Commit::AtOnce => {
            let newest = parameters.next().unwrap_or_default();
            let head = NOBODY_ELSES_HEAD
                .replace("$newest", &format!("${newest}"))
                .replace("$unlogged", &format!("${}", newest + 1));
            let parts = texts.iter().enumerate();
            let parts = parts.map(|(index, text)| format!(",\ninsert{index} AS ({text})"));
            let parts: String = parts.collect();
            format!("WITH {head}{parts}\nSELECT count(*) FROM head")
        }
    }
}

/// An INSERT alone, in the form that Citus runs where the tenant lies. Arrays beside each other in FROM
/// are read into a table first: of the statement that writes one message that was a sixth.
fn alone(insert: &Insert) -> String {
    let columns = insert.columns.iter().zip(2..);
    let (names, arrays): (Vec<&str>, Vec<String>) = columns
        .map(|((name, kind), parameter)| (*name, format!("${parameter}::{}[]", kind.postgres())))
        .unzip();
    let values = names.iter().map(|name| format!("r.{name}"));
    let from = format!(
        "log_heads h CROSS JOIN unnest({}) AS r ({})",
        arrays.join(", "),
        names.join(", ")
    );
    insert.text(&values.collect::<Vec<_>>(), &from)
}

/// INSERTs together, with how many rows they wrote.
fn counted(texts: &[String]) -> String {
    let (parts, counts): (Vec<_>, Vec<_>) = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            (
                format!("insert{index} AS ({text} RETURNING 1)"),
                format!("(SELECT count(*) FROM insert{index})"),
            )
        })
        .unzip();
    format!("WITH {}\nSELECT {}", parts.join(",\n"), counts.join(" + "))
}

impl Kind {
    fn postgres(self) -> &'static str {
        match self {
            Self::Id => "uuid",
            Self::Small => "smallint",
            Self::Int => "integer",
            Self::Big => "bigint",
            Self::Text => "text",
        }
    }
}

/// The tenant, and rows as an array a column.
pub(super) fn arguments(tenant: &TenantId, rows: &[&Rows<'_>]) -> Result<PgArguments, BoxDynError> {
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
            Kind::Small => arguments.add(column.map(Value::int::<i16>).collect::<Vec<_>>())?,
            Kind::Int => arguments.add(column.map(Value::int::<i32>).collect::<Vec<_>>())?,
            Kind::Big => arguments.add(column.map(Value::int::<i64>).collect::<Vec<_>>())?,
            Kind::Text => arguments.add(column.map(Value::text).collect::<Vec<_>>())?,
        }
    }
    Ok(())
}

/// The text that makes several reads: the one that makes one, for each row of its parameters. The tenant is
/// the first, and the same for all; the last of ours are the places that the answers have.
pub(super) fn together(sql: &str, params: &[Param<'_>]) -> String {
    let mut inner = sql.to_owned();
    let mut columns = Vec::new();
    for (param, number) in params.iter().zip(1..).skip(1) {
        inner = inner.replace(&format!("${number}"), &format!("read.p{number}"));
        columns.push(format!("unnest(${number}::{}[]) AS p{number}", kind(param)));
    }
    let place = params.len() + 1;
    let columns = columns.join(", ");
    format!(
        "SELECT read.place, ({inner}) FROM (SELECT {columns}, unnest(${place}::bigint[]) AS place) AS read"
    )
}

/// The tenant, and several reads' other parameters as an array each.
pub(super) fn of_reads(reads: &[&[Param<'_>]]) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    let Some([tenant, others @ ..]) = reads.first() else {
        return Ok(arguments);
    };
    arguments.add(tenant.text())?;
    for (index, param) in others.iter().enumerate() {
        let column = reads.iter().filter_map(|read| read.get(index + 1));
        match param {
            Param::Int(_) => arguments.add(column.map(Param::int).collect::<Vec<_>>()),
            Param::Id(_) => arguments.add(column.map(Param::id).collect::<Vec<_>>()),
            _ => arguments.add(column.map(Param::text).collect::<Vec<_>>()),
        }?;
    }
    arguments.add((0..).take(reads.len()).collect::<Vec<i64>>())?;
    Ok(arguments)
}

fn kind(param: &Param<'_>) -> &'static str {
    match param {
        Param::Text(_) | Param::OwnText(_) => "text",
        Param::Int(_) => "bigint",
        Param::Id(_) => "uuid",
        Param::Rows(_) => "jsonb",
    }
}
