//! Services that are known by their certificates.

use letterbox::config::{Auth, Client as ServiceSettings};

use super::Deployment;
use crate::{
    support::prelude::*,
    tokens::issuer::{SECRET, assert_turned_away, claims, name_of, token},
};

const NOTIFIER: &str = "spiffe://example.org/notifier";
const GATEWAY: &str = "gateway.example.org";

/// A service with these scopes.
fn with_scopes(scopes: &[&str], tenant: Option<&str>) -> ServiceSettings {
    ServiceSettings {
        scopes: scopes.iter().copied().map(str::to_owned).collect(),
        tenant: tenant.map(str::to_owned),
    }
}

/// A deployment that knows a notifier of the tenant `shop`, and a gateway.
async fn deployment(database: Database, auth: Auth) -> Deployment {
    Deployment::with(database, |settings, folder| {
        std::fs::write(folder.join("ca"), super::pem("ca-three.pem")).expect("written");
        std::fs::write(folder.join("secret"), SECRET).expect("written");
        settings.tls_client_ca = Some(folder.join("ca"));
        settings.auth = auth;
        settings.jwt_key = (auth == Auth::Jwt).then(|| folder.join("secret"));
        settings.clients = [
            (
                NOTIFIER,
                with_scopes(&["letterbox.watch-all"], Some("shop")),
            ),
            (GATEWAY, with_scopes(&["letterbox.act-as"], None)),
        ]
        .map(|(name, service)| (name.to_owned(), service))
        .into();
    })
    .await
}

impl Deployment {
    /// Whoever shows this certificate.
    async fn shows(&self, certificate: &str) -> Client {
        let channel = self.connect("one", Some(certificate)).await;
        Client::over(channel.expect("a connection"))
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_who_its_certificate_says_with_the_scopes_that_it_was_given(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Auth::TrustedHeader, Auth::Jwt)] auth: Auth,
) {
    let deployment = deployment(database, auth).await;
    let (notifier, gateway) = (
        deployment.shows("notifier").await,
        deployment.shows("gateway").await,
    );
    assert_eq!(name_of(&notifier).await, NOTIFIER);
    assert_eq!(name_of(&gateway).await, GATEWAY);
    let mut watch = notifier.watch_all().await;
    let ana = gateway.in_tenant("shop").with("x-user-id", "ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
    // Its calls are those of the tenant that it belongs to.
    let in_default = gateway.with("x-user-id", "ana");
    assert!(in_default.subjects(Folder::All).await.is_empty());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_header_adds_to_what_a_certificate_may_do(
    #[values(Auth::TrustedHeader, Auth::Jwt)] auth: Auth,
) {
    let deployment = deployment(Database::Sqlite, auth).await;
    let notifier = deployment.shows("notifier").await;
    let scoped = notifier.with_scopes("letterbox.act-as letterbox.watch-all");
    let denied = Code::PermissionDenied;
    assert_turned_away(&scoped.with("x-user-id", "ana"), denied, "SCOPE_MISSING").await;
    assert_turned_away(&scoped.in_tenant("club"), denied, "TENANT_NOT_ALLOWED").await;
    assert_eq!(
        name_of(&notifier.with("x-user-id", NOTIFIER)).await,
        NOTIFIER
    );

    let gateway = deployment.shows("gateway").await;
    let request = WatchMessagesRequest {
        scope: WatchScope::AllUsers.into(),
        ..Default::default()
    };
    let scoped = gateway.with_scopes("letterbox.watch-all");
    assert_watch_refused(&scoped, request, denied, "SCOPE_MISSING").await;
    let malformed = gateway.with("x-user-id", "ana").with("x-user-id", "ben");
    assert_turned_away(&malformed, Code::Unauthenticated, "CREDENTIALS_MALFORMED").await;
}

#[rstest]
#[case::that_nobody_knows("stranger")]
#[case::of_two_services_at_once("both")]
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_no_services_is_nobodys_whatever_headers_say(
    #[case] certificate: &str,
) {
    let by_headers = deployment(Database::Sqlite, Auth::TrustedHeader).await;
    let stranger = by_headers.shows(certificate).await.with("x-user-id", "ana");
    let nobody = Code::Unauthenticated;
    assert_turned_away(&stranger, nobody, "CREDENTIALS_NOT_ACCEPTED").await;
    let by_tokens = deployment(Database::Sqlite, Auth::Jwt).await;
    let stranger = by_tokens.shows(certificate).await.with("x-user-id", "ana");
    assert_turned_away(&stranger, nobody, "CREDENTIALS_MISSING").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_tokens_a_call_with_a_token_is_its_own() {
    let deployment = deployment(Database::Sqlite, Auth::Jwt).await;
    let ana = format!("Bearer {}", token(&claims("ana", serde_json::json!({}))));
    for certificate in ["notifier", "gateway", "stranger"] {
        let client = deployment.shows(certificate).await;
        assert_eq!(name_of(&client.with("authorization", &ana)).await, "ana");
        // Nor does the certificate help a token that is no good, or may not do something.
        let bad = client.with("authorization", "Bearer ana");
        assert_turned_away(&bad, Code::Unauthenticated, "CREDENTIALS_MALFORMED").await;
        let for_ben = client.with("authorization", &ana).with("x-user-id", "ben");
        assert_turned_away(&for_ben, Code::PermissionDenied, "SCOPE_MISSING").await;
    }
}
