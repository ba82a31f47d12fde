//! Tenants: applications that share a deployment and see nothing of each other.

use crate::support::prelude::*;

const THREAD_NOT_FOUND: (Code, &str) = (Code::NotFound, "THREAD_NOT_FOUND");

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_in_two_tenants_is_two_users(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let shop = |user: &str| server.client(user).in_tenant("shop");
    let forum = |user: &str| server.client(user).in_tenant("forum");
    shop("ana").start("order", &["ben"], "It has come").await;

    assert_eq!(shop("ben").subjects(Folder::Unread).await, ["order"]);
    assert_eq!(shop("ben").summary().await.unread_message_count, 1);
    for other in [
        forum("ben"),
        forum("ana"),
        server.client("ben"),
        server.client("ana"),
    ] {
        let page = other.list(Folder::All).await;
        assert_eq!((page.threads, page.total_size), (vec![], 0));
        let summary = other.summary().await;
        assert_eq!(
            (summary.inbox_thread_count, summary.unread_message_count),
            (0, 0)
        );
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_thread_and_message_are_not_found(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let shop = server.client("ana").in_tenant("shop");
    let order = shop.start("order", &["ben"], "It has come").await;
    let before = shop.read(&order.thread).await;
    // The same user id, and a scope that holds within the tenant alone.
    let forum = server
        .client("ana")
        .in_tenant("forum")
        .with_scopes("letterbox.watch-all");

    let thread_id = || order.thread.clone();
    let (code, reason) = THREAD_NOT_FOUND;
    let read = GetThreadRequest {
        thread_id: thread_id(),
        mark_read: true,
        ..Default::default()
    };
    assert_refused(forum.get_thread(read).await, code, reason);
    let reply = ReplyThreadRequest {
        thread_id: thread_id(),
        content: "Hi".into(),
        ..Default::default()
    };
    assert_refused(forum.reply_thread(reply).await, code, reason);
    let mark = MarkThreadReadRequest {
        thread_id: thread_id(),
        up_to_number: None,
    };
    assert_refused(forum.mark_thread_read(mark).await, code, reason);
    let unread = pb::MarkThreadUnreadRequest {
        thread_id: thread_id(),
    };
    assert_refused(forum.mark_thread_unread(unread).await, code, reason);
    let delete = pb::DeleteThreadRequest {
        thread_id: thread_id(),
    };
    assert_refused(forum.delete_thread(delete).await, code, reason);
    let restore = pb::RestoreThreadRequest {
        thread_id: thread_id(),
    };
    assert_refused(forum.restore_thread(restore).await, code, reason);
    let edit = EditMessageRequest {
        message_id: order.message.id.clone(),
        content: "It has not".into(),
        expected_revision: None,
    };
    assert_refused(
        forum.edit_message(edit).await,
        Code::NotFound,
        "MESSAGE_NOT_FOUND",
    );
    for scope in [WatchScope::Own, WatchScope::AllUsers] {
        let request = WatchMessagesRequest {
            thread_id: thread_id(),
            scope: scope.into(),
            ..Default::default()
        };
        assert_watch_refused(&forum, request, code, reason).await;
    }
    let after = shop.read(&order.thread).await;
    assert_eq!((after.view, after.messages), (before.view, before.messages));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_receives_nothing_of_another_tenant(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let shop = |user: &str| server.client(user).in_tenant("shop");
    let forum = |user: &str| server.client(user).in_tenant("forum");
    let mut own = forum("ben").watch().await;
    let mut all = forum("bot")
        .with_scopes("letterbox.watch-all")
        .watch_all()
        .await;
    let start = own.ready_token.clone();
    let order = shop("ana").start("order", &["ben"], "It has come").await;
    shop("ben").mark_read(&order.thread).await;
    shop("ana").edit(&order.message, "It has come today").await;
    forum("ana").start("hello", &["ben"], "New here").await;

    let mut replayed = forum("ben").resume(&start).await;
    for watch in [&mut own, &mut all, &mut replayed] {
        assert_eq!(watch.line().await, "ana sent hello 1: New here");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_tokens_are_foreign(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] with_events: bool,
) {
    let server = TestServer::start(database).await;
    let shop = server.client("ana").in_tenant("shop");
    let forum = server.client("ana").in_tenant("forum");
    if with_events {
        for tenant in [&shop, &forum] {
            tenant.start("hello", &["ana"], "1").await;
        }
    }
    for resume_token in [
        shop.watch().await.ready_token,
        shop.summary().await.resume_token,
        shop.list(Folder::Inbox).await.resume_token,
    ] {
        let request = WatchMessagesRequest {
            resume_token,
            ..Default::default()
        };
        assert_watch_invalid(&forum, request.clone(), &["resume_token"]).await;
        assert_watch_invalid(&server.client("ana"), request, &["resume_token"]).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_page_tokens_are_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let shop = server.client("ana").in_tenant("shop");
    let forum = server.client("ana").in_tenant("forum");
    for tenant in [&shop, &forum] {
        tenant.start("one", &["ana"], "1").await;
        tenant.start("two", &["ana"], "1").await;
    }
    let first = ListInboxRequest {
        page_size: 1,
        ..Default::default()
    };
    let page_token = shop
        .list_inbox(first.clone())
        .await
        .unwrap()
        .next_page_token;
    let second = ListInboxRequest {
        page_token,
        ..first
    };
    shop.list_inbox(second.clone()).await.unwrap();
    assert_invalid(forum.list_inbox(second).await, &["page_token"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn request_ids_are_a_tenants_own(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: "Lunch?".into(),
        request_id: request_id(),
    };
    let other = SendMessageRequest {
        content: "Dinner?".into(),
        ..request.clone()
    };
    let shop = server.client("ana").in_tenant("shop");
    let forum = server.client("ana").in_tenant("forum");
    let in_shop: Sent = shop.send_message(request.clone()).await.unwrap().into();
    let in_forum: Sent = forum.send_message(other).await.unwrap().into();
    assert_ne!(in_shop.thread, in_forum.thread);
    let retry: Sent = shop.send_message(request).await.unwrap().into();
    assert_eq!(retry, in_shop);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_names_no_tenant_belongs_to_default(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let ben = server.client("ben").in_tenant("default");
    assert_eq!(ben.subjects(Folder::Inbox).await, ["plans"]);
}

#[rstest]
#[case::the_shortest("a")]
#[case::the_longest("a23456789-123456789-123456789-123456789-123456789-123456789-123")]
#[case::with_digits_and_hyphens("shop-2-")]
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_exists_with_its_first_call(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] tenant: &str,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana").in_tenant(tenant);
    let mut watch = ana.watch().await;
    ana.start("plans", &["ana"], "Lunch").await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch");
    assert_eq!(ana.subjects(Folder::Inbox).await, ["plans"]);
}

#[rstest]
#[case::empty(&[""])]
#[case::too_long(&["a23456789-123456789-123456789-123456789-123456789-123456789-1234"])]
#[case::upper_case(&["Shop"])]
#[case::a_digit_first(&["2shop"])]
#[case::a_hyphen_first(&["-shop"])]
#[case::an_underscore(&["my_shop"])]
#[case::a_dot(&["my.shop"])]
#[case::a_space(&["my shop"])]
#[case::twice(&["shop", "shop"])]
#[case::two(&["shop", "forum"])]
#[case::one_and_an_empty_one(&["shop", ""])]
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_tenant_is_no_identity(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] tenants: &[&str],
) {
    let server = TestServer::start(database).await;
    let mut ana = server.client("ana");
    for tenant in tenants {
        ana = ana.in_tenant(tenant);
    }
    let result = ana.get_inbox_summary(GetInboxSummaryRequest {}).await;
    assert_refused(result, Code::Unauthenticated, "CREDENTIALS_MALFORMED");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_can_require_a_tenant(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.require_tenant = true)
        .start(database)
        .await;
    let ana = server.client("ana");
    let result = ana.get_inbox_summary(GetInboxSummaryRequest {}).await;
    assert_refused(result, Code::Unauthenticated, "CREDENTIALS_MISSING");
    let request = WatchMessagesRequest::default();
    let (code, reason) = (Code::Unauthenticated, "CREDENTIALS_MISSING");
    assert_watch_refused(&ana, request, code, reason).await;
    for tenant in ["default", "shop"] {
        let user = ana.in_tenant(tenant).summary().await.user;
        assert_eq!(user.expect("the caller").id, "ana");
    }
}
