//! Connections: taken, served, and let go of.

use std::{pin::pin, sync::Arc, time::Duration};

use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::ServiceExt;

use super::{tls::Tls, web};
use crate::metrics::{Held, Metrics};

/// How many calls and watches one connection carries at once; more wait on its client's side.
const STREAMS_MAX: u32 = 1_024;

/// Metadata over 16 KiB gets an answer; over this the connection's HTTP/2 layer refuses it.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;

/// How much of a stream waits in memory for a client that is slow to take it.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// How often a silent connection is asked whether its other end is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait where no connection can be taken, for want of file handles for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long a client of HTTP/1.1 may take to send the headers of a request.
const HEADERS_MAX: Duration = Duration::from_secs(10);

/// What connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocols {
    /// HTTP/2, which is gRPC's.
    Http2,
    /// HTTP/1.1 as well, which some browsers and proxies speak.
    Http1AndHttp2,
}

impl Protocols {
    /// Their names in a TLS handshake (RFC 7301), the preferred one first.
    pub(super) fn alpn(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Http2 => &[b"h2"],
            Self::Http1AndHttp2 => &[b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// All connections of a server.
pub(super) struct Connections {
    open: GracefulShutdown,
    tls: Option<Arc<Tls>>,
    metrics: Arc<Metrics>,
    protocols: Protocols,
    /// What ends handshakes that are not done when all ends.
    closing: CancellationToken,
}

impl Connections {
    /// Connections over TLS, or in plain text.
    pub(super) fn over(tls: Option<Arc<Tls>>, protocols: Protocols, metrics: Arc<Metrics>) -> Self {
        Self {
            open: GracefulShutdown::new(),
            tls,
            protocols,
            metrics,
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
                Ok((stream, _)) => self.serve(stream, service.clone()),
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, service: web::Service) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection has gone before it was served");
            return;
        }
        self.metrics.process.accepted.inc();
        let open = Held::one_more(&self.metrics.process.connections);
        let watcher = self.open.watcher();
        let protocols = self.protocols;
        let (tls, closing) = (self.tls.clone(), self.closing.clone());
        let metrics = Arc::clone(&self.metrics);
        tokio::spawn(async move {
            let _open = open;
            let Some(tls) = tls else {
                return talk(stream, protocols, service, watcher).await;
            };
            match closing.run_until_cancelled(tls.accept(stream)).await {
                Some(Ok(stream)) => talk(stream, protocols, service, watcher).await,
                Some(Err(error)) => {
                    metrics.process.handshakes_failed.inc();
                    tracing::debug!(%error, "a TLS handshake failed");
                }
                None => {}
            }
        });
    }

    /// Tells all clients to go elsewhere (GOAWAY), and waits until their calls have ended.
    pub(super) async fn close(self) {
        self.closing.cancel();
        self.open.shutdown().await;
    }
}

/// Serves one connection to its end.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    protocols: Protocols,
    service: web::Service,
    watcher: Watcher,
) {
    let service = service.map_request(|request: Request<Incoming>| request.map(Body::new));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    let builder = match protocols {
        Protocols::Http2 => builder.http2_only(),
        Protocols::Http1AndHttp2 => {
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_MAX)
                .max_buf_size(SEND_BUFFER_BYTES);
            builder
        }
    };
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}
