//! A deployment that faults happen to: replicas, a database of its own, a network between them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use tokio::{
    sync::{Mutex, watch},
    task::block_in_place,
    time::{sleep, timeout},
};

use super::{
    crowd::{Crowd, Places},
    disk::Disk,
    network::Network,
    postgres::OwnPostgres,
    skew::Skew,
    watchers::HEARTBEAT,
};
use crate::{
    processes::{Deployment, Server},
    support::*,
};

/// A deployment that faults happen to.
pub(crate) struct World {
    deployment: Deployment,
    network: Option<Network>,
    /// What the database lies on, where it is a file on a small disk.
    disk: Option<Disk>,
    /// Held by who has filled the disk.
    filling: Mutex<()>,
    /// The replicas', where they can be moved.
    clocks: Vec<Option<Skew>>,
    /// None is there while it is away.
    replicas: Vec<Mutex<Option<Server>>>,
    places: watch::Sender<Vec<SocketAddr>>,
    arguments: Vec<String>,
}

/// What can go wrong. Whatever has a time is over after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`; it is started again after a while.
    Kill { replica: usize, away: Duration },
    /// SIGTERM, and a new start, to one replica after the other.
    Roll,
    /// SIGSTOP, and SIGCONT after a while.
    Stop { replica: usize, away: Duration },
    /// `kill -9` of Postgres.
    KillPostgres { away: Duration },
    /// What the database lies on is full to the last byte, from when that is felt.
    FullDisk { time: Duration },
    /// A replica's clock jumps to so far ahead of the true time, or behind it, and stays there.
    Clock { replica: usize, millis: i64 },
    /// Postgres takes no writes.
    ReadOnly { time: Duration },
    /// Every connection to Postgres breaks.
    CutAll,
    /// The connection breaks that carries the next commit.
    CutAtCommit(Cut),
    /// The network is slow.
    Slow { delay: Duration, time: Duration },
    /// Every connection to Postgres is half-open, until it breaks.
    Silent { time: Duration },
    /// Somebody else holds the turn.
    HoldTurn { time: Duration },
    /// Somebody else has a transaction open that reads.
    HoldSnapshot { time: Duration },
    /// No watcher reads.
    StopReading { time: Duration },
    /// Callers disappear amid their calls.
    Vanish { calls: usize },
}

/// How long a full disk may go unnoticed.
const FELT_WITHIN: Duration = Duration::from_secs(2);

impl World {
    /// Starts replicas with these arguments, on SQLite or on this Postgres.
    pub(crate) async fn start(
        postgres: Option<&Arc<OwnPostgres>>,
        replicas: usize,
        arguments: &[&str],
    ) -> Self {
        match postgres {
            None => {
                let deployment = Deployment::new(Database::Sqlite).await;
                Self::start_on(deployment, None, replicas, arguments).await
            }
            Some(postgres) => {
                let database = Database::create_on(&postgres.url("postgres")).await;
                let network = Network::before(postgres, &database).await;
                let deployment = Deployment::on(database);
                Self::start_on(deployment, Some(network), replicas, arguments).await
            }
        }
    }

    /// Starts a replica on an SQLite file that lies on a small disk.
    pub(crate) async fn start_on_disk(disk: Disk, arguments: &[&str]) -> Self {
        let deployment = Deployment::on(TestDatabase::Sqlite(disk.folder()));
        let world = Self::start_on(deployment, None, 1, arguments).await;
        Self {
            disk: Some(disk),
            ..world
        }
    }

    /// Starts replicas on what is there.
    async fn start_on(
        deployment: Deployment,
        network: Option<Network>,
        replicas: usize,
        arguments: &[&str],
    ) -> Self {
        let clocks = (0..replicas)
            .map(|replica| Skew::in_folder(deployment.folder(), &format!("clock-{replica}")));
        let mut world = Self {
            clocks: clocks.collect(),
            deployment,
            network,
            disk: None,
            filling: Mutex::default(),
            replicas: Vec::new(),
            places: watch::Sender::new(Vec::new()),
            arguments: arguments.iter().copied().map(str::to_owned).collect(),
        };
        for replica in 0..replicas {
            let server = world.start_one(replica).await;
            world
                .places
                .send_modify(|places| places.push(server.address()));
            world.replicas.push(Mutex::new(Some(server)));
        }
        world
    }

