//! Watchers who catch up, and what they hold in memory meanwhile.

use std::num::NonZeroUsize;

use letterbox::config::Settings;

use crate::support::prelude::*;

/// More than a client's HTTP/2 takes of a stream that nobody reads.
const MESSAGES: usize = 80;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn those_who_take_nothing_do_not_hold_up_those_who_catch_up(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let users = ["ben", "cem", "dia", "eva", "fay", "gil"];
    let server = TestServer::setup()
        // As little memory as there can be: of two pages, while one of them is read.
        .settings(|settings| settings.limits.catch_up_bytes_max = 0)
        .start(database)
        .await;
    let ana = server.client("ana");
    let beginning = ana.summary().await.resume_token;
    let content = "x".repeat(60_000);
    let thread = ana.start("flood", &users, &content).await.thread;
    for _ in 1..MESSAGES {
        ana.reply(&thread, &content).await;
    }

    let mut stalled = Vec::new();
    for _ in 0..3 {
        for user in users {
            stalled.push(server.client(user).resume(&beginning).await);
        }
    }
    for user in users {
        let mut watch = server.client(user).resume(&beginning).await;
        for number in 1..=MESSAGES {
            let message = watch.sent().await.message.expect("a message");
            assert_eq!(usize::try_from(message.number), Ok(number));
        }
    }
    // Nor have they missed anything.
    for mut watch in stalled {
        for number in 1..=MESSAGES {
            let message = watch.sent().await.message.expect("a message");
            assert_eq!(usize::try_from(message.number), Ok(number));
        }
    }
}

/// A server on which a user can watch once, and where ben is told of more than he takes; the token from
/// before that.
async fn flooded(database: Database, change: impl FnOnce(&mut Settings)) -> (TestServer, String) {
    let server = TestServer::setup()
        .settings(|settings| {
            settings.limits.user_watches_max = NonZeroUsize::new(1);
            change(settings);
        })
        .start(database)
        .await;
    let ana = server.client("ana");
    let beginning = ana.summary().await.resume_token;
    let content = "x".repeat(60_000);
    let thread = ana.start("flood", &["ben"], &content).await.thread;
    for _ in 1..MESSAGES {
        ana.reply(&thread, &content).await;
    }
    (server, beginning)
}

/// That ben can watch again, and that this is the one watch that there is.
async fn assert_watches_once_more(server: &TestServer) {
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let again = async || ben.try_watch(WatchMessagesRequest::default()).await.ok();
    let mut again = eventually("room for another watch", again).await;
    ana.start("plans", &["ben"], "Lunch?").await;
    assert_eq!(again.sent().await.message.unwrap().content, "Lunch?");
    let series = "letterbox_rpc_in_flight{rpc=\"WatchMessages\"}";
    assert_eq!(server.scrape().await.count(series), 1);
}

/// Of a stream that its client does not read, HTTP/2 can tell it neither an error nor an end.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_off_can_watch_again_though_the_stream_stands(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let stalls = |settings: &mut Settings| settings.watch_stall_timeout = QUICK;
    let (server, beginning) = flooded(database, stalls).await;
    let _takes_nothing = server.client("ben").resume(&beginning).await;
    assert_watches_once_more(&server).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_whose_deadline_has_passed_is_none_though_its_client_does_not_read(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, beginning) = flooded(database, |_| {}).await;
    let in_a_hurry = server.client("ben").with("grpc-timeout", "1S");
    let _takes_nothing = in_a_hurry.resume(&beginning).await;
    assert_watches_once_more(&server).await;
}
