//! `--auth jwt`: who is calling, by tokens.

mod changing;
mod files;
pub(crate) mod issuer;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use self::issuer::{ACT_AS, assert_turned_away, in_seconds, name_of, rsa, set, signed};
pub(crate) use self::issuer::{Deployment, SECRET, claims, jwk, key_file, token};
use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_who_calls(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    let (ana, ben) = (deployment.user("ana"), deployment.user("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.reply(&plans.thread, "Yes").await;
    assert_eq!(ana.lines(&plans.thread).await.len(), 2);
    assert_eq!(name_of(&ben).await, "ben");
}

#[rstest]
#[case::an_rsa_key("rsa-one.pub.pem", Algorithm::RS256)]
#[case::an_rsa_key_with_pss("rsa-one.pub.pem", Algorithm::PS256)]
#[case::an_elliptic_key("ec.pub.pem", Algorithm::ES256)]
#[case::an_edwards_key("ed.pub.pem", Algorithm::EdDSA)]
#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_verifies(#[case] file: &str, #[case] algorithm: Algorithm) {
    let deployment = Deployment::with_key(Database::Sqlite, &key_file(file)).await;
    let key = match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_pem(&key_file("ec.pem")),
        Algorithm::EdDSA => EncodingKey::from_ed_pem(&key_file("ed.pem")),
        _ => Ok(rsa("one")),
    };
    let key = key.expect("a private key");
    let token = signed(algorithm, Some("any"), &key, &claims("ana", json!({})));
    assert_eq!(name_of(&deployment.bearer(&token)).await, "ana");
}

#[rstest]
#[case::named(Some("two"), "two")]
#[case::not_named(None, "two")]
#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_keys_verifies(#[case] key_id: Option<&str>, #[case] key: &str) {
    // What cannot be used is for others.
    let other = json!({"kty": "made-up", "kid": "three"});
    let keys = set(&[jwk("one"), other, jwk("two")]);
    let deployment = Deployment::with_key(Database::Sqlite, &keys).await;
    let token = signed(
        Algorithm::RS256,
        key_id,
        &rsa(key),
        &claims("ana", json!({})),
    );
    assert_eq!(name_of(&deployment.bearer(&token)).await, "ana");
}

/// A token whose header and claims are these, with this signature.
fn by_hand(header: &Value, claims: &Value, signature: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

#[rstest]
#[case::no_algorithm(by_hand(&json!({"alg": "none"}), &claims("ana", json!({})), ""))]
#[case::the_public_key_as_a_secret(signed(
    Algorithm::HS256,
    None,
    &EncodingKey::from_secret(&key_file("rsa-one.pub.pem")),
    &claims("ana", json!({})),
))]
#[case::an_unknown_key_id(signed(
    Algorithm::RS256,
    Some("three"),
    &rsa("one"),
    &claims("ana", json!({})),
))]
#[case::another_keys_id(signed(
    Algorithm::RS256,
    Some("two"),
    &rsa("one"),
    &claims("ana", json!({})),
))]
#[case::an_encryption_key(signed(
    Algorithm::RS256,
    Some("enc"),
    &rsa("two"),
    &claims("ana", json!({})),
))]
#[case::a_public_keys_name_for_a_secret(signed(
    Algorithm::HS256,
    Some("one"),
    &EncodingKey::from_secret(SECRET),
    &claims("ana", json!({})),
))]
#[case::a_secret_that_is_none(signed(
    Algorithm::HS256,
    Some("empty"),
    &EncodingKey::from_secret(b""),
    &claims("ana", json!({})),
))]
#[case::another_algorithm_than_the_keys(signed(
    Algorithm::RS512,
    Some("fixed"),
    &rsa("two"),
    &claims("ana", json!({})),
))]
#[tokio::test(flavor = "multi_thread")]
async fn what_no_key_of_the_set_has_signed_is_not_accepted(#[case] token: String) {
    let with = |name: &str, more: Value| {
        let mut key = jwk(name);
        for (name, value) in more.as_object().expect("an object") {
            key[name] = value.clone();
        }
        key
    };
    let keys = set(&[
        jwk("one"),
        with("two", json!({"kid": "enc", "use": "enc"})),
        with("two", json!({"kid": "fixed", "alg": "RS256"})),
        secret_of_set("oct", SECRET),
        secret_of_set("empty", b""),
    ]);
    let deployment = Deployment::with_key(Database::Sqlite, &keys).await;
    let reason = "CREDENTIALS_NOT_ACCEPTED";
    assert_turned_away(&deployment.bearer(&token), Code::Unauthenticated, reason).await;
    let good = signed(
        Algorithm::RS256,
        Some("fixed"),
        &rsa("two"),
        &claims("ana", json!({})),
    );
    assert_eq!(name_of(&deployment.bearer(&good)).await, "ana");
}

