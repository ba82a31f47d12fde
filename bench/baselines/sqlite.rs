//! Raw SQLite: the rows of a `SendMessage` to one recipient, and nothing else.
//!
//! One thread, prepared statements, no JSON, no reading, no rules: what is left is what these rows
//! cost, in transactions that are as durable as Letterbox's.

use std::{
    collections::BTreeMap,
    error::Error,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use clap::Args;
use rusqlite::{Connection, Statement, params};
use uuid::Uuid;

const TENANT: &str = "bench";
const USERS: u128 = 1_000;

#[derive(Args)]
pub struct Options {
    /// How many messages a transaction writes
    #[arg(long, default_value_t = 1)]
    batch: u32,
    /// How long to write
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Where to make the folder of the file, which is removed afterwards; on a real disk
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(&options.dir)?;
    let connection = Connection::open(folder.path().join("raw.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Letterbox's own tables, with every migration that there is.
    for migration in sqlx::migrate!("migrations/sqlite").iter() {
        connection.execute_batch(migration.sql.as_str())?;
    }
    make_users(&connection)?;

    let mut rows = Rows::new(&connection, options.size)?;
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs_f64(options.seconds) {
        let begun = Instant::now();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..options.batch {
            rows.write()?;
        }
        connection.execute_batch("COMMIT")?;
        times.push(begun.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();

    times.sort_unstable();
    let messages = rows.position;
    let a_second = f64::from(u32::try_from(messages)?) / seconds;
    let p50 = times.get(times.len() / 2).map_or(0, Duration::as_micros);
    if options.json {
        let result = serde_json::json!({
            "sqlite": rusqlite::version(),
            "batch": options.batch,
            "seconds": seconds,
            "messages": messages,
            "messages_per_second": a_second,
            "transaction_p50_us": u64::try_from(p50)?,
            "rows": rows_of_tables(&connection)?,
        });
        println!("{result}");
    } else {
        println!("{a_second:.0} messages a second; half of the transactions took up to {p50} µs");
    }
    Ok(())
}

/// How many rows each table holds that a message goes to.
fn rows_of_tables(connection: &Connection) -> rusqlite::Result<BTreeMap<&'static str, i64>> {
    let tables = ["threads", "participants", "messages", "events", "audience"];
    let counts = tables.into_iter().map(|table| {
        let sql = format!("SELECT count(*) FROM {table}");
        let count = connection.query_row(&sql, (), |row| row.get(0))?;
        Ok((table, count))
    });
    counts.collect()
}

fn make_users(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "BEGIN;
        INSERT INTO log_heads (tenant) VALUES ('bench');
        INSERT INTO users (tenant, number, id, known_time)
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 1000)
            SELECT 'bench', n, 'bench-user-' || (n - 1), 0 FROM numbers;
        COMMIT",
    )
}

/// The statements of a message, and where the log ends.
struct Rows<'c> {
    threads: Statement<'c>,
    participants: Statement<'c>,
    messages: Statement<'c>,
    events: Statement<'c>,
    audience: Statement<'c>,
    content: String,
    position: i64,
}

impl<'c> Rows<'c> {
    fn new(connection: &'c Connection, size: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            threads: connection.prepare(
                "INSERT INTO threads (tenant, id, subject, create_time, update_time, starter,
                    message_count, last_sender, last_time, snippet, people)
                VALUES (?1, ?2, ?3, ?4, ?4, ?5, 1, ?5, ?4, substr(?6, 1, 200), ?5 || ',' || ?7)",
            )?,
            participants: connection.prepare(
                "INSERT INTO participants (tenant, thread, user_number, place, placement,
                    placement_time, read_number, unread_count, sent_count, last_sent_number,
                    position)
                VALUES (?1, ?2, ?3, 0, 2, ?4, 1, 0, 1, 1, ?5),
                    (?1, ?2, ?6, 1, 1, ?4, 0, 1, 0, 0, ?5)",
            )?,
            messages: connection.prepare(
                "INSERT INTO messages (tenant, thread, number, id, sender, sender_count, position,
                    content, send_time, edit_time, revision)
                VALUES (?1, ?2, 1, ?3, ?4, 1, ?5, ?6, ?7, NULL, 1)",
            )?,
            events: connection.prepare(
                "INSERT INTO events (tenant, position, id, kind, time, thread, message, actor,
                    request_id) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, NULL)",
            )?,
            // The counts of a first message: looking up what there was would only cost time.
            audience: connection.prepare(
                "INSERT INTO audience (tenant, user_number, position, inbox, unread, sent, deleted,
                    total, unread_messages)
                VALUES (?1, ?2, ?4, 0, 0, 1, 0, 1, 0), (?1, ?3, ?4, 1, 1, 0, 0, 1, 1)",
            )?,
            content: "x".repeat(size),
            position: 0,
        })
    }

    /// Writes one message, from any user to any other.
    #[expect(clippy::disallowed_methods, reason = "nothing here is handed in")]
    fn write(&mut self) -> Result<(), Box<dyn Error>> {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed()?;
        let now = i64::try_from(since_1970.as_micros())?;
        let chance = Uuid::new_v4().as_u128() >> 64;
        let (sender, step) = (chance % USERS, 1 + chance / USERS % (USERS - 1));
        let recipient = i64::try_from((sender + step) % USERS)? + 1;
        let sender = i64::try_from(sender)? + 1;
        let (thread, message, event) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let [thread, message, event] = [&thread, &message, &event].map(Uuid::as_bytes);
        self.position += 1;
        let (position, content) = (self.position, &self.content);

        self.threads.execute(params![
            TENANT,
            thread,
            "A subject",
            now,
            sender,
            content,
            recipient
        ])?;
        self.participants
            .execute(params![TENANT, thread, sender, now, position, recipient])?;
        self.messages.execute(params![
            TENANT, thread, message, sender, position, content, now
        ])?;
        self.events.execute(params![
            TENANT, position, event, now, thread, message, sender
        ])?;
        self.audience
            .execute(params![TENANT, sender, recipient, position])?;
        Ok(())
    }
}
