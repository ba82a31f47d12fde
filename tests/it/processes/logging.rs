//! The log: a line for each call, and nothing in it that is nobody's business.

use std::{fs, time::Duration};

use serde_json::{Value, json};
use sqlx::Executor;
use tonic::Request;

use super::{
    caller::{to_reply, to_send},
    deployment::Deployment,
    process::Ended,
};
use crate::support::prelude::*;

/// The lines of calls, as JSON.
fn calls(ended: &Ended) -> Vec<Value> {
    let lines = ended.stderr.iter().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line is an object");
        line
    });
    lines.filter(|line| line["message"] == "call").collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_who_called_what_how_it_ended_and_after_how_long(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&["--log=debug"]).await;
    let acme = [("x-user-id", "ana"), ("x-tenant-id", "acme")];
    let mut ana = server.client_with(&acme);
    let mut named = Request::new(to_send(&["ben"], "plans", "Lunch?"));
    let id = "b2f1c0de:7/x".parse().expect("a metadata value");
    named.metadata_mut().insert("x-request-id", id);
    ana.send_message(named).await.expect("a message");
    let unnamed = ana.get_thread(GetThreadRequest::default()).await;
    unnamed.expect_err("no thread is named");
    let mut nobody = server.client_with(&[]);
    let refused = nobody.get_inbox_summary(GetInboxSummaryRequest {}).await;
    refused.expect_err("nobody calls");

    let calls = calls(&server.stop().await);
    let [sent, invalid, nobody] = calls.as_slice() else {
        panic!("not three lines: {calls:?}");
    };
    assert_eq!(sent["request_id"], "b2f1c0de:7/x");
    assert_eq!(sent["rpc"], "SendMessage");
    assert_eq!(
        (&sent["tenant"], &sent["user"]),
        (&json!("acme"), &json!("ana"))
    );
    assert_eq!(
        (&sent["code"], &sent["level"]),
        (&json!("OK"), &json!("DEBUG"))
    );
    assert!(
        sent["duration_ms"].as_f64().is_some_and(|took| took > 0.0),
        "{sent}"
    );
    assert_eq!(sent.get("acting"), None, "{sent}");

    assert_eq!(
        (&invalid["rpc"], &invalid["code"]),
        (&json!("GetThread"), &json!("INVALID_ARGUMENT"))
    );
    let made = invalid["request_id"].as_str().expect("an id that was made");
    assert_eq!(made.len(), 36, "{made}");
    assert_eq!(nobody["code"], "UNAUTHENTICATED");
    assert_eq!(
        (nobody.get("user"), nobody.get("tenant")),
        (None, None),
        "{nobody}"
    );
}

