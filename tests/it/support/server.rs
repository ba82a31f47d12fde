//! A real server on a free port, inside the test's process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use letterbox::{
    config::Settings,
    model::{Clock, Ids},
    server::{Parts, Server},
};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::transport::{Channel, Endpoint};

use super::{Client, Database, ManualClock, Scrape, TestDatabase, soon};

/// How a server is to be started.
#[derive(Clone)]
pub(crate) struct Setup {
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Arc<dyn Ids>>,
    settings: Settings,
}

impl Setup {
    fn new() -> Self {
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            metrics_listen: Some(([127, 0, 0, 1], 0).into()),
            ..Settings::default()
        };
        Self {
            clock: None,
            ids: None,
            settings,
        }
    }

    /// Replaces the system's clock.
    pub(crate) fn clock(mut self, clock: &Arc<impl Clock + 'static>) -> Self {
        self.clock = Some(Arc::clone(clock) as _);
        self
    }

    /// Replaces what makes ids.
    pub(crate) fn ids(mut self, ids: &Arc<impl Ids + 'static>) -> Self {
        self.ids = Some(Arc::clone(ids) as _);
        self
    }

    /// Changes settings from their defaults.
    pub(crate) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Starts a server on a new, empty database.
    pub(crate) async fn start(self, database: Database) -> TestServer {
        self.start_on(Arc::new(database.create().await)).await
    }

    async fn start_on(self, database: Arc<TestDatabase>) -> TestServer {
        match self.try_start_on(database).await {
            Ok(server) => server,
            Err(refusal) => panic!("the server did not start: {refusal}"),
        }
    }

    async fn try_start_on(self, database: Arc<TestDatabase>) -> Result<TestServer, String> {
        let mut settings = self.settings.clone();
        settings.database_url = database.url();
        let mut parts = Parts::default();
        if let Some(clock) = &self.clock {
            parts.clock = Arc::clone(clock);
        }
        if let Some(ids) = &self.ids {
            parts.ids = Arc::clone(ids);
        }
        let server = match Server::start(settings, parts).await {
            Ok(server) => server,
            Err(refusal) => return Err(refusal.to_string()),
        };
        let url = format!("http://{}", server.address());
        let metrics_address = server.metrics_address().expect("it is asked to");
        let (shutdown, asked) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            // Ends also when the test drops its server.
            let _ = asked.await;
        }));
        Ok(TestServer {
            setup: self,
            endpoint: Endpoint::try_from(url).expect("an address is a URL"),
            metrics_address,
            shutdown,
            running,
            database,
        })
    }
}

/// A server that serves until the test ends.
pub(crate) struct TestServer {
    setup: Setup,
    endpoint: Endpoint,
    metrics_address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    running: JoinHandle<()>,
    database: Arc<TestDatabase>,
}

impl TestServer {
    /// A server with the default settings and an empty database.
    pub(crate) async fn start(database: Database) -> Self {
        Setup::new().start(database).await
    }

    /// A server that is to differ from the default.
    pub(crate) fn setup() -> Setup {
        Setup::new()
    }

    /// Another server on the same database.
    pub(crate) async fn replica(&self) -> Self {
        self.setup
            .clone()
            .start_on(Arc::clone(&self.database))
            .await
    }

    /// Another server on the same database, with a clock of its own.
    pub(crate) async fn replica_with(&self, clock: &Arc<ManualClock>) -> Self {
        let setup = self.setup.clone().clock(clock);
        setup.start_on(Arc::clone(&self.database)).await
    }

    /// Tries to start another server on the same database; what it says where it refuses to.
    pub(crate) async fn try_replica(&self) -> Result<Self, String> {
        let database = Arc::clone(&self.database);
        self.setup.clone().try_start_on(database).await
    }

    /// Shuts the server down and waits for its end.
    pub(crate) async fn stop(self) -> Stopped {
        let _ = self.shutdown.send(());
        soon("the server's end", self.running)
            .await
            .expect("a server ends in good order");
        Stopped {
            setup: self.setup,
            database: self.database,
        }
    }

    /// Asks the server to shut down, and does not wait.
    pub(crate) fn begin_to_stop(self) -> JoinHandle<()> {
        let _ = self.shutdown.send(());
        self.running
    }

    /// Shuts the server down, and starts another one on what it has left.
    pub(crate) async fn restart(self) -> Self {
        self.stop().await.start().await
    }

    /// A client of this user, on a connection of its own.
    pub(crate) fn client(&self, user: &str) -> Client {
        self.anonymous().with("x-user-id", user)
    }

    /// A client that says nothing about who it is.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.connect())
    }

    /// A connection of one's own.
    pub(crate) fn connect(&self) -> Channel {
        self.endpoint.connect_lazy()
    }

    /// `host:port`, for those who bring their own connection.
    pub(crate) fn authority(&self) -> String {
        let authority = self.endpoint.uri().authority();
        authority.expect("an address").to_string()
    }

    /// Where its metrics are scraped.
    pub(crate) fn metrics_address(&self) -> SocketAddr {
        self.metrics_address
    }

    /// What it has counted so far.
    pub(crate) async fn scrape(&self) -> Scrape {
        Scrape::of(self.metrics_address).await
    }

    /// The database under the server.
    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }
}

/// What a server leaves behind.
pub(crate) struct Stopped {
    setup: Setup,
    database: Arc<TestDatabase>,
}

impl Stopped {
    /// Changes settings for the next start.
    pub(crate) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        self.setup = self.setup.settings(change);
        self
    }

    /// A copy of it, as a backup is.
    pub(crate) async fn back_up(&self) -> Self {
        Self {
            setup: self.setup.clone(),
            database: Arc::new(self.database.copy().await),
        }
    }

    /// Starts a server on it.
    pub(crate) async fn start(self) -> TestServer {
        self.setup.start_on(self.database).await
    }
}

/// A heartbeat interval short enough to wait for.
pub(crate) const QUICK: Duration = Duration::from_millis(200);
