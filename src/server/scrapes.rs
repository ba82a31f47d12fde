//! `/metrics` over HTTP, for Prometheus.

use std::{convert::Infallible, future::ready, net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What a scrape is answered with:
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a client may take for the head of a request.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// How long to wait where no connection can be taken, for want of file handles for one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Answers scrapes of one server's metrics.
pub(super) struct Scrapes {
    listener: TcpListener,
    address: SocketAddr,
    metrics: Arc<Metrics>,
}

impl Scrapes {
    /// Listens.
    pub(super) async fn listen(
        address: SocketAddr,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            metrics,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `closing`, and those whose requests have come by then.
    pub(super) async fn run(self, closing: CancellationToken) {
        let open = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = closing.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => self.serve(stream, &open),
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection for metrics");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        open.shutdown().await;
    }

    fn serve(&self, stream: TcpStream, open: &GracefulShutdown) {
        let metrics = Arc::clone(&self.metrics);
        let service = service_fn(move |request: Request<Incoming>| {
            ready(Ok::<_, Infallible>(answer(&request, &metrics)))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection for metrics ended");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<String> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if request.uri().path() != "/metrics" || !reads {
        let mut response = Response::new("metrics are at /metrics\n".to_owned());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let mut response = Response::new(metrics.text());
    let format = header::HeaderValue::from_static(TEXT_FORMAT);
    response.headers_mut().insert(header::CONTENT_TYPE, format);
    response
}