    /// Where the replicas are.
    pub(crate) fn places(&self) -> Places {
        self.places.subscribe()
    }

    /// Starts a replica, again and again until it stays, as what supervises it would.
    async fn start_one(&self, replica: usize) -> Server {
        if let Some(network) = &self.network {
            // How long that takes is not the replica's matter.
            network.postgres.recovered().await;
        }
        eventually("a replica", async || {
            let mut command = self.deployment.command(&[]);
            command.args(&self.arguments);
            if let Some(network) = &self.network {
                command.env("LETTERBOX_DATABASE_URL", &network.url);
            }
            if let Some(clock) = &self.clocks[replica] {
                clock.give_to(&mut command);
            }
            command.env("LETTERBOX_LISTEN", "127.0.0.1:0");
            let heartbeat = format!("{}ms", HEARTBEAT.as_millis());
            command.env("LETTERBOX_HEARTBEAT_INTERVAL", heartbeat);
            let started = Server::try_start(command).await;
            started
                .inspect_err(|line| println!("  a replica does not start: {line}"))
                .ok()
        })
        .await
    }

    async fn start_again(&self, replica: usize, slot: &mut Option<Server>) {
        let server = self.start_one(replica).await;
        self.places
            .send_modify(|places| places[replica] = server.address());
        *slot = Some(server);
    }

    /// Has a fault happen, and waits until it is over.
    pub(crate) async fn suffer(&self, fault: Fault, crowd: &Crowd) {
        match fault {
            Fault::Kill { replica, away } => {
                let mut slot = self.replicas[replica].lock().await;
                if let Some(server) = slot.take() {
                    server.kill();
                }
                sleep(away).await;
                self.start_again(replica, &mut slot).await;
            }
            Fault::Roll => {
                for replica in 0..self.replicas.len() {
                    let mut slot = self.replicas[replica].lock().await;
                    if let Some(server) = slot.take() {
                        server.stop().await;
                    }
                    self.start_again(replica, &mut slot).await;
                }
            }
            Fault::Stop { replica, away } => {
                let slot = self.replicas[replica].lock().await;
                if let Some(server) = slot.as_ref() {
                    server.signal("STOP");
                    sleep(away).await;
                    server.signal("CONT");
                }
            }
            Fault::StopReading { time } => {
                crowd.reading.send_replace(false);
                sleep(time).await;
                crowd.reading.send_replace(true);
            }
            Fault::Vanish { calls } => crowd.vanish(calls),
            Fault::FullDisk { time } => self.run_out_of_space(time, crowd).await,
            Fault::Clock { replica, millis } => {
                if let Some(clock) = &self.clocks[replica] {
                    clock.set(millis);
                }
            }
            Fault::HoldTurn { time } => self.hold(HOLD_TURN, time).await,
            Fault::HoldSnapshot { time } => self.hold(HOLD_SNAPSHOT, time).await,
            of_postgres => {
                if let Some(network) = &self.network {
                    network.suffer(of_postgres).await;
                }
            }
        }
    }

    async fn run_out_of_space(&self, time: Duration, crowd: &Crowd) {
        let disk = self.disk().expect("what is to be full is a small disk");
        let _filling = self.filling.lock().await;
        let before = locked(&crowd.calls).len();
        block_in_place(|| disk.fill());
        // Logs have room for a while, as they are written over and over.
        let felt = eventually("a call that fails", async || {
            let calls = locked(&crowd.calls);
            let mut since = calls[before..].iter();
            since.any(|call| call.answered.is_none()).then_some(())
        });
        let _ = timeout(FELT_WITHIN, felt).await;
        sleep(time).await;
        disk.clear();
        if let Some(network) = &self.network {
            // Out of space for its log, it stops.
            network.postgres.go_on().await;
        }
    }

