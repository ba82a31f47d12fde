//! HTTP/2 alone, or HTTP/1.1 beside it.

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
