//! A deployment that faults happen to: replicas, a database of its own, a network between them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use tokio::{
    sync::{Mutex, watch},
    time::sleep,
};

use super::{
    crowd::{Crowd, Places},
    postgres::OwnPostgres,
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
    /// None is there while it is away.
    replicas: Vec<Mutex<Option<Server>>>,
    places: watch::Sender<Vec<SocketAddr>>,
    arguments: Vec<String>,
}

/// What lies between the replicas and their Postgres.
pub(crate) struct Network {
    postgres: Arc<OwnPostgres>,
    proxy: Proxy,
    url: String,
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

    /// Starts replicas on what is there.
    pub(crate) async fn start_on(
        deployment: Deployment,
        network: Option<Network>,
        replicas: usize,
        arguments: &[&str],
    ) -> Self {
        let mut world = Self {
            deployment,
            network,
            replicas: Vec::new(),
            places: watch::Sender::new(Vec::new()),
            arguments: arguments.iter().copied().map(str::to_owned).collect(),
        };
        for _ in 0..replicas {
            let server = world.start_one().await;
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
    async fn start_one(&self) -> Server {
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
        let server = self.start_one().await;
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
            Fault::HoldTurn { time } => self.hold(HOLD_TURN, time).await,
            Fault::HoldSnapshot { time } => self.hold(HOLD_SNAPSHOT, time).await,
            of_postgres => {
                if let Some(network) = &self.network {
                    network.suffer(of_postgres).await;
                }
            }
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

impl Network {
    /// Before a database of this Postgres.
    async fn before(postgres: &Arc<OwnPostgres>, database: &TestDatabase) -> Self {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, postgres.port()));
        let proxy = Proxy::to(target).await;
        let port = format!(":{}/", postgres.port());
        let there = format!(":{}/", proxy.address().port());
        Self {
            postgres: Arc::clone(postgres),
            url: database.url().replace(&port, &there),
            proxy,
        }
    }

    async fn suffer(&self, fault: Fault) {
        match fault {
            Fault::KillPostgres { away } => {
                self.postgres.kill().await;
                sleep(away).await;
                self.postgres.go_on().await;
            }
            Fault::ReadOnly { time } => {
                // Another fault may keep it from hearing; then it stays as it is.
                let set = |on: bool| async move {
                    let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
                    let _ = self.postgres.execute("postgres", &sql).await;
                    let reload = "SELECT pg_reload_conf()";
                    self.postgres.execute("postgres", reload).await.is_ok()
                };
                set(true).await;
                sleep(time).await;
                eventually("Postgres to take writes", async || {
                    set(false).await.then_some(())
                })
                .await;
            }
            Fault::CutAll => self.proxy.cut(),
            Fault::CutAtCommit(cut) => self.proxy.cut_at_commit(cut),
            Fault::Slow { delay, time } => {
                self.proxy.be_slow(delay);
                sleep(time).await;
                self.proxy.be_well();
            }
            Fault::Silent { time } => {
                self.proxy.fall_silent();
                sleep(time).await;
                self.proxy.cut();
            }
            other => unreachable!("{other:?} does not happen to a network"),
        }
    }
}
