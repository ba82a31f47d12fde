//! `WatchMessages` after a token: nothing is lost and nothing comes twice.

use crate::support::prelude::*;

/// Six things that happen to ana's and ben's threads.
async fn happenings(server: &TestServer) -> Vec<String> {
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.reply(&plans.thread, "Yes").await;
    let other = ben.start("other", &["ana"], "Hello").await;
    ana.reply(&plans.thread, "When?").await;
    ana.reply(&other.thread, "Hi").await;
    ben.start("last", &["ana"], "Bye").await;
    [
        "ana sent plans 1: Lunch?",
        "ben replied in plans 2: Yes",
        "ben sent other 1: Hello",
        "ana replied in plans 3: When?",
        "ana replied in other 2: Hi",
        "ben sent last 1: Bye",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumed_after_any_response_goes_on_with_the_next(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let mut watch = ana.watch().await;
    let expected = happenings(&server).await;
    let mut tokens = vec![watch.ready_token.clone()];
    for line in &expected {
        assert_eq!(watch.line().await, *line);
        tokens.push(watch.token.clone());
    }

    for (seen, token) in tokens.iter().enumerate() {
        let mut resumed = ana.resume(token).await;
        assert_eq!(
            resumed.ready_token, *token,
            "the token of `ready` is the one given"
        );
        let rest = resumed.lines(expected.len() - seen).await;
        assert_eq!(rest, expected[seen..]);
    }
    // At the seam between what was and what is, nothing is lost and nothing comes twice.
    let mut resumed = ana.resume(&tokens[2]).await;
    server.client("ben").start("live", &["ana"], "Now").await;
    let mut rest = expected[2..].to_vec();
    rest.push("ben sent live 1: Now".to_owned());
    assert_eq!(resumed.lines(rest.len()).await, rest);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumed_amid_a_flood_gets_every_event_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watch = ana.watch().await;
    let thread = ben.start("flood", &["ana"], "1").await.thread;
    let flood = tokio::spawn(async move {
        for _ in 0..30 {
            futures_util::future::join_all((0..10).map(|_| ben.reply(&thread, "more"))).await;
        }
    });

    for number in 1..=301 {
        let sent = watch.sent().await;
        assert_eq!(sent.message.expect("a message").number, number);
        if number % 20 == 0 {
            let token = watch.token.clone();
            watch = ana.resume(&token).await;
        }
    }
    flood.await.unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_resumed_after_a_restart(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let start = server.client("ana").summary().await.resume_token;
    let expected = happenings(&server).await;
    let middle = {
        let mut watch = server.client("ana").resume(&start).await;
        watch.lines(3).await;
        watch.token
    };

    let server = server.restart().await;
    let ana = server.client("ana");
    let mut whole = ana.resume(&start).await;
    assert_eq!(whole.lines(expected.len()).await, expected);
    let mut rest = ana.resume(&middle).await;
    assert_eq!(rest.lines(3).await, expected[3..]);
    server.client("ben").start("live", &["ana"], "Now").await;
    assert_eq!(rest.line().await, "ben sent live 1: Now");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_names_a_point_of_the_log_whoever_resumes_and_however(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben, eve) = (
        server.client("ana"),
        server.client("ben"),
        server.client("eve"),
    );
    let of_thread_kind = {
        let plans = ana.start("early", &["ben"], "Lunch?").await;
        let request = WatchMessagesRequest {
            thread_id: plans.thread,
            kinds: vec![EventKind::MessageEdited.into()],
            ..Default::default()
        };
        ben.watch_with(request).await.ready_token
    };
    let expected = happenings(&server).await;

    let mut resumed = ana.resume(&of_thread_kind).await;
    assert_eq!(resumed.lines(expected.len()).await, expected);
    let all = WatchMessagesRequest {
        resume_token: of_thread_kind.clone(),
        scope: WatchScope::AllUsers.into(),
        ..Default::default()
    };
    let mut all = eve.with_scopes("letterbox.watch-all").watch_with(all).await;
    assert_eq!(all.lines(2).await, expected[..2]);
    // And the firehose's token is good for somebody's own watch.
    let mut own = ben.resume(&all.token).await;
    assert_eq!(own.lines(4).await, expected[2..]);
    // Somebody to whom nothing of it happened just waits for what comes.
    let mut nothing = eve.resume(&of_thread_kind).await;
    ana.start("eve's", &["eve"], "Hello").await;
    assert_eq!(nothing.line().await, "ana sent eve's 1: Hello");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_watch_keeps_to_its_filters(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let token = ana.summary().await.resume_token;
    happenings(&server).await;
    let threads = ana.list(Folder::All).await.threads;
    let plans = threads.iter().find(|view| view.subject() == "plans");
    let plans = plans.expect("the thread").thread().id.clone();
    ana.mark_read(&plans).await;
    ben.mark_read(&plans).await;
    let request = WatchMessagesRequest {
        resume_token: token,
        thread_id: plans,
        kinds: vec![EventKind::MessageSent.into()],
        ..Default::default()
    };
    let mut watch = ben.watch_with(request).await;
    assert_eq!(
        watch.lines(3).await,
        [
            "ana sent plans 1: Lunch?",
            "ben replied in plans 2: Yes",
            "ana replied in plans 3: When?"
        ],
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_a_reads_token_delivers_all_that_happened_after_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let tokens = [
        ben.list(Folder::Inbox).await.resume_token,
        ben.list(Folder::Deleted).await.resume_token,
        ben.summary().await.resume_token,
        ben.read(&plans.thread).await.resume_token,
    ];
    ana.reply(&plans.thread, "Anybody?").await;
    for token in tokens {
        let mut watch = ben.resume(&token).await;
        assert_eq!(watch.line().await, "ana replied in plans 2: Anybody?");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_a_marking_reads_token_delivers_the_marking(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = GetThreadRequest {
        thread_id: plans.thread,
        mark_read: true,
        ..Default::default()
    };
    let token = ben.get_thread(request).await.unwrap().resume_token;
    let mut watch = ben.resume(&token).await;
    assert_eq!(watch.line().await, "plans for ben: inbox, read 1, unread 0");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_event_carries_message_thread_and_view_as_they_are_by_then(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let token = ben.summary().await.resume_token;
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ben.mark_read(&plans.thread).await;
    ana.edit(&plans.message, "Dinner?").await;
    let edited = ana.edit(&plans.message, "Breakfast?").await;
    ana.reply(&plans.thread, "Anybody?").await;
    let deleted = ben.delete(&plans.thread).await;

    let mut watch = ben.resume(&token).await;
    let sent = watch.sent().await;
    assert_eq!(
        sent.message.as_ref(),
        Some(&edited),
        "the edits show already"
    );
    assert_eq!(sent.thread.as_ref(), deleted.thread.as_ref());
    assert_eq!(
        (sent.reply, sent.recipient_ids),
        (false, vec!["ben".to_owned()])
    );
    let changed = watch.changed().await;
    assert_eq!(
        changed.view.as_ref(),
        Some(&deleted),
        "read and deleted already"
    );
    assert_eq!(watch.edited().await.message.as_ref(), Some(&edited));
    assert_eq!(watch.edited().await.message.as_ref(), Some(&edited));
    assert_eq!(watch.line().await, "ana replied in plans 2: Anybody?");
    assert_eq!(watch.changed().await.view, Some(deleted));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_new_deployment_is_good_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let token = ana.watch().await.ready_token;
    let expected = happenings(&server).await;
    let mut watch = ana.resume(&token).await;
    assert_eq!(watch.lines(expected.len()).await, expected);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_or_made_up_token_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    happenings(&server).await;
    let token = ana.summary().await.resume_token;
    let safe = |char: char| char.is_ascii_alphanumeric() || "-_.~".contains(char);
    assert!(token.chars().all(safe), "safe in a URL: {token}");

    let mut tampered: Vec<String> = (0..token.len())
        .map(|index| {
            let other = if &token[index..=index] == "A" {
                "B"
            } else {
                "A"
            };
            format!("{}{other}{}", &token[..index], &token[index + 1..])
        })
        .collect();
    tampered.extend([format!("{token}A"), token[1..].to_owned()]);
    tampered.extend(["garbage", " ", "%%%", "ключ", "1", "\0"].map(str::to_owned));
    for resume_token in tampered {
        let request = WatchMessagesRequest {
            resume_token,
            ..Default::default()
        };
        assert_watch_invalid(&ana, request, &["resume_token"]).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_watcher_neither_holds_up_others_nor_misses_anything(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    // On a connection of its own, whose windows fill up; nothing is read until the end.
    let mut slow = server.client("ana").watch().await;
    let mut quick = ana.watch().await;
    let content = "x".repeat(20_000);
    let thread = ben.start("flood", &["ana"], &content).await.thread;
    for _ in 0..30 {
        futures_util::future::join_all((0..10).map(|_| ben.reply(&thread, &content))).await;
    }
    for number in 1..=301 {
        assert_eq!(
            quick.sent().await.message.expect("a message").number,
            number
        );
    }
    for number in 1..=301 {
        let message = slow.sent().await.message.expect("a message");
        assert_eq!(
            (message.number, message.content.len()),
            (number, content.len())
        );
    }
    ben.reply(&thread, "live again").await;
    assert_eq!(slow.line().await, "ben replied in flood 302: live again");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn watchers_who_resume_together_each_get_every_event_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    /// More than two pages of the log.
    const MESSAGES: i32 = 600;
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watch = ana.watch().await;
    let mut tokens = vec![watch.ready_token.clone()];
    let thread = ben.start("flood", &["ana"], "1").await.thread;
    for _ in 1..MESSAGES / 100 {
        futures_util::future::join_all((0..100).map(|_| ben.reply(&thread, "more"))).await;
    }
    futures_util::future::join_all((1..100).map(|_| ben.reply(&thread, "more"))).await;
    for _ in 0..MESSAGES {
        watch.sent().await;
        tokens.push(watch.token.clone());
    }

    // Some from the start, some from anywhere else.
    let starts = (0..40).map(|number: usize| {
        if number.is_multiple_of(2) {
            0
        } else {
            number * 13
        }
    });
    let resumed = starts.map(async |start| {
        let mut watch = ana.resume(&tokens[start]).await;
        for number in tokens
            .iter()
            .enumerate()
            .skip(start + 1)
            .map(|(number, _)| number)
        {
            let sent = watch.sent().await.message.expect("a message");
            assert_eq!(usize::try_from(sent.number), Ok(number), "after {start}");
            assert_eq!(watch.token, tokens[number]);
        }
    });
    futures_util::future::join_all(resumed).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_watch_shows_an_edit_answered_before_it_whoever_else_is_reading(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let token = ana.watch().await.ready_token;
    let plans = ben.start("plans", &["ana"], "0").await.message;

    let others: Vec<_> = (0..8)
        .map(|_| {
            let (ana, token) = (server.client("ana"), token.clone());
            tokio::spawn(async move {
                loop {
                    ana.resume(&token).await.sent().await;
                }
            })
        })
        .collect();
    for edit in 1..50 {
        let content = edit.to_string();
        ben.edit(&plans, &content).await;
        let sent = ana.resume(&token).await.sent().await;
        assert_eq!(sent.message.expect("a message").content, content);
    }
    others.iter().for_each(tokio::task::JoinHandle::abort);
}
