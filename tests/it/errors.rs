//! Errors as such: the order of the checks, and those that are about the call itself.

use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;

use crate::support::{RawClient, prelude::*};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn identity_is_looked_at_before_scope_and_scope_before_form(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let request = WatchMessagesRequest {
        resume_token: "garbage".into(),
        thread_id: "garbage".into(),
        kinds: vec![99],
        scope: WatchScope::AllUsers.into(),
    };
    let (code, reason) = (Code::Unauthenticated, "CREDENTIALS_MISSING");
    assert_watch_refused(&server.anonymous(), request.clone(), code, reason).await;
    let (code, reason) = (Code::PermissionDenied, "SCOPE_MISSING");
    assert_watch_refused(&server.client("ana"), request.clone(), code, reason).await;
    let bot = server.client("bot").with_scopes("letterbox.watch-all");
    assert_watch_invalid(&bot, request, &["resume_token", "thread_id", "kinds"]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn form_is_looked_at_before_the_request_id_and_that_before_existence(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.known_users_only = true)
        .start(database)
        .await;
    let ana = server.client("ana");
    let used = SendMessageRequest {
        recipient_ids: vec!["ana".into()],
        subject: "note".into(),
        content: "Milk".into(),
        request_id: request_id(),
    };
    ana.send_message(used.clone()).await.unwrap();

    let malformed = SendMessageRequest {
        subject: String::new(),
        recipient_ids: vec!["nobody".into()],
        ..used.clone()
    };
    assert_invalid(ana.send_message(malformed).await, &["subject"]);
    let unknown = SendMessageRequest {
        recipient_ids: vec!["nobody".into()],
        ..used.clone()
    };
    let (code, reason) = (Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_refused(ana.send_message(unknown).await, code, reason);
    let missing = ReplyThreadRequest {
        thread_id: unused_id(),
        content: "Milk".into(),
        subject: None,
        request_id: used.request_id,
    };
    assert_refused(ana.reply_thread(missing.clone()).await, code, reason);
    let blank = ReplyThreadRequest {
        content: " ".into(),
        ..missing
    };
    assert_invalid(ana.reply_thread(blank).await, &["content"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn existence_is_looked_at_before_permission_and_that_before_state(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let stale = EditMessageRequest {
        message_id: plans.message.id,
        content: "Dinner?".into(),
        expected_revision: Some(7),
    };
    let result = server.client("eve").edit_message(stale.clone()).await;
    assert_refused(result, Code::NotFound, "MESSAGE_NOT_FOUND");
    let result = server.client("ben").edit_message(stale.clone()).await;
    let refusal = assert_refused(result, Code::PermissionDenied, "NOT_THE_SENDER");
    assert_eq!(refusal.resources, [stale.message_id.as_str()]);
    let result = ana.edit_message(stale.clone()).await;
    let refusal = assert_refused(result, Code::Aborted, "REVISION_STALE");
    assert_eq!(refusal.resources, [stale.message_id]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_request_larger_than_4_mib_is_refused_and_one_just_below_is_looked_at(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let request = |bytes: usize| SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "x".repeat(bytes),
        request_id: String::new(),
    };
    let result = ana.send_message(request((4 << 20) + 1)).await;
    assert_refused(result, Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    let result = ana.send_message(request((4 << 20) - 100)).await;
    assert_invalid(result, &["content"]);
    // The connection is as good as before.
    ana.start("plans", &["ben"], "Lunch?").await;
}

/// The headers of a caller who says how long to wait.
fn headers(timeout: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("x-user-id", "ana"), ("grpc-timeout", timeout)]
}

#[rstest]
#[case::no_time("0S")]
#[case::none_in_its_smallest_unit("0n")]
#[case::a_nanosecond("1n")]
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_its_deadline_is_told_so_and_not_done(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] timeout: &'static str,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    ana.summary().await;
    let request = SendMessageRequest {
        recipient_ids: vec!["ana".into()],
        subject: "note".into(),
        content: "Milk".into(),
        request_id: String::new(),
    };
    for _ in 0..20 {
        let (headers, message) = (headers(timeout), request.encode_to_vec());
        let answer = raw_call(&server, "SendMessage", &headers, &message).await;
        let refusal = Refusal::of(&answer.status);
        assert_eq!(refusal.code, Code::DeadlineExceeded);
        assert_eq!(refusal.reason, "DEADLINE_EXCEEDED");
        assert!(answer.body.is_empty());
    }
    assert_eq!(ana.list(Folder::All).await.total_size, 0);
}

#[rstest]
#[case::hours("1H")]
#[case::minutes("1M")]
#[case::seconds("20S")]
#[case::milliseconds("20000m")]
#[case::microseconds("20000000u")]
#[case::the_longest("99999999H")]
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_has_not_passed_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] timeout: &'static str,
) {
    let server = TestServer::start(database).await;
    let answer = raw_call(&server, "GetInboxSummary", &headers(timeout), b"").await;
    assert_eq!(answer.status.code(), Code::Ok, "{:?}", answer.status);
    let summary = GetInboxSummaryResponse::decode(&answer.body[5..]).unwrap();
    assert_eq!(summary.user.expect("the caller").id, "ana");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_with_a_deadline_ends_with_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let answer = raw_call(&server, "WatchMessages", &headers("500m"), b"").await;
    let refusal = Refusal::of(&answer.status);
    assert_eq!(refusal.code, Code::DeadlineExceeded);
    assert_eq!(refusal.reason, "DEADLINE_EXCEEDED");
    let ready = WatchMessagesResponse::decode(&answer.body[5..]).unwrap();
    assert_ne!(ready.resume_token, "", "it stood until then");
}

#[rstest]
#[case::garbage(&[0xff; 7])]
#[case::a_field_cut_short(&[0x12, 0x05, b'p'])]
#[case::text_that_is_not_utf8(&[0x12, 0x01, 0xff])]
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_request_are_an_internal_error_without_details(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] bytes: &[u8],
) {
    let server = TestServer::start(database).await;
    let answer = raw_call(&server, "SendMessage", &[("x-user-id", "ana")], bytes).await;
    assert_eq!(answer.status.code(), Code::Internal);
    assert_eq!(answer.status.details(), b"");
    for leak in ["src/", ".rs", "SELECT", "panicked"] {
        assert!(
            !answer.status.message().contains(leak),
            "{:?}",
            answer.status
        );
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_later_version_are_ignored(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    // Field 2047, a varint.
    let unknown = [0xf8, 0x7f, 0x01];
    let answer = raw_call(
        &server,
        "GetInboxSummary",
        &[("x-user-id", "ana")],
        &unknown,
    )
    .await;
    assert_eq!(answer.status.code(), Code::Ok, "{:?}", answer.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_calls_are_turned_away_the_others_on_their_connection_go_on() {
    let server = TestServer::start(Database::Sqlite).await;
    let gateway = &RawClient::connect(&server).await;
    let summary = "letterbox.v1.MessagingService/GetInboxSummary";
    let refused = stream::iter(0..3_000)
        .map(async |_| {
            gateway
                .call(summary, HeaderMap::new(), b"")
                .await
                .status
                .code()
        })
        .buffer_unordered(64);
    let refused: Vec<Code> = refused.collect().await;
    assert!(refused.iter().all(|code| *code == Code::Unauthenticated));
    let ana = HeaderMap::from_iter([(
        HeaderName::from_static("x-user-id"),
        HeaderValue::from_static("ana"),
    )]);
    assert_eq!(
        gateway.call(summary, ana, b"").await.status.code(),
        Code::Ok
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_rpc_that_is_not_there_is_unimplemented(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let answer = raw_call(&server, "Forward", &[("x-user-id", "ana")], b"").await;
    assert_eq!(answer.status.code(), Code::Unimplemented);
    assert_eq!(answer.status.message(), "the server has no such rpc");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_compression_that_the_server_does_not_know_is_unimplemented(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let headers = [("x-user-id", "ana"), ("grpc-encoding", "snappy")];
    let answer = raw_call(&server, "GetInboxSummary", &headers, b"").await;
    assert_eq!(
        answer.status.code(),
        Code::Unimplemented,
        "{:?}",
        answer.status
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_more_than_16_kib_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let summary = GetInboxSummaryRequest {};
    let large = ana.with("x-trace", &"x".repeat(15 << 10));
    large
        .get_inbox_summary(summary)
        .await
        .expect("15 KiB are fine");
    let too_large = ana.with("x-trace", &"x".repeat(17 << 10));
    too_large
        .get_inbox_summary(summary)
        .await
        .expect_err("17 KiB are not");
    // The next call on the same connection is none the worse for it.
    ana.get_inbox_summary(summary).await.unwrap();
}
