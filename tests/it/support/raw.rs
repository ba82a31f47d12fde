//! Calls without a gRPC client, for what such a client would not send or would answer itself.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use super::{TestServer, soon};

/// What came back.
pub(crate) struct RawAnswer {
    /// The messages' bytes, with their prefixes.
    pub(crate) body: Bytes,
    /// How the call ended.
    pub(crate) status: Status,
}

/// Calls `/letterbox.v1.MessagingService/{rpc}` with one message of these bytes.
pub(crate) async fn raw_call(
    server: &TestServer,
    rpc: &str,
    headers: &[(&'static str, &str)],
    message: &[u8],
) -> RawAnswer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().expect("a header's value"));
    }
    let path = format!("letterbox.v1.MessagingService/{rpc}");
    let client = RawClient::connect(server).await;
    client.call(&path, map, message).await
}

/// A connection that takes any bytes for a message, and any headers.
pub(crate) struct RawClient {
    authority: String,
    sender: SendRequest<OneMessage>,
    _connection: AbortOnDropHandle<()>,
}

impl RawClient {
    /// Connects to a server.
    pub(crate) async fn connect(server: &TestServer) -> Self {
        let authority = server.authority();
        let stream = TcpStream::connect(&authority)
            .await
            .expect("the server listens");
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("the server speaks HTTP/2");
        let connection = tokio::spawn(async {
            // Calls that it ends say so themselves.
            let _ = connection.await;
        });
        Self {
            authority,
            sender,
            _connection: AbortOnDropHandle::new(connection),
        }
    }

    /// Calls `/{path}` with one message of these bytes.
    pub(crate) async fn call(&self, path: &str, headers: HeaderMap, message: &[u8]) -> RawAnswer {
        soon("an answer", self.answer(path, headers, message)).await
    }

    /// How a call ends; a stream, how it begins.
    pub(crate) async fn outcome(&self, path: &str, headers: HeaderMap, message: &[u8]) -> Status {
        soon("an answer", async {
            let (head, body) = self.send(path, headers, message).await.into_parts();
            if let Some(status) = Status::from_header_map(&head.headers) {
                return status;
            }
            let mut body = std::pin::pin!(body);
            let first = poll_fn(|context| body.as_mut().poll_frame(context)).await;
            let first = first.expect("an answer").expect("the connection holds");
            let trailers = first.into_trailers();
            let status = trailers
                .ok()
                .and_then(|trailers| Status::from_header_map(&trailers));
            status.unwrap_or_else(|| Status::ok(""))
        })
        .await
    }

    async fn answer(&self, path: &str, headers: HeaderMap, message: &[u8]) -> RawAnswer {
        let (head, body) = self.send(path, headers, message).await.into_parts();
        let (body, trailers) = collect(body).await;
        let status = Status::from_header_map(&trailers)
            .or_else(|| Status::from_header_map(&head.headers))
            .expect("an answer ends with a status");
        RawAnswer { body, status }
    }

    async fn send(
        &self,
        path: &str,
        headers: HeaderMap,
        message: &[u8],
    ) -> http::Response<hyper::body::Incoming> {
        let mut request = Request::post(format!("http://{}/{path}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(OneMessage::of(frame(message)))
            .expect("a request");
        request.headers_mut().extend(headers);
        let answer = self.sender.clone().send_request(request).await;
        answer.expect("an answer")
    }
}

/// A message as gRPC frames it, not compressed.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a message of less than 4 GiB");
    let mut bytes = BytesMut::with_capacity(message.len() + 5);
    bytes.put_u8(0);
    bytes.put_u32(length);
    bytes.put_slice(message);
    bytes.freeze()
}

/// A request's body: one message in its frame.
pub(crate) struct OneMessage(Option<Bytes>);

impl OneMessage {
    /// A body of these bytes, which may be none.
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for OneMessage {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

async fn collect(body: hyper::body::Incoming) -> (Bytes, HeaderMap) {
    let mut body = std::pin::pin!(body);
    let (mut bytes, mut trailers) = (BytesMut::new(), HeaderMap::new());
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        match frame.expect("the connection holds").into_data() {
            Ok(more) => bytes.put(more),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    (bytes.freeze(), trailers)
}

/// The next bytes of a body, trailers left out; none where it has ended.
pub(crate) async fn next_data(body: &mut hyper::body::Incoming) -> Option<Bytes> {
    let mut body = std::pin::pin!(body);
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        if let Ok(data) = frame.expect("the connection holds").into_data() {
            return Some(data);
        }
    }
    None
}
