//! `letterbox health`: asks a server on this machine whether it serves, as a container does.
//!
//! A client of the standard health service and nothing else. Over TLS it takes the very certificate
//! that the server is configured with, or one that a stated authority has signed.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    },
};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::service_fn;

/// How to ask.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How long the answer may take
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Over TLS: who must have signed the server's certificate (PEM) [default: it must be the one of
    /// --tls-cert]
    #[arg(long, value_name = "FILE", requires = "name")]
    ca: Option<PathBuf>,
    /// With --ca: the name that the certificate must be for
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Over mutual TLS: the certificate to show (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

/// Why the server does not count as one that serves.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be used.
    #[error("{0}: {1}")]
    File(PathBuf, String),
    /// TLS cannot be set up.
    #[error("cannot speak TLS: {0}")]
    Tls(String),
    /// Nobody answered as a server does.
    #[error("{0} does not answer: {1}")]
    NoAnswer(SocketAddr, String),
    /// There was no answer in time.
    #[error("{0} has not answered within {1}")]
    TooLate(SocketAddr, humantime::FormattedDuration),
    /// It answered that it does not serve, as when it drains.
    #[error("{0} does not serve")]
    NotServing(SocketAddr),
}

/// Asks the server that listens there, over TLS where it has a certificate.
pub async fn ask(options: &Options, listen: SocketAddr, cert: Option<&Path>) -> Result<(), Error> {
    let address = reachable(listen);
    let tls = cert.map(|cert| tls(options, cert)).transpose()?;
    let asking = async {
        let channel = connect(address, tls).await?;
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel).check(request).await;
        let answer = answer.map_err(|status| Error::NoAnswer(address, status.message().to_owned()));
        match answer?.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            _ => Err(Error::NotServing(address)),
        }
    };
    let in_time = tokio::time::timeout(options.timeout, asking).await;
    let too_late = || Error::TooLate(address, humantime::format_duration(options.timeout));
    in_time.unwrap_or_else(|_| Err(too_late()))
}

/// Where a server can be reached that listens everywhere: on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(address, listen.port())
}

/// How to speak TLS, and the name to speak it to.
type Tls = (Arc<ClientConfig>, ServerName<'static>);

async fn connect(address: SocketAddr, tls: Option<Tls>) -> Result<Channel, Error> {
    let problem = |problem: &dyn std::fmt::Display| Error::NoAnswer(address, problem.to_string());
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|error| problem(&error))?;
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|error| problem(&error))?;
    let channel = match tls {
        None => endpoint.connect_with_connector(once(stream)).await,
        Some((tls, name)) => {
            let stream = TlsConnector::from(tls).connect(name, stream).await;
            let stream: TlsStream<TcpStream> = stream.map_err(|error| problem(&error))?;
            endpoint.connect_with_connector(once(stream)).await
        }
    };
    channel.map_err(|error| problem(&error))
}

/// A connector that has its one connection already.
fn once<S: Send + 'static>(
    stream: S,
) -> impl tower::Service<
    Uri,
    Response = TokioIo<S>,
    Error = std::io::Error,
    Future = std::future::Ready<std::io::Result<TokioIo<S>>>,
> + Send
+ 'static {
    let mut stream = Some(stream);
    service_fn(move |_: Uri| {
        let stream = stream.take().map(TokioIo::new);
        let used = || std::io::Error::other("the connection has ended");
        std::future::ready(stream.ok_or_else(used))
    })
}

fn tls(options: &Options, cert: &Path) -> Result<Tls, Error> {
    let unusable = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
    // The one provider of the whole process: two of them panic.
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match &options.ca {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(ca)? {
                roots.add(root).map_err(|error| unusable(&error))?;
            }
            let verifier =
                WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
            verifier.build().map_err(|error| unusable(&error))?
        }
        None => Arc::new(Pinned {
            certificate: certificates(cert)?.swap_remove(0),
            provider: Arc::clone(&provider),
        }),
    };
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut tls = match (&options.client_cert, &options.client_key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| Error::File(key.clone(), error.to_string()))?;
            let tls = tls.with_client_auth_cert(certificates(cert)?, key);
            tls.map_err(|error| unusable(&error))?
        }
        _ => tls.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    // Where the certificate is pinned, its name does not matter.
    let name = options.name.clone().unwrap_or("localhost".to_owned());
    let name = ServerName::try_from(name).map_err(|error| unusable(&error))?;
    Ok((Arc::new(tls), name))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let problem = |problem: String| Error::File(file.to_owned(), problem);
    let read = CertificateDer::pem_file_iter(file).map_err(|error| problem(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = read.collect();
    let certificates = certificates.map_err(|error| problem(error.to_string()))?;
    if certificates.is_empty() {
        return Err(problem("holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

/// Takes one certificate and no other, whatever its names and its age.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            let other = "another certificate than that of --tls-cert";
            Err(rustls::Error::General(other.to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
