//! The one order of a tenant's events, the same for every watcher.

use std::collections::HashMap;

use letterbox::pb::watch_messages_response::Event;

use crate::support::prelude::*;

/// How many things happen in [`commotion`].
const EVENTS: usize = 4 * 31;

/// Four users write at once, in a thread of all and in threads of two.
async fn commotion(server: &TestServer) {
    let users = ["ana", "ben", "cleo", "dan"];
    let common = server
        .client("ana")
        .start("common", &users, "1")
        .await
        .thread;
    let mut writers = Vec::new();
    for (index, user) in users.into_iter().enumerate() {
        let (client, common) = (server.client(user), common.clone());
        let friend = users[(index + 1) % users.len()];
        writers.push(tokio::spawn(async move {
            let own = client.start(user, &[friend], "1").await;
            for round in 0..10 {
                client.reply(&common, "more").await;
                client.reply(&own.thread, "more").await;
                client.edit(&own.message, &format!("edit {round}")).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// What identifies an event, whenever it is delivered.
fn name(event: &Event) -> String {
    let (what, message) = match event {
        Event::MessageSent(sent) => ("sent", sent.message.as_ref()),
        Event::MessageEdited(edited) => ("edited", edited.message.as_ref()),
        other => panic!("nothing else has happened: {other:?}"),
    };
    let message = message.expect("a message");
    format!("{what} {} {}", message.thread_id, message.number)
}

async fn names(watch: &mut Watch, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < count {
        names.push(name(&watch.event().await));
    }
    names
}

/// Checks that each thread's messages come by number, without a gap or a repeat.
fn assert_numbers_in_order(names: &[String]) {
    let mut last: HashMap<&str, i32> = HashMap::new();
    for name in names {
        if let Some(message) = name.strip_prefix("sent ") {
            let (thread, number) = message.split_once(' ').expect("a thread and a number");
            let expected = last.get(thread).map_or(1, |last| last + 1);
            assert_eq!(number, expected.to_string(), "{names:?}");
            last.insert(thread, expected);
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn all_watchers_see_one_order_that_agrees_with_the_numbers(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let bot = server.client("bot").with_scopes("letterbox.watch-all");
    let (mut first, mut second) = (bot.watch_all().await, bot.watch_all().await);
    let mut own = server.client("ana").watch().await;
    let start = first.ready_token.clone();
    commotion(&server).await;

    let all = names(&mut first, EVENTS + 1).await;
    assert_eq!(names(&mut second, EVENTS + 1).await, all);
    assert_numbers_in_order(&all);

    // A replay has the same order, and a part of the events has it too.
    let replay = WatchMessagesRequest {
        resume_token: start,
        scope: WatchScope::AllUsers.into(),
        ..Default::default()
    };
    let mut replayed = bot.watch_with(replay).await;
    assert_eq!(names(&mut replayed, EVENTS + 1).await, all);
    // Ana takes part in the common thread, in her own and in dan's.
    let of_ana = names(&mut own, 1 + 40 + 2 * 21).await;
    let mut rest = all.iter();
    for name in &of_ana {
        assert!(rest.any(|other| other == name), "{name} is out of order");
    }
    assert_numbers_in_order(&of_ana);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_answered_change_is_in_every_watch_that_begins_before_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    for number in 2..=20 {
        let listed = ben.list(Folder::Inbox).await;
        assert_eq!(listed.threads[0].thread().message_count, number - 1);
        ana.reply(&thread, "more").await;
        let mut watch = ben.resume(&listed.resume_token).await;
        assert_eq!(
            watch.line().await,
            format!("ana replied in plans {number}: more")
        );
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn whoever_lists_and_watches_from_there_misses_nothing_amid_a_flood(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("flood", &["ben"], "1").await.thread;
    let flooded = thread.clone();
    let flood = tokio::spawn(async move {
        loop {
            futures_util::future::join_all((0..5).map(|_| ana.reply(&flooded, "more"))).await;
        }
    });
    for _ in 1..=20 {
        let page = ben.list(Folder::Inbox).await;
        let newest = page.threads[0].thread().message_count;
        let mut watch = ben.resume(&page.resume_token).await;
        let next = watch.sent().await.message.expect("a message").number;
        assert!(
            next <= newest + 1,
            "listed up to {newest}, watched from {next}"
        );

        let request = GetThreadRequest {
            thread_id: thread.clone(),
            page_size: 1,
            order: MessageOrder::NewestFirst.into(),
            ..Default::default()
        };
        let page = ben.get_thread(request).await.unwrap();
        let newest = page.messages[0].number;
        assert_eq!(page.view.expect("a view").thread().message_count, newest);
        let mut watch = ben.resume(&page.resume_token).await;
        let next = watch.sent().await.message.expect("a message").number;
        assert!(
            next <= newest + 1,
            "read up to {newest}, watched from {next}"
        );

        let summary = ben.summary().await;
        let mut watch = ben.resume(&summary.resume_token).await;
        let next = watch.sent().await.message.expect("a message").number;
        let counted = summary.unread_message_count;
        assert!(
            next <= counted + 1,
            "counted {counted}, watched from {next}"
        );

        // The other way to begin: watch, and list once it stands.
        let mut watch = ben.watch().await;
        let newest = ben.view(&thread).await.thread().message_count;
        let next = watch.sent().await.message.expect("a message").number;
        assert!(
            next <= newest + 1,
            "listed up to {newest}, watched from {next}"
        );
    }
    flood.abort();
}
