//! Calls without a gRPC client, for what such a client would not send or would answer itself.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
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
    soon("an answer", call(server, rpc, headers, message)).await
}

async fn call(
    server: &TestServer,
    rpc: &str,
    headers: &[(&'static str, &str)],
    message: &[u8],
) -> RawAnswer {
    let authority = server.authority();
    let stream = TcpStream::connect(&authority)
        .await
        .expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("the server speaks HTTP/2");
    let connection = tokio::spawn(connection);

    let url = format!("http://{authority}/letterbox.v1.MessagingService/{rpc}");
    let mut request = Request::post(url)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(OneMessage::new(message)).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let (body, trailers) = collect(body).await;
    connection.abort();

    let status = Status::from_header_map(&trailers)
        .or_else(|| Status::from_header_map(&head.headers))
        .expect("an answer ends with a status");
    RawAnswer { body, status }
}

/// A request's body: one message, not compressed.
struct OneMessage(Option<Bytes>);

impl OneMessage {
    fn new(message: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(message.len() + 5);
        bytes.put_u8(0);
        bytes.put_u32(
            message
                .len()
                .try_into()
                .expect("a message of less than 4 GiB"),
        );
        bytes.put_slice(message);
        Self(Some(bytes.freeze()))
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
