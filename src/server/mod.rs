//! Wires the layers together, serves connections, and drains.

mod activity;
mod auth;
mod concerns;
mod connections;
mod guests;
mod limits;
mod preface;
mod protocols;
mod scrapes;
mod system;
mod tls;
mod web;
mod workshop;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

use self::{
    auth::authenticator,
    concerns::concerns,
    connections::{ConnectionLimits, Connections},
    limits::fit_open_files,
    protocols::Protocols,
    scrapes::Scrapes,
    tls::{Tls, TlsFiles},
    web::with_web,
};
pub use self::{
    system::{SystemClock, SystemIds},
    workshop::Workshop,
};
use crate::{
    config::{SettingError, Settings},
    grpc::{
        Administration, CallLimits, CallService, DESCRIPTORS, Limits, Messaging,
        PUBLIC_MESSAGE_BYTES_MAX, PageCache, TokenKey,
    },
    messenger::{self, FeedSettings, Messenger, QueueLimits},
    metrics::Metrics,
    model::{Clock, Ids, Policy},
    pb::admin::admin_service_server::{self, AdminServiceServer},
    pb::messaging_service_server::{self, MessagingServiceServer},
    store::{self, Address, OpenError, Store},
};

/// The services whose health is told; the empty name is that of the server as a whole, which tonic
/// sets by itself.
const SERVICES: [&str; 2] = [
    messaging_service_server::SERVICE_NAME,
    admin_service_server::SERVICE_NAME,
];

/// How long the database's connections may take to close.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What a server needs besides its settings.
pub struct Parts {
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What makes ids, and chance.
    pub ids: Arc<dyn Ids>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
}

/// A server that listens, over an open database.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    drain_timeout: Duration,
    /// Has calls under way given up.
    ending: CancellationToken,
    store: Arc<dyn Store>,
    messenger: Arc<Messenger>,
    health: HealthReporter,
    service: web::Service,
    protocols: Protocols,
    tls: Option<Arc<Tls>>,
    connection_limits: ConnectionLimits,
    /// What the operator is told once it listens.
    concerns: Vec<String>,
    metrics: Arc<Metrics>,
    scrapes: Option<Scrapes>,
}

