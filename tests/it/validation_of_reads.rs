//! What makes a request that reads malformed: every rule, and all violations at once.

use crate::support::prelude::*;

fn read() -> GetThreadRequest {
    GetThreadRequest {
        thread_id: unused_id(),
        ..Default::default()
    }
}

#[rstest]
#[case::a_negative_page_size(
    ListInboxRequest { page_size: -1, ..Default::default() },
    &["page_size"]
)]
#[case::an_unknown_folder(ListInboxRequest { folder: 6, ..Default::default() }, &["folder"])]
#[case::a_negative_folder(ListInboxRequest { folder: -1, ..Default::default() }, &["folder"])]
#[case::a_negative_skip(ListInboxRequest { skip: -1, ..Default::default() }, &["skip"])]
#[case::a_skip_over_10_000(ListInboxRequest { skip: 10_001, ..Default::default() }, &["skip"])]
#[case::everything(
    ListInboxRequest { page_size: -1, page_token: String::new(), folder: 99, skip: -1 },
    &["page_size", "folder", "skip"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_listing_is_told_every_rule_that_it_breaks(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: ListInboxRequest,
    #[case] fields: &[&str],
) {
    let server = TestServer::start(database).await;
    assert_invalid(server.client("ana").list_inbox(request).await, fields);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_garbage_token_is_told_beside_whatever_else_is_wrong(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let page_token = || "garbage".to_owned();
    let list = ListInboxRequest {
        page_size: -1,
        page_token: page_token(),
        folder: 99,
        skip: 0,
    };
    let result = ana.list_inbox(list).await;
    assert_invalid(result, &["page_size", "page_token", "folder"]);
    let read = GetThreadRequest {
        thread_id: "x".into(),
        page_size: -1,
        page_token: page_token(),
        order: 99,
        exclude_sender_id: "a b".into(),
        ..Default::default()
    };
    assert_invalid(
        ana.get_thread(read).await,
        &[
            "thread_id",
            "page_size",
            "page_token",
            "order",
            "exclude_sender_id",
        ],
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn neither_skip_nor_start_number_stands_beside_a_token(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ana"], "1").await;
    ana.reply(&plans.thread, "2").await;
    ana.start("other", &["ana"], "1").await;
    let first = ListInboxRequest {
        page_size: 1,
        ..Default::default()
    };
    let second = ListInboxRequest {
        page_token: ana.list_inbox(first.clone()).await.unwrap().next_page_token,
        skip: 1,
        ..first
    };
    assert_invalid(ana.list_inbox(second).await, &["skip"]);

    let first = GetThreadRequest {
        thread_id: plans.thread,
        page_size: 1,
        ..Default::default()
    };
    let second = GetThreadRequest {
        page_token: ana.get_thread(first.clone()).await.unwrap().next_page_token,
        start_number: 1,
        ..first
    };
    assert_invalid(ana.get_thread(second).await, &["start_number"]);
}

#[rstest]
#[case::nothing(GetThreadRequest::default(), &["thread_id"])]
#[case::a_negative_page_size(GetThreadRequest { page_size: -1, ..read() }, &["page_size"])]
#[case::an_unknown_order(GetThreadRequest { order: 3, ..read() }, &["order"])]
#[case::a_malformed_sender(
    GetThreadRequest { exclude_sender_id: "a b".into(), ..read() },
    &["exclude_sender_id"]
)]
#[case::the_most_negative_start(GetThreadRequest { start_number: i32::MIN, ..read() }, &["start_number"])]
#[case::a_negative_start(GetThreadRequest { start_number: -1, ..read() }, &["start_number"])]
#[case::everything(
    GetThreadRequest {
        thread_id: "x".into(),
        page_size: -1,
        page_token: String::new(),
        order: 99,
        exclude_sender_id: "x".repeat(129),
        mark_read: true,
        start_number: -1,
    },
    &["thread_id", "page_size", "order", "exclude_sender_id", "start_number"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_reading_is_told_every_rule_that_it_breaks(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: GetThreadRequest,
    #[case] fields: &[&str],
) {
    let server = TestServer::start(database).await;
    assert_invalid(server.client("ana").get_thread(request).await, fields);
}

#[rstest]
#[case::a_malformed_thread_id(
    WatchMessagesRequest { thread_id: "x".into(), ..Default::default() },
    &["thread_id"]
)]
#[case::an_unspecified_kind(WatchMessagesRequest { kinds: vec![1, 0], ..Default::default() }, &["kinds"])]
#[case::an_unknown_kind(WatchMessagesRequest { kinds: vec![4], ..Default::default() }, &["kinds"])]
#[case::unknown_kinds(
    WatchMessagesRequest { kinds: vec![-1, 99], ..Default::default() },
    &["kinds", "kinds"]
)]
#[case::an_unknown_scope(WatchMessagesRequest { scope: 3, ..Default::default() }, &["scope"])]
#[case::everything(
    WatchMessagesRequest {
        resume_token: "x".into(),
        thread_id: "x".into(),
        kinds: vec![0],
        scope: -1,
    },
    &["resume_token", "thread_id", "kinds", "scope"]
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_watch_is_told_every_rule_that_it_breaks(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] request: WatchMessagesRequest,
    #[case] fields: &[&str],
) {
    let server = TestServer::start(database).await;
    let client = server.client("ana").with_scopes("letterbox.watch-all");
    assert_watch_invalid(&client, request, fields).await;
}