fn secret_of_set(id: &str, secret: &[u8]) -> Value {
    json!({"kty": "oct", "kid": id, "k": URL_SAFE_NO_PAD.encode(secret)})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_a_set_verifies() {
    let keys = set(&[jwk("one"), secret_of_set("two", SECRET)]);
    let deployment = Deployment::with_key(Database::Sqlite, &keys).await;
    let secret = EncodingKey::from_secret(SECRET);
    let token = signed(
        Algorithm::HS256,
        Some("two"),
        &secret,
        &claims("ana", json!({})),
    );
    assert_eq!(name_of(&deployment.bearer(&token)).await, "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_asks_to_be_understood_otherwise_is_not_accepted() {
    let deployment = Deployment::with_key(Database::Sqlite, SECRET).await;
    let header = Header {
        crit: Some(vec!["exp".into()]),
        ..Header::new(Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(SECRET);
    let token = encode(&header, &claims("ana", json!({})), &secret).expect("a token");
    let reason = "CREDENTIALS_NOT_ACCEPTED";
    assert_turned_away(&deployment.bearer(&token), Code::Unauthenticated, reason).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hmac_token_signed_with_the_public_key_is_not_accepted() {
    let public = key_file("rsa-one.pub.pem");
    let deployment = Deployment::with_key(Database::Sqlite, &public).await;
    let key = EncodingKey::from_secret(&public);
    let token = signed(Algorithm::HS256, None, &key, &claims("ana", json!({})));
    let reason = "CREDENTIALS_NOT_ACCEPTED";
    assert_turned_away(&deployment.bearer(&token), Code::Unauthenticated, reason).await;
}

#[rstest]
#[case::expired(json!({"exp": in_seconds(-1)}), "CREDENTIALS_EXPIRED")]
#[case::never_to_expire(json!({"exp": null}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::to_expire_in_words(json!({"exp": "tomorrow"}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::not_yet_valid(json!({"nbf": in_seconds(60)}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::of_nobody(json!({"sub": null}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::of_an_id_that_cannot_be(json!({"sub": "a b"}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::of_the_service_itself(json!({"sub": "letterbox:x"}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::from_nobody(json!({"iss": null}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::from_somebody_else(json!({"iss": "https://elsewhere"}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::for_nobody(json!({"aud": null}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::for_somebody_else(json!({"aud": "mail"}), "CREDENTIALS_NOT_ACCEPTED")]
#[case::for_several_others(json!({"aud": ["mail", "news"]}), "CREDENTIALS_NOT_ACCEPTED")]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_a_claim_amiss_is_turned_away(#[case] amiss: Value, #[case] reason: &str) {
    let deployment = Deployment::with(Database::Sqlite, SECRET, |settings| {
        settings.jwt_issuer = Some("https://issuer".into());
        settings.jwt_audience = Some("letterbox".into());
    })
    .await;
    let good = json!({"iss": "https://issuer", "aud": ["mail", "letterbox"], "nbf": in_seconds(1)});
    let good = claims("ana", good);
    assert_eq!(name_of(&deployment.bearer(&token(&good))).await, "ana");

    let mut bad = good;
    for (name, value) in amiss.as_object().expect("an object") {
        bad[name] = value.clone();
        if value.is_null() {
            bad.as_object_mut().expect("claims").remove(name);
        }
    }
    let bearer = deployment.bearer(&token(&bad));
    assert_turned_away(&bearer, Code::Unauthenticated, reason).await;
}

#[rstest]
#[case::none(&[], "CREDENTIALS_MISSING")]
#[case::another_scheme(&["Basic YW5hOmFuYQ=="], "CREDENTIALS_MALFORMED")]
#[case::no_scheme(&["token"], "CREDENTIALS_MALFORMED")]
#[case::no_token(&["Bearer "], "CREDENTIALS_MALFORMED")]
#[case::no_three_parts(&["Bearer a.b"], "CREDENTIALS_MALFORMED")]
#[case::garbage(&["Bearer a.b.c"], "CREDENTIALS_MALFORMED")]
#[case::two(&["Bearer a.b.c", "Bearer a.b.c"], "CREDENTIALS_MALFORMED")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_is_no_identity(#[case] values: &[&str], #[case] reason: &str) {
    let deployment = Deployment::with_key(Database::Sqlite, SECRET).await;
    // What the other mode trusts counts for nothing here.
    let mut client = deployment.server.anonymous().with("x-user-id", "ana");
    for value in values {
        client = client.with("authorization", value);
    }
    assert_turned_away(&client, Code::Unauthenticated, reason).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_service_acts_for_a_user_only_with_the_scope(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with_key(database, SECRET).await;
    let plans = deployment
        .user("ben")
        .start("plans", &["ana"], "Lunch?")
        .await;

    let for_ana = deployment.service(ACT_AS).with("x-user-id", "ana");
    assert_eq!(name_of(&for_ana).await, "ana");
    let reply = for_ana.reply(&plans.thread, "Yes").await;
    assert_eq!(reply.message.sender_id(), "ana");

    let without = deployment.service("mail.read").with("x-user-id", "ana");
    let refused = without.get_inbox_summary(GetInboxSummaryRequest {}).await;
    let refusal = assert_refused(refused, Code::PermissionDenied, "SCOPE_MISSING");
    assert_eq!(refusal.metadata["scope"], ACT_AS);
    // Scopes come from the token alone, and one's own name needs none.
    let claimed = without.with("x-user-scopes", ACT_AS);
    assert_turned_away(&claimed, Code::PermissionDenied, "SCOPE_MISSING").await;
    let own = deployment.user("ana").with("x-user-id", "ana");
    assert_eq!(name_of(&own).await, "ana");

    let service = deployment.service(ACT_AS);
    for names in [&["ana", "ben"][..], &["a b"], &[""]] {
        let twice = names.iter().fold(service.clone(), |client, name| {
            client.with("x-user-id", name)
        });
        assert_turned_away(&twice, Code::Unauthenticated, "CREDENTIALS_MALFORMED").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_the_tokens_and_hold_for_whom_the_service_acts() {
    let deployment = Deployment::with_key(Database::Sqlite, SECRET).await;
    let all = WatchMessagesRequest {
        scope: WatchScope::AllUsers.into(),
        ..Default::default()
    };
    let claimed = deployment.user("ana").with_scopes("letterbox.watch-all");
    assert_watch_refused(
        &claimed,
        all.clone(),
        Code::PermissionDenied,
        "SCOPE_MISSING",
    )
    .await;
    let service = deployment.service("letterbox.watch-all letterbox.act-as");
    service.watch_with(all.clone()).await;
    service.with("x-user-id", "ana").watch_with(all).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_claim_that_is_configured_names_the_tenant(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::with(database, SECRET, |settings| {
        settings.jwt_tenant_claim = Some("org".into());
    })
    .await;
    let of = |tenant: &str| deployment.bearer(&token(&claims("ana", json!({"org": tenant}))));
    of("acme").start("plans", &["ana"], "Lunch?").await;
    assert_eq!(of("acme").summary().await.inbox_thread_count, 1);
    assert_eq!(of("other").summary().await.inbox_thread_count, 0);
    // The header may say the same, and nothing else.
    assert_eq!(
        of("acme")
            .in_tenant("acme")
            .summary()
            .await
            .inbox_thread_count,
        1
    );
    let reason = "TENANT_NOT_ALLOWED";
    assert_turned_away(
        &of("acme").in_tenant("other"),
        Code::PermissionDenied,
        reason,
    )
    .await;
    let bad = of("acme").in_tenant("No Tenant");
    assert_turned_away(&bad, Code::Unauthenticated, "CREDENTIALS_MALFORMED").await;

    let not_accepted = "CREDENTIALS_NOT_ACCEPTED";
    for amiss in [json!({}), json!({"org": "No Tenant"}), json!({"org": 7})] {
        let bearer = deployment.bearer(&token(&claims("ana", amiss)));
        assert_turned_away(&bearer, Code::Unauthenticated, not_accepted).await;
    }
    // A service whose token lacks the claim chooses; one that is null is lacking.
    let mut null = claims("robot", json!({"scope": ACT_AS}));
    null["org"] = Value::Null;
    for service in [deployment.service(ACT_AS), deployment.bearer(&token(&null))] {
        let service = service.with("x-user-id", "ana");
        let of_acme = service.in_tenant("acme").summary().await;
        assert_eq!(of_acme.inbox_thread_count, 1);
        assert_eq!(service.summary().await.inbox_thread_count, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_claim_every_token_belongs_to_the_default_tenant() {
    let deployment = Deployment::with_key(Database::Sqlite, SECRET).await;
    let ana = deployment.user("ana");
    ana.start("plans", &["ana"], "Lunch?").await;
    assert_eq!(
        ana.in_tenant("default").summary().await.inbox_thread_count,
        1
    );
    let reason = "TENANT_NOT_ALLOWED";
    assert_turned_away(&ana.in_tenant("acme"), Code::PermissionDenied, reason).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_tenant_is_required_a_service_without_the_claim_names_one() {
    let deployment = Deployment::with(Database::Sqlite, SECRET, |settings| {
        settings.jwt_tenant_claim = Some("org".into());
        settings.require_tenant = true;
    })
    .await;
    let service = deployment.service(ACT_AS);
    assert_turned_away(&service, Code::Unauthenticated, "CREDENTIALS_MISSING").await;
    assert_eq!(name_of(&service.in_tenant("acme")).await, "robot");
}
