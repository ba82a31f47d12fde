//! What a batch saves, as Postgres is told it: an array a column, in one statement.
//!
//! As JSON, taking the rows apart was a quarter of what a batch cost.

use sqlx::{Arguments, error::BoxDynError, postgres::PgArguments};

use super::insert::{Commit, Insert, Kind, Rows, Value};
use crate::model::TenantId;

/// A tenant's head row, locked until the commit, if the log still ends with an event, nothing has changed
/// since without one, and nobody else has the turn.
///
/// Whoever has it is not waited for: the statement sees what was committed when it began. One that
/// has committed since then has written to the position that this one is going to, or to the head row,
/// which is looked at again when it is locked.
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
    let texts = inserts.iter().map(|insert| {
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
    let texts: Vec<String> = texts.collect();
    match commit {
        Commit::Later => match &texts[..] {
            [text] => text.clone(),
            texts => counted(texts),
        },
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
            Self::Int => "bigint",
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
            Kind::Int => arguments.add(column.map(Value::int).collect::<Vec<_>>())?,
            Kind::Text => arguments.add(column.map(Value::text).collect::<Vec<_>>())?,
        }
    }
    Ok(())
}
