//! Databases that are filled for the tests: one tenant with a user of many threads and a thread of many
//! messages; and what a planner knows of them.

use std::env;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::super::{postgres, rules::TABLES, sqlite};

/// Fills a tenant: `$1` threads of user 1 with user 2, each with one message; the first thread
/// has as many messages; every tenth is unread.
const FILL: &[&str] = &[
    "INSERT INTO log_heads (tenant) VALUES ('default')",
    "INSERT INTO users (tenant, number, id, known_time)
        VALUES ('default', 1, 'ana', 1), ('default', 2, 'ben', 1)",
    "INSERT INTO mailboxes_at_rest (tenant, user_number, inbox, unread, sent, deleted, total,
        unread_messages) VALUES ('default', 1, 1, 1, 1, 1, 1, 1)",
    "INSERT INTO threads (tenant, id, subject, create_time, update_time, starter, message_count,
        last_sender, last_time, snippet, people)
        SELECT 'default', ID(n), 'subject', n, n, 2, CASE WHEN n = 1 THEN MANY ELSE 1 END,
        2, n, 'content', '2,1' FROM NUMBERS",
    "INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position, content,
        send_time, revision)
        SELECT 'default', ID(n), 1, ID(1000000 + n), 2, 1, n, 'content', n, 1 FROM NUMBERS",
    "INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position, content,
        send_time, revision)
        SELECT 'default', ID(1), n, ID(2000000 + n), CASE WHEN n = MANY THEN 2 ELSE 1 END, n,
        MANY + n, 'content', n, 1 FROM NUMBERS WHERE n > 1",
    "INSERT INTO participants (tenant, thread, user_number, place, placement, placement_time,
        read_number, unread_count, sent_count, last_sent_number, position)
        SELECT 'default', ID(n), 1, 1, n % 3 + 1, n, 0, CASE WHEN n % 10 = 0 THEN 1 ELSE 0 END,
        n % 2, 0, n FROM NUMBERS",
    "INSERT INTO participants (tenant, thread, user_number, place, placement, placement_time,
        read_number, unread_count, sent_count, last_sent_number, position)
        SELECT 'default', ID(n), 2, 0, 2, n, 1, 0, 1, 1, n FROM NUMBERS",
    "INSERT INTO events (tenant, position, id, kind, time, thread, message, actor)
        SELECT 'default', n, ID(3000000 + n), 1, n, ID(n), ID(1000000 + n), 2 FROM NUMBERS",
    "INSERT INTO audience (tenant, user_number, position)
        SELECT 'default', 1, n FROM NUMBERS UNION ALL SELECT 'default', 2, n FROM NUMBERS",
];

fn filling(many: i64, id: &str, numbers: &str) -> Vec<String> {
    FILL.iter()
        .map(|sql| {
            let sql = sql
                .replace("NUMBERS", numbers)
                .replace("MANY", &many.to_string());
            // ID(x) with an x that has no brackets of its own.
            let mut parts = sql.split("ID(");
            let mut filled = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (argument, rest) = part.split_once(')').unwrap();
                filled.push_str(&id.replace("{}", argument));
                filled.push_str(rest);
            }
            filled
        })
        .collect()
}

/// What the planner has been told of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Sizes,
    /// That tenants are small, of which there are many.
    Small,
    /// That the tables are small, as they were when it was told.
    Stale,
}

