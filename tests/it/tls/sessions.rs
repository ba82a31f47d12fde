//! Sessions that a client would take up again, without its certificate being looked at anew.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};

use super::{Deployment, pem};
use crate::support::prelude::*;

/// What an HTTP/2 client says first: the preface, and empty settings.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A client with the first authority's certificate, which keeps its sessions.
fn client(version: &'static SupportedProtocolVersion) -> TlsConnector {
    let certificates = |name: &str| -> Vec<CertificateDer<'static>> {
        let pem = pem(name);
        CertificateDer::pem_slice_iter(&pem)
            .map(|one| one.expect("a certificate"))
            .collect()
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates("ca-one.pem"));
    let key = PrivateKeyDer::from_pem_slice(&pem("client-one.key")).expect("a key");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates("client-one.pem"), key)
        .expect("a certificate with its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// Connects, and reads what the server says first, with which come tickets for the next time.
async fn handshake(deployment: &Deployment, client: &TlsConnector) -> HandshakeKind {
    let stream = TcpStream::connect(deployment.server.authority()).await;
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let connecting = client.connect(name, stream.expect("a connection"));
    let mut stream = soon("a handshake", connecting)
        .await
        .expect("it is trusted");
    stream.write_all(HELLO).await.expect("it listens");
    let mut said = [0; 9];
    let answer = soon("settings", stream.read_exact(&mut said)).await;
    answer.expect("it answers");
    stream.get_ref().1.handshake_kind().expect("it is done")
}

/// A certificate that has expired since would be taken for good.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn with_mutual_tls_each_connection_shows_its_certificate(
    #[values(&TLS12, &TLS13)] version: &'static SupportedProtocolVersion,
) {
    let (mutual, client) = (Deployment::mutual().await, client(version));
    for _ in 0..3 {
        assert_eq!(handshake(&mutual, &client).await, HandshakeKind::Full);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn without_it_sessions_are_taken_up_again(
    #[values(&TLS12, &TLS13)] version: &'static SupportedProtocolVersion,
) {
    let (plain, client) = (Deployment::start().await, client(version));
    assert_eq!(handshake(&plain, &client).await, HandshakeKind::Full);
    assert_eq!(handshake(&plain, &client).await, HandshakeKind::Resumed);
}
