//! A long run with faults all the time, of which what it takes up is watched.

use std::{fmt, fs, sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::time::{Instant, sleep};

use super::{
    clients::RetryPolicy,
    dice::Dice,
    disk::{DISK_MIB, Disk},
    plan,
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree},
    world::{Fault, World},
};
use crate::support::*;

/// How long it takes where nobody says how long.
const TIME: Duration = Duration::from_secs(6);

/// How long events are kept: longer than any fault lasts.
const RETENTION: Duration = Duration::from_secs(5);

/// How often what it takes up is looked at.
const SAMPLE: Duration = Duration::from_secs(1);

/// What a replica that is never killed, and the database, take up.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at: Duration,
    memory_kib: u64,
    files: u64,
    threads: u64,
    /// Of SQLite's write-ahead log.
    wal_kib: u64,
    /// Of all tables, or of the file.
    database_kib: u64,
    events: i64,
    audience: i64,
    messages: i64,
}

impl Sample {
    async fn take(at: Duration, process: u32, url: &str) -> sqlx::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let files = fs::read_dir(format!("/proc/{process}/fd"));
        let mut sample = Self {
            at,
            memory_kib: field("VmRSS:").unwrap_or_default(),
            files: files.map_or(0, |files| files.count() as u64),
            threads: field("Threads:").unwrap_or_default(),
            ..Self::default()
        };
        let counts = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM audience),
            (SELECT count(*) FROM messages)";
        (sample.events, sample.audience, sample.messages) =
            if let Some(file) = url.strip_prefix("sqlite://") {
                let size = |path: &str| fs::metadata(path).map_or(0, |file| file.len() / 1_024);
                sample.wal_kib = size(&format!("{file}-wal"));
                sample.database_kib = size(file);
                let mut connection = SqliteConnection::connect(url).await?;
                sqlx::query_as(counts).fetch_one(&mut connection).await?
            } else {
                let mut connection = PgConnection::connect(url).await?;
                let size = "SELECT pg_database_size(current_database()) / 1024";
                let kib: i64 = sqlx::query_scalar(size).fetch_one(&mut connection).await?;
                sample.database_kib = kib.unsigned_abs();
                sqlx::query_as(counts).fetch_one(&mut connection).await?
            };
        Ok(sample)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            memory_kib,
            files,
            threads,
            wal_kib,
            database_kib,
            events,
            audience,
            messages,
        } = self;
        write!(
            formatter,
            "| {} s | {:.1} | {files} | {threads} | {:.1} | {:.1} | {events} | {audience} | {messages} |",
            at.as_secs(),
            mebibytes(*memory_kib),
            mebibytes(*wal_kib),
            mebibytes(*database_kib),
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded for people")]
fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn in_the_long_run_nothing_grows_without_bound(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let time = std::env::var("LETTERBOX_SOAK").ok();
    let time = time.map_or(TIME, |text| {
        text.parse().map(Duration::from_secs).expect("seconds")
    });
    let retention = format!("--event-retention={}s", RETENTION.as_secs());
    let (world, replicas) = begin(database, &[&retention]).await;
    let process = world.process(0).await;
    let crew = Crew {
        clients: 6,
        retries: RetryPolicy::QUICK,
        pause: Duration::from_millis(30),
    };
    let mut dice = Dice::of_today();
    let work = Work::begin("default", world.places(), crew, dice.split()).await;

    let start = Instant::now();
    let faults = async {
        let mut count = 0;
        while start.elapsed() < time {
            let fault = plan::fault(&mut dice, database, replicas);
            if plan::is_possible(&fault) && !ends_the_first_replica(&fault) {
                println!("  {database:?}, after {:?}: {fault:?}", start.elapsed());
                let fault = Box::pin(world.suffer(fault, &work.crowd));
                soon("the fault's end", fault).await;
                count += 1;
            }
            sleep(Duration::from_millis(dice.below(500))).await;
        }
        world.recover();
        count
    };
    let sampling = async {
        let mut samples = Vec::new();
        while start.elapsed() < time {
            sleep(SAMPLE).await;
            let sample = Sample::take(start.elapsed(), process, world.deployment().url());
            // The database may be away.
            samples.extend(sample.await);
        }
        samples
    };
    let (faults, samples) = tokio::join!(faults, sampling);

    println!("{database:?}, {faults} faults");
    println!(
        "| time | memory MiB | files | threads | WAL MiB | database MiB | events | audience | messages |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let every = (samples.len() / 10).max(1);
    for sample in samples.iter().step_by(every).chain(samples.last()) {
        println!("{sample}");
    }
    for sample in &samples {
        assert!(sample.memory_kib < 256 * 1_024, "{sample}");
        assert!(sample.files < 200, "{sample}");
        assert!(sample.threads < 50, "{sample}");
        assert!(sample.wal_kib < 64 * 1_024, "{sample}");
        assert!(sample.events < 20_000, "{sample}");
    }
    let mut accounts = work.accounts_in(&world).await;
    accounts.may_expire = true;
    accounts.kept.disagreements = world.end().await;
    println!("{}", accounts.summary());
    assert_agree("a long run", &accounts);
}

/// Starts replicas, on a small disk where there is such a thing; how many.
async fn begin(database: Database, arguments: &[&str]) -> (World, usize) {
    let disk = Disk::mount(DISK_MIB);
    match (database, disk) {
        (Database::Sqlite, Some(disk)) => (World::start_on_disk(disk, arguments).await, 1),
        (Database::Sqlite, None) => (World::start(None, 1, arguments).await, 1),
        (Database::Postgres, disk) => {
            let postgres = match disk {
                Some(disk) => OwnPostgres::start_on(disk).await,
                None => OwnPostgres::start().await,
            };
            let postgres = Arc::new(postgres);
            (World::start(Some(&postgres), 3, arguments).await, 3)
        }
    }
}

/// Whether a fault would end the replica whose memory is watched.
fn ends_the_first_replica(fault: &Fault) -> bool {
    matches!(fault, Fault::Kill { replica: 0, .. } | Fault::Roll)
}
