//! Who is calling, by headers that are trusted; and whom the service knows.

use std::net::SocketAddr;

use letterbox::{
    config::Settings,
    server::{Parts, Server},
};

use crate::support::prelude::*;

#[rstest]
#[case::one_character("a".to_owned())]
#[case::the_longest("x".repeat(128))]
#[case::every_visible_character((0x21..=0x7e_u8).map(char::from).collect())]
#[case::almost_the_services_own("letterbox".to_owned())]
#[case::not_quite_the_services_own("Letterbox:bot".to_owned())]
#[case::only_later_the_services_own("x:letterbox:bot".to_owned())]
#[tokio::test(flavor = "multi_thread")]
async fn a_user_id_is_opaque(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] id: String,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &[id.as_str()], "Lunch?")
        .await;
    let user = server.client(&id);
    assert_eq!(user.summary().await.user.expect("the caller").id, id);
    let reply = user.reply(&plans.thread, "Yes").await;
    assert_eq!(reply.message.sender_id(), id);
    assert_eq!(reply.view.participants(), ["ana", id.as_str()]);
    let request = GetThreadRequest {
        thread_id: plans.thread,
        exclude_sender_id: id,
        ..Default::default()
    };
    let others = user.get_thread(request).await.unwrap().messages;
    assert_eq!(others.len(), 1);
}

