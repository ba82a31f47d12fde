//! The first bytes of a connection.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How long the bytes are that every HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// A connection whose first bytes have come. What they are is for HTTP/2 to say: it reads them
/// again.
pub(super) struct Prefaced<S> {
    stream: S,
    preface: [u8; PREFACE_BYTES],
    /// How much of that was read again.
    read: usize,
}

impl<S: AsyncRead + Unpin> Prefaced<S> {
    /// Waits for the first bytes: HTTP/2 itself would wait for them for ever.
    pub(super) async fn await_on(mut stream: S) -> io::Result<Self> {
        let mut preface = [0; PREFACE_BYTES];
        stream.read_exact(&mut preface).await?;
        Ok(Self {
            stream,
            preface,
            read: 0,
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefaced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read < PREFACE_BYTES {
            let end = PREFACE_BYTES.min(self.read + buffer.remaining());
            buffer.put_slice(&self.preface[self.read..end]);
            self.read = end;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefaced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    /// Not before the first bytes are read, when h2 looks at it: where writes are not vectored, it puts
    /// payloads of up to 1 KiB beside their headers and trailers, and else only up to 256 bytes. So most
    /// answers are one write, not two (at 64 callers 14.6 k messages sent a second → 15.5 k), and of large
    /// ones nothing is copied.
    fn is_write_vectored(&self) -> bool {
        self.read == PREFACE_BYTES && self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_are_vectored_once_the_first_bytes_are_read() {
        let (mut client, server) = tokio::io::duplex(64);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut client, preface)
            .await
            .unwrap();
        let mut prefaced = Prefaced::await_on(server).await.unwrap();
        assert!(!prefaced.is_write_vectored());
        let mut read = [0; PREFACE_BYTES];
        prefaced.read_exact(&mut read).await.unwrap();
        assert_eq!(read, *preface);
        assert!(prefaced.is_write_vectored());
    }
}