impl Server {
    /// Listens, and opens the database; its tables are made and brought up to date.
    pub async fn start(settings: Settings, parts: Parts) -> Result<Self, StartError> {
        settings.check()?;
        let listening = |error| StartError::Listen(settings.listen, error);
        let metrics = Metrics::new();
        let authenticator = authenticator(&settings, &parts, &metrics)?;
        let protocols = if settings.grpc_web {
            Protocols::Http1AndHttp2
        } else {
            Protocols::Http2
        };
        let tls = tls(&settings, protocols, &metrics)?;
        let listener = TcpListener::bind(settings.listen)
            .await
            .map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let scrapes = scrapes(&settings, &metrics).await?;
        let store = store::open(&database_address(&settings)?, Arc::clone(&metrics)).await?;

        let messenger_parts = messenger_parts(&settings, &parts, Arc::clone(&store), &metrics);
        let messenger = Messenger::start(messenger_parts);
        let limits = Limits::new(CallLimits::from(&settings.limits), Arc::clone(&metrics));
        let messaging = Messaging::new(
            Arc::clone(&messenger),
            TokenKey(store.secret()),
            PageCache::new(settings.limits.page_cache_bytes_max, &metrics),
            Arc::clone(&limits),
            Arc::clone(&parts.ids),
            settings.heartbeat_interval,
            settings.hide_email_addresses,
        );
        let administration = Administration::new(
            Arc::clone(&messenger),
            TokenKey(store.secret()),
            Arc::clone(&parts.ids),
            settings.operator_tenant.clone(),
        );
        let (health, health_service) = tonic_health::server::health_reporter();
        for service in SERVICES {
            health
                .set_service_status(service, ServingStatus::Serving)
                .await;
        }
        let routes = Routes::new(
            MessagingServiceServer::new(messaging)
                .max_decoding_message_size(settings.limits.request_bytes_max),
        )
        .add_service(
            AdminServiceServer::new(administration)
                .max_decoding_message_size(settings.limits.request_bytes_max),
        )
        .add_service(health_service.max_decoding_message_size(PUBLIC_MESSAGE_BYTES_MAX));
        let ending = CancellationToken::new();
        let service = CallService::new(
            with_reflection(routes),
            authenticator,
            limits,
            parts.ids,
            Arc::clone(&metrics),
            ending.clone(),
        );
        let origins = settings.grpc_web.then(|| settings.grpc_web_origins.clone());
        Ok(Self {
            listener,
            address,
            drain_timeout: settings.drain_timeout,
            ending,
            protocols,
            tls,
            connection_limits: ConnectionLimits::from(&settings.limits),
            concerns: concerns(&settings, &*store),
            store,
            messenger,
            health,
            service: with_web(service, origins),
            metrics,
            scrapes,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics can be scraped, if they can.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.scrapes.as_ref().map(Scrapes::address)
    }

    /// Serves until `shutdown` resolves, then drains: no new connection and no new stream is
    /// taken, calls under way are answered, watches end after their last event; shortly before the drain
    /// timeout calls are given up, and then whatever is left is cut.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let mut connection_limits = self.connection_limits;
        let files = fit_open_files(&mut connection_limits);
        for concern in self.concerns.into_iter().chain(files) {
            tracing::warn!("{concern}");
        }
        let closing = CancellationToken::new();
        let scraping = self.scrapes.map(|scrapes| {
            let closing = closing.clone();
            tokio::spawn(scrapes.run(closing))
        });
        let connections =
            Connections::over(self.tls, self.protocols, connection_limits, self.metrics);
        connections
            .accept(self.listener, self.service, shutdown)
            .await;

        let stopped = Instant::now();
        let last_moments = CLOSE_MAX.min(self.drain_timeout / 10);
        let patience = self.drain_timeout.saturating_sub(2 * last_moments);
        let draining = async {
            let mut health = self.health;
            let services = || SERVICES.into_iter().chain([""]);
            for service in services() {
                health
                    .set_service_status(service, ServingStatus::NotServing)
                    .await;
            }
            tokio::join!(
                async {
                    self.messenger.close(patience).await;
                    // Streams of the health service would hold their connections open.
                    for service in services() {
                        health.clear_service_status(service).await;
                    }
                },
                connections.close(),
            );
        };
        let mut draining = pin!(draining);
        let mut drained = timeout_at(stopped + patience, draining.as_mut()).await;
        if drained.is_err() {
            // Whoever waits for a database that does not answer is told so.
            self.ending.cancel();
            drained = timeout(last_moments, draining).await;
        }
        if drained.is_err() {
            tracing::warn!("not everybody was done within the drain timeout");
        }
        let left = (stopped + self.drain_timeout).saturating_duration_since(Instant::now());
        let closing_store = timeout(CLOSE_MAX.min(left), self.store.close());
        if closing_store.await.is_err() {
            tracing::warn!("the database's connections could not be closed in time");
        }
        // Last, so that a drain can be watched.
        closing.cancel();
        if let Some(scraping) = scraping {
            let _ = timeout(CLOSE_MAX, scraping).await;
        }
    }
}

/// Where the settings say that everything is kept.
pub fn database_address(settings: &Settings) -> Result<Address, SettingError> {
    let wrong = |problem: String| SettingError::of("database-url", &problem);
    let address: Address = settings.database_url.parse().map_err(wrong)?;
    match address.problem() {
        Some(problem) => Err(wrong(problem)),
        None => Ok(address),
    }
}

/// Where metrics are scraped, if anywhere.
async fn scrapes(
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> Result<Option<Scrapes>, StartError> {
    let Some(address) = settings.metrics_listen else {
        return Ok(None);
    };
    let scrapes = Scrapes::listen(address, Arc::clone(metrics)).await;
    scrapes
        .map(Some)
        .map_err(|error| StartError::Listen(address, error))
}

fn tls(
    settings: &Settings,
    protocols: Protocols,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Tls>>, SettingError> {
    let (Some(cert), Some(key)) = (settings.tls_cert.clone(), settings.tls_key.clone()) else {
        return Ok(None);
    };
    let client_ca = settings.tls_client_ca.clone();
    let files = TlsFiles {
        cert,
        key,
        client_ca,
    };
    Tls::start(files, protocols, metrics)
        .map(Some)
        .map_err(|problem| SettingError::of("tls", &problem))
}

fn messenger_parts(
    settings: &Settings,
    parts: &Parts,
    store: Arc<dyn Store>,
    metrics: &Arc<Metrics>,
) -> messenger::Parts {
    messenger::Parts {
        store,
        clock: Arc::clone(&parts.clock),
        ids: Arc::clone(&parts.ids),
        policy: Policy {
            known_users_only: settings.known_users_only,
            show_started_threads: settings.show_started_threads,
        },
        queue_limits: QueueLimits::from(&settings.limits),
        feed: FeedSettings {
            heartbeat_interval: settings.heartbeat_interval,
            event_retention: settings.event_retention,
            stall_timeout: settings.watch_stall_timeout,
            catch_up_bytes: settings.limits.catch_up_bytes_max,
        },
        metrics: Arc::clone(metrics),
    }
}

/// Adds reflection, in both versions (the common grpcurl 1.8 speaks the older one); with the
/// error details' own descriptors, so that they print as JSON.
fn with_reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let unreadable = "the descriptors were compiled into this binary";
    let v1 = builder().build_v1().expect(unreadable);
    let v1alpha = builder().build_v1alpha().expect(unreadable);
    routes
        .add_service(v1.max_decoding_message_size(PUBLIC_MESSAGE_BYTES_MAX))
        .add_service(v1alpha.max_decoding_message_size(PUBLIC_MESSAGE_BYTES_MAX))
}
