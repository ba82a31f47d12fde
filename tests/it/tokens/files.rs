//! What a key file may hold, and be replaced by. What is no key at all ends the start
//! (`processes::wrong_settings`).

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use super::issuer::{
    Deployment, SECRET, assert_turned_away, claims, jwk, key_file, name_of, rsa, set, signed, token,
};
use crate::support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_keys_may_begin_with_a_byte_order_mark() {
    let file = ["\u{feff}".as_bytes(), &set(&[jwk("one")])].concat();
    let deployment = Deployment::with_key(Database::Sqlite, &file).await;
    let ana = signed(
        Algorithm::RS256,
        Some("one"),
        &rsa("one"),
        &claims("ana", json!({})),
    );
    assert_eq!(name_of(&deployment.bearer(&ana)).await, "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_name_is_whichever_a_token_names() {
    let mut key = jwk("one");
    key.as_object_mut().unwrap().remove("kid");
    let deployment = Deployment::with_key(Database::Sqlite, &set(&[key])).await;
    for name in [None, Some("any")] {
        let ana = signed(
            Algorithm::RS256,
            name,
            &rsa("one"),
            &claims("ana", json!({})),
        );
        assert_eq!(name_of(&deployment.bearer(&ana)).await, "ana");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_an_edwards_key_signs_with_has_two_names(
    #[values(None, Some("EdDSA"), Some("Ed25519"))] of_key: Option<&str>,
    #[values("EdDSA", "Ed25519")] of_token: &str,
) {
    let pem = String::from_utf8(key_file("ed.pub.pem")).unwrap();
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).unwrap();
    // The key itself is what its DER ends with (RFC 8410, section 4).
    let x = URL_SAFE_NO_PAD.encode(&der[der.len() - 32..]);
    let mut key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": x});
    if let Some(name) = of_key {
        key["alg"] = name.into();
    }
    let deployment = Deployment::with_key(Database::Sqlite, &set(&[key])).await;
    let header = json!({"alg": of_token, "kid": "ed"});
    let said = [header, claims("ana", json!({}))];
    let said = said
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let key = EncodingKey::from_ed_pem(&key_file("ed.pem")).unwrap();
    let signature = jsonwebtoken::crypto::sign(said.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    let ana = deployment.bearer(&format!("{said}.{signature}"));
    assert_eq!(name_of(&ana).await, "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn public_keys_that_are_replaced_by_something_else_stay_and_that_is_no_secret() {
    let deployment = Deployment::with_key(Database::Sqlite, &set(&[jwk("one")])).await;
    let ana = signed(
        Algorithm::RS256,
        Some("one"),
        &rsa("one"),
        &claims("ana", json!({})),
    );
    let ana = deployment.bearer(&ana);
    assert_eq!(name_of(&ana).await, "ana");

    deployment.replace_key(SECRET);
    deployment.rereads("failed", 1).await;
    assert_eq!(name_of(&ana).await, "ana");
    let forged = deployment.bearer(&token(&claims("ana", json!({}))));
    assert_turned_away(&forged, Code::Unauthenticated, "CREDENTIALS_NOT_ACCEPTED").await;
    // Another kind of public key is as good.
    deployment.replace_key(&key_file("ed.pub.pem"));
    deployment.rereads("ok", 1).await;
    let key = EncodingKey::from_ed_pem(&key_file("ed.pem")).unwrap();
    let ben = signed(Algorithm::EdDSA, None, &key, &claims("ben", json!({})));
    assert_eq!(name_of(&deployment.bearer(&ben)).await, "ben");
}
