//! TLS and mutual TLS.

mod services;
mod sessions;

use std::{fs, path::Path};

use letterbox::config::Settings;
use tempfile::TempDir;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::support::prelude::*;

/// What is in one of the tests' certificates and keys.
pub(crate) fn pem(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/certs");
    fs::read(folder.join(name)).expect("a certificate of the tests")
}

/// A server with the first authority's certificate, in a folder of its own.
struct Deployment {
    server: TestServer,
    folder: TempDir,
}

impl Deployment {
    async fn with(database: Database, change: impl FnOnce(&mut Settings, &Path)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("cert"), pem("server-one.pem")).expect("written");
        fs::write(path("key"), pem("server-one.key")).expect("written");
        fs::write(path("ca"), pem("ca-one.pem")).expect("written");
        let setup = TestServer::setup().settings(|settings| {
            settings.tls_cert = Some(path("cert"));
            settings.tls_key = Some(path("key"));
            change(settings, folder.path());
        });
        let server = setup.start(database).await;
        Self { server, folder }
    }

    async fn start() -> Self {
        Self::with(Database::Sqlite, |_, _| ()).await
    }

    async fn mutual() -> Self {
        Self::with(Database::Sqlite, |settings, folder| {
            settings.tls_client_ca = Some(folder.join("ca"));
        })
        .await
    }

    /// A connection that trusts this authority, and shows this certificate.
    async fn connect(
        &self,
        authority: &str,
        certificate: Option<&str>,
    ) -> Result<Channel, tonic::transport::Error> {
        let authority = Certificate::from_pem(pem(&format!("ca-{authority}.pem")));
        let mut tls = ClientTlsConfig::new().ca_certificate(authority);
        if let Some(name) = certificate {
            let (cert, key) = (format!("client-{name}.pem"), format!("client-{name}.key"));
            tls = tls.identity(Identity::from_pem(pem(&cert), pem(&key)));
        }
        let url = format!("https://{}", self.server.authority());
        let endpoint = Endpoint::try_from(url).expect("a URL");
        endpoint.tls_config(tls)?.connect().await
    }

    /// Whether somebody with such a connection is served.
    async fn serves(&self, authority: &str, certificate: Option<&str>) -> bool {
        let Ok(channel) = self.connect(authority, certificate).await else {
            return false;
        };
        // With TLS 1.3 a client learns only later that its certificate is not accepted.
        let ana = Client::over(channel).with("x-user-id", "ana");
        ana.get_inbox_summary(GetInboxSummaryRequest {})
            .await
            .is_ok()
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn calls_and_watches_go_over_tls(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with(database, |_, _| ()).await;
    let channel = deployment.connect("one", None).await.expect("a connection");
    let client = Client::over(channel);
    let (ana, ben) = (
        client.with("x-user-id", "ana"),
        client.with("x-user-id", "ben"),
    );
    let mut watch = ana.watch().await;
    ben.start("plans", &["ana"], "Lunch?").await;
    assert_eq!(watch.line().await, "ben sent plans 1: Lunch?");
    drop(watch);
    assert!(
        !deployment.serves("two", None).await,
        "another authority's client"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_plain_text_is_not_served_and_holds_nobody_up() {
    let deployment = Deployment::start().await;
    let plain = deployment.server.client("ana");
    let refused = plain.get_inbox_summary(GetInboxSummaryRequest {}).await;
    refused.expect_err("an answer in plain text");
    eventually("the handshake that failed", async || {
        let scrape = deployment.server.scrape().await;
        (scrape.count("letterbox_tls_handshakes_failed_total") > 0).then_some(())
    })
    .await;
    // Nor does one who says nothing at all.
    let silent = tokio::net::TcpStream::connect(deployment.server.authority()).await;
    assert!(deployment.serves("one", None).await);
    soon(
        "the end, before the silent one's time is up",
        deployment.server.stop(),
    )
    .await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mutual_tls_only_the_authoritys_clients_are_served() {
    let deployment = Deployment::mutual().await;
    assert!(deployment.serves("one", Some("one")).await);
    assert!(
        !deployment.serves("one", None).await,
        "a client without a certificate"
    );
    assert!(
        !deployment.serves("one", Some("two")).await,
        "another authority's client"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_replaced_in_their_files_are_taken_and_connections_stay() {
    let deployment = Deployment::start().await;
    let channel = deployment.connect("one", None).await.expect("a connection");
    let ana = Client::over(channel).with("x-user-id", "ana");
    ana.summary().await;
    // The certificate first, then its key: in between both stay as they were.
    let replacing = [
        ("cert", "server-two.pem", "failed"),
        ("key", "server-two.key", "ok"),
    ];
    for (file, name, outcome) in replacing {
        fs::write(deployment.folder.path().join(file), pem(name)).expect("written");
        let labels = format!("file=\"certificates\",outcome=\"{outcome}\"");
        eventually("the change to be noticed", async || {
            ana.summary().await;
            let scrape = deployment.server.scrape().await;
            let rereads = scrape.count(&format!("letterbox_rereads_total{{{labels}}}"));
            (rereads == 1).then_some(())
        })
        .await;
    }
    eventually("the new certificate", async || {
        ana.summary().await;
        deployment.serves("two", None).await.then_some(())
    })
    .await;
    assert!(
        !deployment.serves("one", None).await,
        "who trusts the old authority"
    );
    ana.summary().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mutual_tls_headers_are_trusted_beyond_loopback() {
    let everywhere = |settings: &mut Settings| settings.listen = ([0, 0, 0, 0], 0).into();
    let refused = Settings {
        listen: ([0, 0, 0, 0], 0).into(),
        ..Settings::default()
    };
    assert!(refused.check().is_err());
    let deployment = Deployment::with(Database::Sqlite, |settings, folder| {
        settings.tls_client_ca = Some(folder.join("ca"));
        everywhere(settings);
    })
    .await;
    deployment.server.stop().await;
}