#[rstest]
#[case::with_a_space("two words")]
#[case::empty("")]
#[case::too_long(&"x".repeat(129))]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_that_is_not_well_formed_is_replaced(#[case] id: &str) {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&["--log=debug"]).await;
    let identity = [("x-user-id", "ana"), ("x-request-id", id)];
    let mut ana = server.client_with(&identity);
    let summary = ana.get_inbox_summary(GetInboxSummaryRequest {}).await;
    summary.expect("a summary");
    let calls = calls(&server.stop().await);
    assert_eq!(
        calls[0]["request_id"].as_str().map(str::len),
        Some(36),
        "{calls:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_servers_fault_is_in_the_log_by_default_and_what_is_not_is_not() {
    let deployment = Deployment::new(Database::Postgres).await;
    let server = deployment.serve(&[]).await;
    let mut ana = server.client("ana");
    let summary = GetInboxSummaryRequest {};
    ana.get_inbox_summary(summary).await.expect("a summary");
    let mine = ana.get_thread(GetThreadRequest::default()).await;
    mine.expect_err("no thread is named");
    let broken = "ALTER TABLE users RENAME COLUMN id TO broken";
    deployment
        .postgres()
        .await
        .execute(broken)
        .await
        .expect("a column is renamed");
    assert_refused(
        ana.get_inbox_summary(summary).await,
        Code::Internal,
        "INTERNAL",
    );

    let calls = calls(&server.stop().await);
    let [line] = calls.as_slice() else {
        panic!("not one line: {calls:?}");
    };
    assert_eq!(
        (&line["code"], &line["level"]),
        (&json!("INTERNAL"), &json!("INFO"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_one_line_at_its_end() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&["--log=debug"]).await;
    let mut ana = server.client("ana");
    let watch = ana.watch_messages(WatchMessagesRequest::default()).await;
    let mut watch = watch.expect("a watch").into_inner();
    watch.message().await.expect("a response");
    let stopping = server.stop();
    let (ended, ()) = tokio::join!(stopping, async {
        while let Ok(Some(_)) = watch.message().await {}
    });
    let calls = calls(&ended);
    assert_eq!(calls.len(), 1, "{calls:?}");
    // All watches end with the server, which is nobody's fault.
    assert_eq!(
        (&calls[0]["code"], &calls[0]["level"]),
        (&json!("UNAVAILABLE"), &json!("DEBUG"))
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_contents_no_tokens_and_no_secrets(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let secret = "the secret of the tests, and of nobody else";
    fs::write(deployment.folder().join("secret"), secret).expect("a secret is written");
    let token = async |more: &[&str]| {
        let made = deployment
            .run(&[&["token", "--key", "secret"], more].concat())
            .await;
        made.stdout
            .first()
            .cloned()
            .unwrap_or_else(|| panic!("{made:?}"))
    };
    let robot = token(&["--user", "robot", "--scope", "letterbox.act-as"]).await;
    let ana = token(&["--user", "ana", "--claim", "email=ana@secret.example"]).await;
    let arguments = ["--log=trace", "--auth=jwt", "--jwt-key=secret"];
    let server = deployment.serve(&arguments).await;
    for (token, user) in [(&robot, "ben"), (&ana, "ana")] {
        let bearer = format!("Bearer {token}");
        let identity = [("authorization", bearer.as_str()), ("x-user-id", user)];
        let mut client = server.client_with(&identity);
        let sent = client.send_message(to_send(&["cem"], "hush-subject", "hush-content"));
        let sent = sent.await.expect("a message").into_inner().message;
        let thread = sent.expect("a message").thread_id;
        let reply = client.reply_thread(to_reply(&thread, "hush-reply"));
        reply.await.expect("a reply");
        // What is refused is not quoted either.
        let blank = client.send_message(to_send(&[], "hush-refused", "hush-refused"));
        blank.await.expect_err("nobody to write to");
    }
    let broken = format!("Bearer {}x", &ana[..ana.len() - 1]);
    let mut forged = server.client_with(&[("authorization", &broken)]);
    let refused = { forged }
        .get_inbox_summary(GetInboxSummaryRequest {})
        .await;
    refused.expect_err("a token that nobody has signed");

    let ended = server.stop().await;
    let calls = calls(&ended);
    assert_eq!(calls.len(), 7, "{calls:?}");
    assert_eq!(
        (&calls[0]["user"], &calls[0]["acting"]),
        (&json!("ben"), &json!("robot"))
    );
    let log = ended.stderr.join("\n");
    let signature = |token: &str| token.rsplit('.').next().map(str::to_owned);
    let signatures = [&robot, &ana].map(|token| signature(token).expect("a signature"));
    let never = ["hush-", secret, "secret.example", "Bearer", "eyJ"];
    for hidden in never
        .into_iter()
        .chain(signatures.iter().map(String::as_str))
    {
        assert!(!log.contains(hidden), "{hidden} in\n{log}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_all_is_well_with_does_not_warn(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    // It looks for what has expired five times a second, in tenants of which there are none yet.
    let server = deployment.serve(&["--event-retention=2s"]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    server
        .client("ana")
        .send_message(to_send(&["ben"], "plans", "Lunch?"))
        .await
        .expect("a message");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ended = server.stop().await;
    for line in &ended.stderr {
        let line: Value = serde_json::from_str(line).expect("a line is an object");
        assert_eq!(line["level"], "INFO", "{line}");
    }
}
