//! Tests of the rules that the statements keep.

use std::collections::HashMap;

use super::{Backend, CHECKS, Statements, insert::Commit, statements::SAVES};

pub(super) const TABLES: &[&str] = &[
    "log_heads",
    "users",
    "threads",
    "participants",
    "messages",
    "revisions",
    "requests",
    "mailboxes_at_rest",
    "events",
    "audience",
];

/// These look at several tenants, or at none.
const ACROSS_TENANTS: &[&str] = &[
    "secret",
    "last_of_tenants",
    "tenants_to_expire",
    "log_heads",
    "sizes_of_tenants",
];

/// Every statement, by name, as it is sent to a database.
fn statements<DB: Backend>() -> Vec<(String, String)> {
    let statements = Statements::of::<DB>();
    let mut named: Vec<(String, String)> = statements
        .all()
        .into_iter()
        .map(|(name, sql)| (name.to_owned(), sql.to_string()))
        .collect();
    for insert in &SAVES {
        for commit in [Commit::Later, Commit::AtOnce] {
            let name = format!("{} {commit:?}", insert.name);
            named.push((name, DB::inserts(&[insert], commit)));
        }
    }
    for check in CHECKS {
        named.push((check.subject.to_owned(), DB::dialect(check.sql)));
        for repair in check.repairs {
            named.push((format!("repairs {}", check.subject), DB::dialect(repair)));
        }
    }
    named
}

/// A statement's words; brackets and commas are words of their own.
fn words(sql: &str) -> Vec<String> {
    let mut spaced = sql.to_owned();
    for mark in ["(", ")", ",", ";"] {
        spaced = spaced.replace(mark, &format!(" {mark} "));
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// How often each table is read under each name, and how often that name is held to the tenant.
fn lacking_tenant(sql: &str) -> Vec<String> {
    let words = words(sql);
    let mut uses: HashMap<String, usize> = HashMap::new();
    for window in words.windows(3) {
        let [keyword, table, alias] = window else {
            continue;
        };
        let reads = matches!(keyword.as_str(), "FROM" | "JOIN");
        if reads && TABLES.contains(&table.as_str()) {
            let aliased = alias
                .chars()
                .all(|char| char.is_ascii_lowercase() || char == '_');
            let name = if aliased {
                format!("{alias}.tenant")
            } else {
                "tenant".to_owned()
            };
            *uses.entry(name).or_default() += 1;
        }
    }
    uses.into_iter()
        .filter(|(column, uses)| {
            let held = words
                .windows(3)
                .filter(|window| window[0] == *column && window[1] == "=" && window[2] == "$1");
            held.count() < *uses
        })
        .map(|(column, _)| column)
        .collect()
}

#[test]
fn every_table_in_every_statement_is_held_to_the_tenant() {
    for (name, sql) in statements::<sqlx::Sqlite>() {
        if ACROSS_TENANTS.contains(&name.as_str()) {
            continue;
        }
        assert_eq!(lacking_tenant(&sql), Vec::<String>::new(), "{name}: {sql}");
    }
}

#[test]
fn a_statement_that_forgets_the_tenant_is_found_out() {
    let check = |sql: &str, lacking: &[&str]| assert_eq!(lacking_tenant(sql), lacking, "{sql}");
    check("SELECT 1 FROM users WHERE tenant = $1", &[]);
    check("SELECT 1 FROM users WHERE id = $2", &["tenant"]);
    check("SELECT 1 FROM users u WHERE u.tenant = $1", &[]);
    check(
        "SELECT (SELECT 1 FROM users u WHERE u.number = 1) FROM events e WHERE e.tenant = $1",
        &["u.tenant"],
    );
    check(
        "SELECT 1 FROM users u CROSS JOIN events e WHERE u.tenant = $1 AND e.tenant = u.tenant",
        &["e.tenant"],
    );
    check("DELETE FROM events WHERE position < $2", &["tenant"]);
}

#[test]
fn an_insert_takes_the_tenant_from_the_head_row() {
    for (name, sql) in statements::<sqlx::Postgres>() {
        let inserts = sql.matches("INSERT INTO").count();
        assert!(inserts <= 1, "{name}: one INSERT a statement");
        if inserts == 1 && name != "create_head" {
            assert!(
                sql.contains("SELECT h.tenant") && sql.contains("WHERE h.tenant = $1"),
                "{name}: {sql}"
            );
        }
    }
}

#[test]
fn nothing_of_one_dialect_is_left_in_the_other() {
    for (name, sql) in statements::<sqlx::Postgres>() {
        for foreign in [
            "json_each(",
            "unhex(",
            " hex(",
            "(hex(",
            "json_group_array(",
            "_of((",
        ] {
            assert!(!sql.contains(foreign), "{name}: {foreign}: {sql}");
        }
    }
    for (name, sql) in statements::<sqlx::Sqlite>() {
        for foreign in ["FOR UPDATE", "rows_of(", "elements_of("] {
            assert!(!sql.contains(foreign), "{name}: {foreign}: {sql}");
        }
    }
}