/// Makes the tenant under test one of many, all others of which are small: statistics of the
/// tables then make a planner take it for small, too.
const SMALL_TENANTS: &[&str] = &[
    "INSERT INTO log_heads (tenant) SELECT 'small-' || n FROM generate_series(1, 20000) AS n",
    "INSERT INTO users (tenant, number, id, known_time)
        SELECT tenant, n, 'user-' || n, 1 FROM log_heads CROSS JOIN generate_series(1, 2) AS n
        WHERE tenant LIKE 'small-%'",
    "INSERT INTO threads (tenant, id, subject, create_time, update_time, starter, message_count,
        last_sender, last_time, snippet, people)
        SELECT tenant, uuid(lpad('7', 32, '0')), 'subject', 1, 1, 1, 1, 1, 1, 'content', '1,2'
        FROM log_heads
        WHERE tenant LIKE 'small-%'",
    "INSERT INTO participants (tenant, thread, user_number, place, placement, placement_time,
        read_number, unread_count, sent_count, last_sent_number, position)
        SELECT u.tenant, uuid(lpad('7', 32, '0')), u.number, u.number - 1, 1, 1, 1, 0, 1, 1, 1
        FROM users u WHERE tenant LIKE 'small-%'",
    "INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position, content,
        send_time, revision)
        SELECT tenant, uuid(lpad('7', 32, '0')), 1, uuid(lpad('8', 32, '0')), 1, 1, 1, 'content',
        1, 1 FROM log_heads WHERE tenant LIKE 'small-%'",
    "INSERT INTO events (tenant, position, id, kind, time, thread, message, actor)
        SELECT tenant, 1, uuid(lpad('9', 32, '0')), 1, 1, uuid(lpad('7', 32, '0')),
        uuid(lpad('8', 32, '0')), 1 FROM log_heads WHERE tenant LIKE 'small-%'",
    "INSERT INTO audience (tenant, user_number, position)
        SELECT tenant, number, 1 FROM users WHERE tenant LIKE 'small-%'",
];

/// A database of this name, with so many threads.
pub(super) async fn postgres_database(name: &str, many: i64, told: Told) -> PgConnection {
    drop_database(name).await;
    let create = format!("CREATE DATABASE {name}");
    let mut admin = connect("postgres").await;
    admin.execute(AssertSqlSafe(create)).await.unwrap();
    let mut connection = connect(name).await;
    postgres::MIGRATIONS.run(&mut connection).await.unwrap();
    let id = "uuid(lpad(to_hex({}), 32, '0'))";
    let fill = |many: i64| filling(many, id, &format!("generate_series(1, {many}) AS n"));
    if told == Told::Stale {
        for sql in fill(10) {
            connection.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        connection.execute("ANALYZE").await.unwrap();
        for table in TABLES {
            let empty = format!("DELETE FROM {table}");
            connection.execute(AssertSqlSafe(empty)).await.unwrap();
        }
    }
    for sql in fill(many) {
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    match told {
        Told::Nothing | Told::Stale => {}
        Told::Sizes => {
            connection.execute("ANALYZE").await.unwrap();
        }
        Told::Small => {
            for sql in SMALL_TENANTS {
                connection.execute(*sql).await.unwrap();
            }
            connection.execute("ANALYZE").await.unwrap();
        }
    }
    connection.execute(postgres::SESSION).await.unwrap();
    connection
}

/// Connects to a database.
pub(super) async fn connect(name: &str) -> PgConnection {
    let server = env::var("LETTERBOX_TEST_POSTGRES_URL")
        .expect("these tests need a Postgres: run ./scripts/test");
    let (base, _) = server.rsplit_once('/').unwrap();
    let url = format!("{base}/{name}");
    PgConnection::connect(&url).await.unwrap()
}

/// Removes a database, where there is one, and whoever is connected to it.
pub(super) async fn drop_database(name: &str) {
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let mut admin = connect("postgres").await;
    admin.execute(AssertSqlSafe(drop)).await.unwrap();
}

/// A file in this folder, with so many threads.
pub(super) async fn sqlite_database(folder: &TempDir, many: i64) -> SqliteConnection {
    let path = folder.path().join("plans.db");
    let options = sqlite::options(&format!("sqlite://{}", path.display())).unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlite::MIGRATIONS.run(&mut connection).await.unwrap();
    let numbers = format!(
        "(WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {many})
        SELECT n FROM count)"
    );
    for sql in filling(many, "unhex(printf('%032x', {}))", &numbers) {
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    connection
}
