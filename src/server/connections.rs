//! Connections: taken, served, and let go of.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::body::Body;
use tower::ServiceExt;

use super::{
    activity::{Activity, Answer},
    guests::{Entry, Guest, Guests},
    preface::Prefaced,
    protocols::Protocols,
    tls::{Tls, client_names},
    web,
};
use crate::{
    grpc::{Admission, ClientNames, PublicCalls, is_public},
    metrics::{Held, Limit, Metrics},
};

/// Metadata over 16 KiB gets an answer; over this the connection's HTTP/2 layer refuses it. It also
/// bounds how many CONTINUATION frames it takes.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// How much of a stream waits in memory for a client that is slow to take it.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// How many calls may have been given up by their client before they were looked at; beyond, the
/// connection is closed ("rapid reset", CVE-2023-44487).
const RESETS_PENDING_MAX: usize = 20;

/// How many calls the connection may have had reset by its own fault, likewise.
const RESETS_OF_ERRORS_MAX: usize = 1_024;

/// How long to wait where no connection can be taken, for want of file handles for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How much there may be of connections, and on each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// Connections in all.
    pub(super) connections: NonZeroUsize,
    /// Calls and watches on one; more wait on its client's side.
    pub(super) streams: NonZeroU32,
    /// How long TLS and the first bytes may take, and the head of a request over HTTP/1.1.
    pub(super) handshake: Duration,
    /// How long a connection may be without a call.
    pub(super) idle: Duration,
    /// How often a silent connection is asked whether its other end is still there.
    pub(super) keepalive_interval: Duration,
    /// How long it may take to answer that.
    pub(super) keepalive_timeout: Duration,
}

/// All connections of a server.
pub(super) struct Connections {
    guests: Arc<Guests>,
    tasks: TaskTracker,
    shared: Arc<Shared>,
    /// Tells all to end: handshakes at once, connections after their calls.
    closing: CancellationToken,
}

/// What each connection is served with.
struct Shared {
    tls: Option<Arc<Tls>>,
    protocols: Protocols,
    limits: ConnectionLimits,
    metrics: Arc<Metrics>,
}

impl Connections {
    /// Connections over TLS, or in plain text.
    pub(super) fn over(
        tls: Option<Arc<Tls>>,
        protocols: Protocols,
        limits: ConnectionLimits,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            guests: Guests::up_to(limits.connections),
            tasks: TaskTracker::new(),
            shared: Arc::new(Shared {
                tls,
                protocols,
                limits,
                metrics,
            }),
            closing: CancellationToken::new(),
        }
    }

    /// Takes connections until `shutdown` resolves.
    pub(super) async fn accept(
        &self,
        listener: TcpListener,
        service: web::Service,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut shutdown => return,
            };
            match accepted {
                Ok((stream, _)) => self.admit(stream, service.clone()),
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    // It may be for want of file handles.
                    self.guests.let_one_go();
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Serves a connection, if there is room for it; else closes it.
    fn admit(&self, stream: TcpStream, service: web::Service) {
        let metrics = &self.shared.metrics;
        let guest = match self.guests.enter() {
            Entry::Free(guest) => guest,
            Entry::Instead(guest) => {
                metrics.limits.hit(Limit::SilentConnections);
                guest
            }
            Entry::Full => {
                metrics.limits.hit(Limit::Connections);
                tracing::debug!("a connection is closed: there are as many as there may be");
                return;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection has gone before it was served");
            return;
        }
        metrics.process.accepted.inc();
        let open = Held::one_more(&metrics.process.connections);
        let (shared, closing) = (Arc::clone(&self.shared), self.closing.child_token());
        self.tasks.spawn(async move {
            let _open = open;
            shared.serve(stream, service, guest, closing).await;
        });
    }

    /// Tells all clients to go elsewhere (GOAWAY), and waits until their calls have ended.
    pub(super) async fn close(self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Shared {
    /// Serves one connection to its end.
    async fn serve(
        &self,
        stream: TcpStream,
        service: web::Service,
        guest: Guest,
        closing: CancellationToken,
    ) {
        let activity = Activity::of(guest);
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.limits.handshake, self.shake_hands(stream)) => shaken,
            () = activity.let_go() => return,
            () = closing.cancelled() => return,
        };
        match shaken {
            Ok(Some((stream, client))) => {
                self.talk(stream, client, service, activity, closing).await;
            }
            Ok(None) => {}
            Err(_) => {
                self.metrics.limits.hit(Limit::Handshake);
                tracing::debug!("a connection has not begun in time");
            }
        }
    }

    /// Waits for a client's part in TLS and for the first bytes; none where it fails.
    async fn shake_hands(
        &self,
        stream: TcpStream,
    ) -> Option<(Prefaced<Box<dyn Stream>>, ClientNames)> {
        let (stream, client): (Box<dyn Stream>, _) = match &self.tls {
            None => (Box::new(stream), ClientNames::default()),
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => {
                    let client = client_names(&stream);
                    (Box::new(stream), client)
                }
                Err(error) => {
                    self.metrics.process.handshakes_failed.inc();
                    tracing::debug!(%error, "a TLS handshake failed");
                    return None;
                }
            },
        };
        let stream = Prefaced::await_on(stream).await.ok()?;
        Some((stream, client))
    }

    /// Serves what comes, until the client goes or is told to.
    async fn talk(
        &self,
        stream: Prefaced<Box<dyn Stream>>,
        client: ClientNames,
        service: web::Service,
        activity: Arc<Activity>,
        closing: CancellationToken,
    ) {
        let calls = Arc::clone(&activity);
        let client = (!client.is_empty()).then(|| Arc::new(client));
        let public_calls = PublicCalls::default();
        let noted = Arc::clone(&activity);
        let admission = Admission::of(move || noted.note_caller());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let call = calls.begin();
            if let Some(client) = &client {
                request.extensions_mut().insert(Arc::clone(client));
            }
            if is_public(request.uri().path()) {
                request.extensions_mut().insert(public_calls.clone());
            } else if !calls.has_caller() {
                request.extensions_mut().insert(admission.clone());
            }
            let answer = service.clone().oneshot(request.map(Body::new));
            async move {
                answer
                    .await
                    .map(|answer| answer.map(|body| Answer::of(call, body)))
            }
        });
        let builder = self.builder();
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => Some(ended),
            () = closing.cancelled() => None,
            () = activity.let_go() => return,
            () = activity.idle_for(self.limits.idle) => {
                self.metrics.limits.hit(Limit::ConnectionIdle);
                None
            }
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
            connection.as_mut().graceful_shutdown();
            connection.await
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }

    /// What is spoken, with all of its bounds said, whatever their defaults are.
    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let limits = &self.limits;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams.get())
            .max_header_list_size(HEADER_LIST_BYTES_MAX)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
            .max_local_error_reset_streams(RESETS_OF_ERRORS_MAX)
            .keep_alive_interval(limits.keepalive_interval)
            .keep_alive_timeout(limits.keepalive_timeout);
        match self.protocols {
            Protocols::Http2 => builder.http2_only(),
            Protocols::Http1AndHttp2 => {
                builder
                    .http1()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.handshake)
                    .max_buf_size(SEND_BUFFER_BYTES);
                builder
            }
        }
    }
}

/// A connection, plain or over TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
