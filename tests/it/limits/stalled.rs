//! Calls whose message never comes, or never comes to its end.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinHandle};
use tonic::Status;

use crate::support::prelude::*;

/// A call that has begun, and whose message never comes.
pub(crate) struct Stalled {
    answer: JoinHandle<Status>,
}

impl Stalled {
    /// Begins one on a connection of its own.
    pub(crate) async fn begin(server: &TestServer, user: &str) -> Self {
        Self::begin_with(server, user, 0).await
    }

    /// Begins one that sends so much of its message.
    pub(crate) async fn begin_with(server: &TestServer, user: &str, bytes: usize) -> Self {
        let authority = server.authority();
        let stream = TcpStream::connect(&authority).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("the server speaks HTTP/2");
        let url = format!("http://{authority}/letterbox.v1.MessagingService/GetInboxSummary");
        let request = Request::post(url)
            .header("content-type", "application/grpc")
            .header("x-user-id", user)
            .body(Unfinished(Some(bytes)))
            .expect("a request");
        let answer = tokio::spawn(async move {
            let connection = tokio::spawn(connection);
            let answer = sender.send_request(request).await.expect("an answer");
            connection.abort();
            Status::from_header_map(answer.headers()).expect("a status")
        });
        Self { answer }
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.answer.is_finished()
    }

    /// How it ends.
    pub(crate) async fn status(&mut self) -> Status {
        let ended = soon("the end of a stalled call", &mut self.answer).await;
        ended.expect("an answer")
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

/// So much of a message that would be larger, and no more.
struct Unfinished(Option<usize>);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            None | Some(0) => Poll::Pending,
            Some(length) => {
                // Not compressed, and 4 MiB long.
                let mut bytes = vec![0, 0, 0x40, 0, 0];
                bytes.resize(bytes.len().max(length), 0);
                Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
            }
        }
    }
}
