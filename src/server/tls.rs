//! TLS: certificates from files, which are reread when they change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{NoServerSessionStorage, WebPkiClientVerifier},
    },
    server::TlsStream,
};

use super::protocols::Protocols;
use crate::grpc::ClientNames;
use crate::metrics::{Metrics, Reread};

/// How often the files are looked at.
const REREAD: Duration = Duration::from_secs(1);

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// The server's certificate, with those that it is signed by (PEM).
    pub(super) cert: PathBuf,
    /// Its private key (PEM).
    pub(super) key: PathBuf,
    /// Who must have signed a client's certificate (PEM); none: clients need none.
    pub(super) client_ca: Option<PathBuf>,
}

/// What is in them.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// Takes clients' handshakes.
pub(super) struct Tls {
    files: TlsFiles,
    protocols: Protocols,
    metrics: Arc<Metrics>,
    current: RwLock<(Contents, Arc<ServerConfig>)>,
}

impl Tls {
    /// Reads the files, and again whenever they change, for as long as this is used.
    pub(super) fn start(
        files: TlsFiles,
        protocols: Protocols,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, String> {
        let contents = Contents::read(&files)?;
        let config = contents.config(&files, protocols)?;
        let tls = Arc::new(Self {
            files,
            protocols,
            metrics: Arc::clone(metrics),
            current: RwLock::new((contents, config)),
        });
        tokio::spawn(reread(Arc::downgrade(&tls)));
        Ok(tls)
    }

    /// A client's handshake.
    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let config = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&current.1)
        };
        TlsAcceptor::from(config).accept(stream).await
    }
}

/// The names that a client's certificate is for; none where it shows none.
pub(super) fn client_names(stream: &TlsStream<TcpStream>) -> ClientNames {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    // The handshake has verified it, so that it can be read.
    let certificate = certificate.and_then(|der| webpki::EndEntityCert::try_from(der).ok());
    let Some(certificate) = certificate else {
        return ClientNames::default();
    };
    let uris = certificate.valid_uri_names().map(str::to_owned);
    let hosts = certificate.valid_dns_names().map(str::to_ascii_lowercase);
    ClientNames(uris.chain(hosts).collect())
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, String> {
        Ok(Self {
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn config(&self, files: &TlsFiles, protocols: Protocols) -> Result<Arc<ServerConfig>, String> {
        let of =
            |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let chain = certificates(&self.cert).map_err(|error| of(&files.cert, &error))?;
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| of(&files.key, &error))?;
        // The one provider of the whole process: two of them panic.
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match (&self.client_ca, &files.client_ca) {
            (Some(content), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(content).map_err(|error| of(path, &error))? {
                    roots.add(root).map_err(|error| of(path, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                let verifier = verifier.build().map_err(|error| of(path, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error: rustls::Error| of(&files.cert, &error))?;
        config.alpn_protocols = protocols.alpn();
        if self.client_ca.is_some() {
            // A session that is taken up again shows no certificate: that may have expired since, or its
            // authority may have gone.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("holds no certificate in PEM".to_owned());
    }
    Ok(certificates)
}

/// Takes the files in whenever they have changed; what cannot be used, such as a certificate whose
/// key has not been replaced yet, leaves all as it was.
async fn reread(tls: Weak<Tls>) {
    let mut refused: Option<Contents> = None;
    loop {
        tokio::time::sleep(REREAD).await;
        let Some(tls) = tls.upgrade() else {
            return;
        };
        let files = tls.files.clone();
        let read = tokio::task::spawn_blocking(move || Contents::read(&files)).await;
        let Ok(Ok(contents)) = read else {
            // They are being replaced.
            continue;
        };
        let known = {
            let current = tls.current.read().unwrap_or_else(PoisonError::into_inner);
            current.0 == contents
        };
        if known || refused.as_ref() == Some(&contents) {
            continue;
        }
        let config = contents.config(&tls.files, tls.protocols);
        let usable = config.is_ok();
        tls.metrics.process.reread(Reread::Certificates, usable);
        match config {
            Ok(config) => {
                let mut current = tls.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = (contents, config);
                tracing::info!("the certificates have changed");
            }
            Err(problem) => {
                tracing::warn!("{problem}; the certificates stay as they were");
                refused = Some(contents);
            }
        }
    }
}
