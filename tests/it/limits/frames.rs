//! HTTP/2 as bytes (RFC 9113), for what no client would send.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::prelude::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_HEADERS: u8 = 4;

/// `POST http://localhost/`, compressed.
pub(crate) const A_REQUEST: &[u8] = b"\x83\x86\x84\x41\x09localhost";

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

/// A connection on which a test says what it likes.
pub(crate) struct Frames(TcpStream);

impl Frames {
    /// Connects and begins as every client does.
    pub(crate) async fn begin(server: &TestServer) -> Self {
        let mut frames = Self::silent(server).await;
        frames.say(PREFACE).await;
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// Connects and says nothing.
    pub(crate) async fn silent(server: &TestServer) -> Self {
        Self(
            TcpStream::connect(server.authority())
                .await
                .expect("a connection"),
        )
    }

    /// Says half of what every client begins with.
    pub(crate) async fn begin_halfway(server: &TestServer) -> Self {
        let mut frames = Self::silent(server).await;
        frames.say(&PREFACE[..12]).await;
        frames
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.say(&frame(kind, flags, stream, payload)).await;
    }

    /// Says this, whether it is heard or not.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    /// The next frame; none: the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        soon("a frame, or the end", async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame {
                kind: head[3],
                payload,
            })
        })
        .await
    }

    /// Reads to the end: why the server says that it goes, if it does.
    pub(crate) async fn end(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                let code = frame.payload[4..8].try_into().expect("four bytes");
                reason = Some(u32::from_be_bytes(code));
            }
        }
        reason
    }
}

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}
