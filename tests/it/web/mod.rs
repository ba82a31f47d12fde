//! gRPC-Web: calls of pages in browsers, over HTTP/1.1.

mod page;

use std::time::Duration;

use http::StatusCode;
use letterbox::pb::SendMessageResponse;
use tonic::Status;

use self::page::Page;
use crate::support::prelude::*;

/// The page's origin that the servers of these tests accept.
const APP: &str = "https://app.example";

/// A server that pages of [`APP`] can call.
async fn start(database: Database) -> TestServer {
    TestServer::setup()
        .settings(|settings| {
            settings.grpc_web = true;
            settings.grpc_web_origins = vec![APP.parse().unwrap()];
        })
        .start(database)
        .await
}

fn to_ben(content: &str) -> SendMessageRequest {
    SendMessageRequest {
        recipient_ids: vec!["ben".to_owned()],
        subject: "plans".to_owned(),
        content: content.to_owned(),
        request_id: String::new(),
    }
}

#[rstest]
#[case::in_bytes("application/grpc-web+proto")]
#[case::in_text("application/grpc-web-text+proto")]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_calls_over_http_1(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] content_type: &str,
) {
    let server = start(database).await;
    let ana = Page::open(&server, APP).user("ana").speaking(content_type);
    let mut answer = ana.call("SendMessage", &to_ben("Lunch?")).await;
    assert_eq!(answer.header("content-type"), Some(content_type));
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    let sent: SendMessageResponse = answer.message().await;
    assert_eq!(sent.message.unwrap().content, "Lunch?");
    assert_eq!(answer.end().await.code(), Code::Ok);
    // Who calls as before finds it.
    let ben = server.client("ben");
    assert_eq!(ben.subjects(Folder::Inbox).await, ["plans"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_watches_as_it_happens_and_hears_how_the_watch_ends(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = start(database).await;
    let ben = Page::open(&server, APP).user("ben");
    let mut watch = ben
        .call("WatchMessages", &WatchMessagesRequest::default())
        .await;
    let ready: WatchMessagesResponse = watch.message().await;
    assert!(matches!(
        ready.event,
        Some(pb::watch_messages_response::Event::Ready(_))
    ));
    for content in ["1", "2"] {
        server.client("ana").start("plans", &["ben"], content).await;
        let told: WatchMessagesResponse = watch.message().await;
        let Some(pb::watch_messages_response::Event::MessageSent(sent)) = told.event else {
            panic!("not what was sent: {told:?}");
        };
        assert_eq!(sent.message.unwrap().content, content);
    }
    let stopping = server.begin_to_stop();
    let end = Refusal::of(&watch.end().await);
    assert_eq!(
        (end.code, end.reason.as_str()),
        (Code::Unavailable, "SHUTTING_DOWN")
    );
    soon("the server's end", stopping).await.unwrap();
}

#[rstest]
#[case::by_nobody(None, Code::Unauthenticated, "CREDENTIALS_MISSING")]
#[case::malformed(Some("ana".to_owned()), Code::InvalidArgument, "INVALID_REQUEST")]
#[case::too_large(Some("x".repeat(17 << 10)), Code::ResourceExhausted, "REQUEST_TOO_LARGE")]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_read_why_it_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] user: Option<String>,
    #[case] code: Code,
    #[case] reason: &str,
) {
    let server = start(database).await;
    let page = Page::open(&server, APP);
    let page = user.iter().fold(page, |page, user| page.user(user));
    let answer = page.call("SendMessage", &to_ben("")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    // What stands in headers is readable to a page where the answer says so.
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "grpc-retry-pushback-ms",
    ] {
        assert!(exposed.split(',').any(|one| one == name), "{exposed}");
    }
    let refused: Result<(), Status> = Err(answer.end().await);
    assert_refused(refused, code, reason);
}

#[rstest]
#[case::the_one_named(APP, true)]
#[case::another("https://evil.example", false)]
#[case::another_scheme("http://app.example", false)]
#[case::another_port("https://app.example:8443", false)]
#[case::one_that_contains_it("https://app.example.evil.example", false)]
#[case::none("null", false)]
#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_the_origins_named_are_let_in(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] origin: &str,
    #[case] allowed: bool,
) {
    let server = start(database).await;
    let page = Page::open(&server, origin).user("ana");
    let asked = page.ask("authorization,content-type,x-grpc-web").await;
    let expected = allowed.then_some(APP);
    assert_eq!(asked.header("access-control-allow-origin"), expected);
    assert_eq!(asked.header("access-control-allow-methods"), Some("POST"));
    let headers = asked.header("access-control-allow-headers").unwrap();
    assert!(headers.split(',').any(|name| name == "authorization"));
    assert!(!headers.contains('*'));
    let answer = page
        .call("GetInboxSummary", &GetInboxSummaryRequest {})
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), expected);
}

/// A browser that does not ask first sends it all the same, and only keeps the answer to itself.
#[rstest]
#[case::of_a_page("application/grpc-web+proto")]
#[case::of_a_form("text/plain")]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_another_origins_page_is_not_carried_out(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] content_type: &str,
) {
    let server = start(database).await;
    let page = Page::open(&server, "https://evil.example").user("ana");
    let answer = page
        .speaking(content_type)
        .call("SendMessage", &to_ben("Lunch?"))
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.client("ben").subjects(Folder::All).await, [""; 0]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn pages_are_not_served_unless_the_operator_says_so(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let page = Page::open(&server, APP).user("ana");
    let refused = page.try_call("GetInboxSummary", &GetInboxSummaryRequest {});
    assert!(soon("the connection's end", refused).await.is_err());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_does_not_hold_up_the_end_of_a_server_for_pages(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = start(database).await;
    // One says nothing, and one keeps its connection for a next call that does not come.
    let silent = tokio::net::TcpStream::connect(server.authority()).await;
    let page = Page::open(&server, APP).user("ana");
    let answer = page
        .call("GetInboxSummary", &GetInboxSummaryRequest {})
        .await;
    let ended = tokio::time::timeout(Duration::from_secs(5), server.stop()).await;
    assert!(ended.is_ok(), "well before the drain timeout");
    drop((silent, answer));
}
