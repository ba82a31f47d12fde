//! A page in a browser, as the server sees it: gRPC-Web over HTTP/1.1.
//!
//! Written from the protocol, not with tonic's own client, which could be wrong in the same way:
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::TcpStream;
use tonic::Status;

use crate::support::{OneMessage, frame, next_data, prelude::*};

/// The flag of the frame that carries what HTTP/2 has in trailers.
const TRAILERS: u8 = 0x80;

/// A page of an origin, with a user before it.
pub(super) struct Page {
    authority: String,
    origin: String,
    user: Option<String>,
    content_type: String,
}

impl Page {
    /// A page of this origin.
    pub(super) fn open(server: &TestServer, origin: &str) -> Self {
        Self {
            authority: server.authority(),
            origin: origin.to_owned(),
            user: None,
            content_type: "application/grpc-web+proto".to_owned(),
        }
    }

    /// With this user before it.
    pub(super) fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Speaking the protocol in this of its forms.
    pub(super) fn speaking(mut self, content_type: &str) -> Self {
        content_type.clone_into(&mut self.content_type);
        self
    }

    /// Calls `/letterbox.v1.MessagingService/{rpc}`.
    pub(super) async fn call(&self, rpc: &str, message: &impl Message) -> Answer {
        let answer = soon("an answer", self.try_call(rpc, message)).await;
        answer.expect("the server speaks HTTP/1.1")
    }

    /// The same, where it may be refused.
    pub(super) async fn try_call(
        &self,
        rpc: &str,
        message: &impl Message,
    ) -> hyper::Result<Answer> {
        let mut bytes = frame(&message.encode_to_vec());
        if self.is_text() {
            bytes = STANDARD.encode(bytes).into();
        }
        let mut request = self
            .request(Method::POST, rpc)
            .header("content-type", &self.content_type)
            .header("accept", &self.content_type)
            .header("content-length", bytes.len())
            .header("x-grpc-web", "1");
        if let Some(user) = &self.user {
            request = request.header("x-user-id", user);
        }
        self.send(request.body(OneMessage::of(bytes)).expect("a request"))
            .await
    }

    /// Asks whether such a call with these headers is allowed, as a browser does before it.
    pub(super) async fn ask(&self, headers: &str) -> Answer {
        let request = self
            .request(Method::OPTIONS, "SendMessage")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers)
            .body(OneMessage::of(Bytes::new()))
            .expect("a request");
        let answer = soon("an answer", self.send(request)).await;
        answer.expect("the server speaks HTTP/1.1")
    }

    fn request(&self, method: Method, rpc: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("/letterbox.v1.MessagingService/{rpc}"))
            .header("host", &self.authority)
            .header("origin", &self.origin)
    }

    async fn send(&self, request: Request<OneMessage>) -> hyper::Result<Answer> {
        let stream = TcpStream::connect(&self.authority).await;
        let stream = TokioIo::new(stream.expect("the server listens"));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        Ok(Answer {
            response,
            is_text: self.is_text(),
            text: BytesMut::new(),
            bytes: BytesMut::new(),
        })
    }

    fn is_text(&self) -> bool {
        self.content_type.contains("-text")
    }
}

/// An answer, read as it comes.
pub(super) struct Answer {
    response: Response<Incoming>,
    is_text: bool,
    text: BytesMut,
    bytes: BytesMut,
}

impl Answer {
    /// HTTP's status.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header of the answer.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.response.headers().get(name)?;
        Some(value.to_str().expect("a text"))
    }

    /// The next message.
    pub(super) async fn message<M: Message + Default>(&mut self) -> M {
        let (flag, bytes) = self.frame().await.expect("a message");
        assert_eq!(flag, 0, "a message, not compressed, and not the end");
        M::decode(bytes).expect("the message's bytes")
    }

    /// How the call ended.
    pub(super) async fn end(mut self) -> Status {
        let Some((flag, text)) = self.frame().await else {
            let headers = self.response.headers();
            return Status::from_header_map(headers).expect("a status in the headers");
        };
        assert_eq!(flag, TRAILERS, "the end");
        let text = std::str::from_utf8(&text).expect("trailers are a text");
        let mut trailers = HeaderMap::new();
        for line in text.split_terminator("\r\n") {
            let (name, value) = line.split_once(':').expect("a name and a value");
            trailers.insert(
                HeaderName::try_from(name).expect("a name"),
                HeaderValue::try_from(value.trim()).expect("a value"),
            );
        }
        assert!(self.frame().await.is_none(), "nothing comes after the end");
        Status::from_header_map(&trailers).expect("a status in the trailers")
    }

    async fn frame(&mut self) -> Option<(u8, Bytes)> {
        loop {
            if let Some(length) = self.bytes.get(1..5) {
                let length = u32::from_be_bytes(length.try_into().expect("4 bytes"));
                let length = usize::try_from(length).expect("what fits in memory");
                if self.bytes.len() >= 5 + length {
                    let flag = self.bytes[0];
                    self.bytes.advance(5);
                    return Some((flag, self.bytes.split_to(length).freeze()));
                }
            }
            let Some(data) = soon("more", next_data(self.response.body_mut())).await else {
                assert!(self.bytes.is_empty(), "the answer ends within a frame");
                return None;
            };
            self.take(&data);
        }
    }

    fn take(&mut self, data: &[u8]) {
        if !self.is_text {
            self.bytes.extend_from_slice(data);
            return;
        }
        // Each four characters stand by themselves: there can be padding within the text.
        self.text.extend_from_slice(data);
        while self.text.len() >= 4 {
            let four = self.text.split_to(4);
            let decoded = STANDARD.decode(four).expect("base64");
            self.bytes.extend_from_slice(&decoded);
        }
    }
}
