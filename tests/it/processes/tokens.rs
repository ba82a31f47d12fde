//! `letterbox token`: what it makes, the server takes.

use std::fs;

use super::deployment::Deployment;
use crate::{support::prelude::*, tokens::key_file};

#[rstest]
#[case::a_secret(b"a secret of the tests, and of nobody else\n".to_vec(), None)]
#[case::a_secret_that_ends_with_a_line(b"a secret of the tests, and of nobody else\n\r\n".to_vec(), None)]
#[case::an_rsa_key(key_file("rsa-one.pem"), Some("rsa-one.pub.pem"))]
#[case::an_elliptic_key(key_file("ec.pem"), Some("ec.pub.pem"))]
#[case::an_edwards_key(key_file("ed.pem"), Some("ed.pub.pem"))]
#[tokio::test(flavor = "multi_thread")]
async fn the_server_takes_the_token_that_the_command_makes(
    #[case] signer: Vec<u8>,
    #[case] verifier: Option<&str>,
) {
    let deployment = Deployment::new(Database::Sqlite).await;
    let in_folder = |name: &str| deployment.folder().join(name);
    let public = verifier.map_or_else(|| signer.clone(), key_file);
    fs::write(in_folder("signer"), &signer).expect("a key is written");
    fs::write(in_folder("verifier"), public).expect("a key is written");

    let what = [
        "token", "--key", "signer", "--user", "robot", "--issuer", "us",
    ];
    let more = ["--scope", "letterbox.act-as", "--claim", "org=acme"];
    let made = deployment.run(&[&what[..], &more].concat()).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let [token] = made.stdout.as_slice() else {
        panic!("not one line: {made:?}");
    };

    let settings = ["--auth=jwt", "--jwt-key=verifier", "--jwt-issuer=us"];
    let server = deployment
        .serve(&[&settings[..], &["--jwt-tenant-claim=org"]].concat())
        .await;
    let bearer = format!("Bearer {token}");
    let identity = [("authorization", bearer.as_str()), ("x-user-id", "ana")];
    let mut client = server.client_with(&identity);
    let summary = client.get_inbox_summary(GetInboxSummaryRequest {}).await;
    let user = summary.expect("a summary").into_inner().user;
    assert_eq!(user.expect("the caller").id, "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_sign_is_said_in_one_line() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let write = |name: &str, file: &[u8]| fs::write(deployment.folder().join(name), file).unwrap();
    write("public", &key_file("rsa-one.pub.pem"));
    write("set", b"{\"keys\": []}");
    for file in ["public", "set", "missing"] {
        let made = deployment
            .run(&["token", "--key", file, "--user", "ana"])
            .await;
        assert_eq!(made.code, Some(1), "{made:?}");
        assert!(made.stderr[0].contains(file), "{made:?}");
        assert_eq!((made.stdout.len(), made.stderr.len()), (0, 1), "{made:?}");
    }
}