    /// Stops a replica by SIGSTOP amid a transaction that it has begun, which it holds the turn by.
    pub(crate) async fn stop_amid_a_transaction(&self, replica: usize) {
        let slot = self.replicas[replica].lock().await;
        let server = slot.as_ref().expect("the replica is there");
        soon("a replica that is stopped amid a transaction", async {
            loop {
                server.signal("STOP");
                // The others' transactions are over sooner.
                sleep(Duration::from_millis(200)).await;
                if self.has_idle_transaction().await {
                    return;
                }
                server.signal("CONT");
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Has a replica go on that was stopped.
    pub(crate) async fn go_on(&self, replica: usize) {
        let slot = self.replicas[replica].lock().await;
        slot.as_ref().expect("the replica is there").signal("CONT");
    }

    async fn has_idle_transaction(&self) -> bool {
        let mut connection = self.deployment.postgres().await;
        sqlx::query_scalar(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()
            AND state = 'idle in transaction' AND state_change < now() - interval '100 ms'",
        )
        .fetch_one(&mut connection)
        .await
        .expect("a superuser sees all")
    }

    /// Its database's name.
    pub(crate) fn database(&self) -> &str {
        let (_, name) = self.deployment.url().rsplit_once('/').expect("a URL");
        name
    }

    /// What the database lies on, where that is a small disk.
    pub(crate) fn disk(&self) -> Option<&Disk> {
        let of_postgres = || self.network.as_ref()?.postgres.disk();
        self.disk.as_ref().or_else(of_postgres)
    }

    /// What the replicas share.
    pub(crate) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// A replica's process.
    pub(crate) async fn process(&self, replica: usize) -> u32 {
        let slot = self.replicas[replica].lock().await;
        slot.as_ref().expect("the replica is there").id()
    }

    /// Leaves the connections of the moment half-open for good.
    pub(crate) fn fall_silent(&self) {
        let network = self.network.as_ref();
        network.expect("there is a network").proxy.fall_silent();
    }

    /// Ends what faults have left.
    pub(crate) fn recover(&self) {
        if let Some(network) = &self.network {
            network.proxy.let_commits_pass();
        }
    }

    /// Holds something in the database for a while, where the database is there.
    async fn hold(&self, [sqlite, postgres]: [&'static str; 2], time: Duration) {
        let url = self.deployment.url();
        let _ = if url.starts_with("sqlite:") {
            hold_sqlite(url, sqlite, time).await
        } else {
            hold_postgres(url, postgres, time).await
        };
    }

    /// Ends all replicas in good order; what `letterbox check` finds to disagree.
    pub(crate) async fn end(self) -> Vec<String> {
        for replica in &self.replicas {
            if let Some(server) = replica.lock().await.take() {
                server.stop().await;
            }
        }
        let ended = self.deployment.run(&["check"]).await;
        if ended.code == Some(0) {
            return Vec::new();
        }
        [ended.stdout, ended.stderr].concat()
    }
}

/// On SQLite and on Postgres.
const HOLD_TURN: [&str; 2] = [
    "BEGIN IMMEDIATE",
    "BEGIN; SELECT tenant FROM log_heads FOR UPDATE",
];

const HOLD_SNAPSHOT: [&str; 2] = [
    "BEGIN; SELECT count(*) FROM threads",
    "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM threads",
];

async fn hold_sqlite(url: &str, sql: &'static str, time: Duration) -> sqlx::Result<()> {
    let mut connection = SqliteConnection::connect(url).await?;
    connection.execute("PRAGMA busy_timeout = 2000").await?;
    connection.execute(sqlx::raw_sql(sql)).await?;
    sleep(time).await;
    connection.execute("ROLLBACK").await?;
    connection.close().await
}

async fn hold_postgres(url: &str, sql: &'static str, time: Duration) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(sqlx::raw_sql(sql)).await?;
    sleep(time).await;
    connection.close().await
}