#[rstest]
#[case::empty(&[""])]
#[case::too_long(&[TOO_LONG])]
#[case::a_space_within(&["a b"])]
#[case::not_ascii(&["añ"])]
#[case::the_services_own(&["letterbox:bot"])]
#[case::twice(&["ana", "ana"])]
#[case::two(&["ana", "ben"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_user_id_is_no_identity(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] ids: &[&str],
) {
    let server = TestServer::start(database).await;
    let mut client = server.anonymous();
    for id in ids {
        client = client.with("x-user-id", id);
    }
    let result = client.get_inbox_summary(GetInboxSummaryRequest {}).await;
    let refusal = assert_refused(result, Code::Unauthenticated, "CREDENTIALS_MALFORMED");
    assert!(
        refusal.metadata.is_empty(),
        "nothing about why: {refusal:?}"
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn scopes_given_twice_are_malformed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let client = server.client("ana").with_scopes("letterbox.admin");
    let client = client.with_scopes("letterbox.watch-all");
    let result = client.get_inbox_summary(GetInboxSummaryRequest {}).await;
    assert_refused(result, Code::Unauthenticated, "CREDENTIALS_MALFORMED");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_call_needs_an_identity_whatever_else_it_says(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    // Neither does a token stand for an identity in this mode.
    let nobody = server.anonymous().with("authorization", "Bearer abc");
    let (code, reason) = (Code::Unauthenticated, "CREDENTIALS_MISSING");
    assert_refused(
        nobody.list_inbox(ListInboxRequest::default()).await,
        code,
        reason,
    );
    assert_refused(
        nobody.get_inbox_summary(GetInboxSummaryRequest {}).await,
        code,
        reason,
    );
    assert_refused(
        nobody.get_thread(GetThreadRequest::default()).await,
        code,
        reason,
    );
    assert_refused(
        nobody.send_message(SendMessageRequest::default()).await,
        code,
        reason,
    );
    assert_refused(
        nobody.reply_thread(ReplyThreadRequest::default()).await,
        code,
        reason,
    );
    assert_refused(
        nobody.edit_message(EditMessageRequest::default()).await,
        code,
        reason,
    );
    let request = MarkThreadReadRequest::default();
    assert_refused(nobody.mark_thread_read(request).await, code, reason);
    let request = pb::MarkThreadUnreadRequest::default();
    assert_refused(nobody.mark_thread_unread(request).await, code, reason);
    let request = pb::DeleteThreadRequest::default();
    assert_refused(nobody.delete_thread(request).await, code, reason);
    let request = pb::RestoreThreadRequest::default();
    assert_refused(nobody.restore_thread(request).await, code, reason);
    let request = WatchMessagesRequest::default();
    assert_watch_refused(&nobody, request, code, reason).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn where_only_known_users_are_written_to_the_unknown_are_named(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = known_users_only(database).await;
    let ana = server.client("ana");
    server.client("ben").summary().await;
    let refusal = assert_refused(
        ana.send_message(send(&["cleo", "ben", "dan", "ana"])).await,
        Code::NotFound,
        "RECIPIENT_NOT_FOUND",
    );
    let told = format!("{refusal:?}");
    assert!(told.contains("cleo") && told.contains("dan"), "{told}");
    assert!(!told.contains("ben") && !told.contains("ana"), "{told}");
    assert_eq!(ana.list(Folder::All).await.total_size, 0);
    assert_eq!(server.client("ben").list(Folder::All).await.total_size, 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn however_many_are_unknown_the_error_stays_small(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = known_users_only(database).await;
    let unknown: Vec<String> = (0..100).map(|n| format!("{n:0>128}")).collect();
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let result = server.client("ana").send_message(send(&unknown)).await;
    // The helper checks the size of every refusal.
    let refusal = assert_refused(result, Code::NotFound, "RECIPIENT_NOT_FOUND");
    assert!(!refusal.resources.is_empty());
    assert_eq!(refusal.metadata["recipientCount"], "100");

    let unknown: Vec<String> = (0..100)
        .map(|n| format!("somebody-of-the-name-{n}"))
        .collect();
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let result = server.client("ana").send_message(send(&unknown)).await;
    let refusal = assert_refused(result, Code::NotFound, "RECIPIENT_NOT_FOUND");
    assert_eq!(refusal.metadata["recipientIds"], unknown.join(" "));
}

#[rstest]
#[case::a_read("summary")]
#[case::a_watch("watch")]
#[case::a_refused_call("refused")]
#[case::a_sent_message("note")]
#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_known_who_has_made_a_call(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] call: &str,
) {
    let server = known_users_only(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let result = ana.send_message(send(&["ben"])).await;
    assert_refused(result, Code::NotFound, "RECIPIENT_NOT_FOUND");
    match call {
        "summary" => drop(ben.summary().await),
        "watch" => drop(ben.watch().await),
        "note" => drop(ben.start("note", &["ben"], "Always possible").await),
        _ => {
            let thread_id = unused_id();
            let delete = ben.delete_thread(pb::DeleteThreadRequest { thread_id });
            assert_refused(delete.await, Code::NotFound, "THREAD_NOT_FOUND");
        }
    }
    let sent: Sent = ana.send_message(send(&["ben"])).await.unwrap().into();
    assert_eq!(sent.view.participants(), ["ana", "ben"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn being_written_to_or_known_elsewhere_makes_nobody_known(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    server.client("ben").in_tenant("shop").summary().await;
    let server = server
        .stop()
        .await
        .settings(|settings| settings.known_users_only = true)
        .start()
        .await;

    let ana = server.client("ana");
    let result = ana.send_message(send(&["ben"])).await;
    let refusal = assert_refused(result, Code::NotFound, "RECIPIENT_NOT_FOUND");
    assert_eq!(refusal.resources, ["ben"]);
    // Who takes part already can be replied to.
    let thread = ana.list(Folder::All).await.threads[0].thread().id.clone();
    ana.reply(&thread, "Anybody?").await;
    server.client("ben").summary().await;
    ana.send_message(send(&["ben"])).await.unwrap();
}

async fn known_users_only(database: Database) -> TestServer {
    TestServer::setup()
        .settings(|settings| settings.known_users_only = true)
        .start(database)
        .await
}

/// 129 characters.
const TOO_LONG: &str = concat!(
    "a23456789-123456789-123456789-123456789-123456789-123456789-1234",
    "a23456789-123456789-123456789-123456789-123456789-123456789-12345",
);

fn send(recipients: &[&str]) -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: recipients.iter().copied().map(str::to_owned).collect(),
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: String::new(),
    }
}

#[rstest]
#[case::every_address([0, 0, 0, 0], false, false)]
#[case::loopback([127, 0, 0, 1], false, true)]
#[case::another_loopback([127, 0, 0, 2], false, true)]
#[case::every_address_where_the_network_is_trusted([0, 0, 0, 0], true, true)]
#[tokio::test(flavor = "multi_thread")]
async fn trusted_headers_are_taken_on_loopback_or_on_a_trusted_network_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] address: [u8; 4],
    #[case] trust_network: bool,
    #[case] starts: bool,
) {
    let database = database.create().await;
    let settings = Settings {
        listen: SocketAddr::from((address, 0)),
        database_url: database.url(),
        trust_network,
        ..Settings::default()
    };
    let started = Server::start(settings, Parts::default()).await;
    assert_eq!(started.is_ok(), starts);
    if let Err(refusal) = started {
        assert!(!refusal.to_string().contains('\n'), "one clear line");
    }
}
