//! Watches of all users, for those who have the scope.

use crate::support::prelude::*;

/// Everything that a tenant's threads can go through, by three users.
async fn a_busy_day(server: &TestServer) {
    let (ana, ben, cleo) = (
        server.client("ana"),
        server.client("ben"),
        server.client("cleo"),
    );
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.mark_read(&plans.thread).await;
    ben.reply(&plans.thread, "Yes").await;
    ana.edit(&plans.message, "Dinner?").await;
    let other = cleo.start("other", &["ben"], "Hello").await;
    ben.delete(&other.thread).await;
    ben.restore(&other.thread).await;
    cleo.start("note", &["cleo"], "Milk").await;
    ana.mark_read(&plans.thread).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_all_users_receives_everything_in_the_tenant(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] live: bool,
) {
    let server = TestServer::start(database).await;
    let bot = server.client("bot").with_scopes("letterbox.watch-all");
    let mut watch = bot.watch_all().await;
    a_busy_day(&server).await;
    if !live {
        watch = bot
            .watch_with(WatchMessagesRequest {
                resume_token: watch.ready_token,
                scope: WatchScope::AllUsers.into(),
                ..Default::default()
            })
            .await;
    }

    let mut lines = watch.lines(9).await;
    // Live or replayed, a view and a content may already be a later one.
    for (index, start) in [
        (0, "ana sent plans 1: "),
        (1, "plans for ben: inbox, read "),
        (3, "ana edited plans 1: "),
        (5, "other for ben: "),
        (6, "other for ben: inbox, "),
    ] {
        assert!(lines[index].starts_with(start), "{lines:?}");
        start.clone_into(&mut lines[index]);
    }
    assert_eq!(
        lines,
        [
            "ana sent plans 1: ",
            "plans for ben: inbox, read ",
            "ben replied in plans 2: Yes",
            "ana edited plans 1: ",
            "cleo sent other 1: Hello",
            "other for ben: ",
            "other for ben: inbox, ",
            "cleo sent note 1: Milk",
            "plans for ana: inbox, read 2, unread 0",
        ],
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_view_in_a_watch_of_all_users_is_its_viewers(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let bot = server.client("bot").with_scopes("letterbox.watch-all");
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let mut watch = bot.watch_all().await;
    let of_ana = ana.delete(&plans.thread).await;
    let of_ben = ben.delete(&plans.thread).await;

    let changed = watch.changed().await;
    assert_eq!(
        (changed.user_id.as_str(), changed.view),
        ("ana", Some(of_ana))
    );
    let changed = watch.changed().await;
    assert_eq!(
        (changed.user_id.as_str(), changed.view),
        ("ben", Some(of_ben))
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_all_users_can_be_limited_to_a_thread_and_kinds(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let bot = server.client("bot").with_scopes("letterbox.watch-all");
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let other = ana.start("other", &["ben"], "Hello").await;
    let mut of_thread = bot
        .watch_with(WatchMessagesRequest {
            thread_id: plans.thread.clone(),
            scope: WatchScope::AllUsers.into(),
            ..Default::default()
        })
        .await;
    let mut of_kind = bot
        .watch_with(WatchMessagesRequest {
            kinds: vec![EventKind::MessageEdited.into()],
            scope: WatchScope::AllUsers.into(),
            ..Default::default()
        })
        .await;

    ben.mark_read(&other.thread).await;
    ben.reply(&other.thread, "Hi").await;
    ana.edit(&other.message, "Hello!").await;
    ben.mark_read(&plans.thread).await;
    ana.edit(&plans.message, "Dinner?").await;
    assert_eq!(
        of_thread.lines(2).await,
        [
            "plans for ben: inbox, read 1, unread 0",
            "ana edited plans 1: Dinner?"
        ],
    );
    assert_eq!(
        of_kind.lines(2).await,
        ["ana edited other 1: Hello!", "ana edited plans 1: Dinner?"],
    );
}

#[rstest]
#[case::none("")]
#[case::another("letterbox.admin")]
#[case::one_that_only_begins_so("letterbox.watch-all-of-it")]
#[case::in_another_case("Letterbox.Watch-All")]
#[case::separated_otherwise("letterbox.admin,letterbox.watch-all")]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_all_users_needs_the_scope(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] scopes: &str,
) {
    let server = TestServer::start(database).await;
    let bot = server.client("bot").with_scopes(scopes);
    let request = WatchMessagesRequest {
        scope: WatchScope::AllUsers.into(),
        ..Default::default()
    };
    let refusal =
        assert_watch_refused(&bot, request, Code::PermissionDenied, "SCOPE_MISSING").await;
    assert_eq!(refusal.metadata["scope"], "letterbox.watch-all");
}

#[rstest]
#[case::alone("letterbox.watch-all")]
#[case::among_others("openid letterbox.watch-all letterbox.admin letterbox.later")]
#[case::with_spaces_around("  letterbox.watch-all  ")]
#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_separated_by_spaces(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] scopes: &str,
) {
    let server = TestServer::start(database).await;
    let mut watch = server.client("bot").with_scopes(scopes).watch_all().await;
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    assert_eq!(watch.line().await, "ana sent plans 1: Lunch?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_scope_alone_opens_nothing_else(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let bot = server
        .client("bot")
        .with_scopes("letterbox.watch-all letterbox.admin letterbox.act-as");
    let read = GetThreadRequest {
        thread_id: plans.thread.clone(),
        ..Default::default()
    };
    assert_refused(
        bot.get_thread(read).await,
        Code::NotFound,
        "THREAD_NOT_FOUND",
    );
    // Its own watch is its own.
    let mut own = bot.watch().await;
    ana.reply(&plans.thread, "Anybody?").await;
    ana.start("bot's", &["bot"], "Hello").await;
    assert_eq!(own.line().await, "ana sent bot's 1: Hello");
}
