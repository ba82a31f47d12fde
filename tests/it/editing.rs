//! `EditMessage`: replacing a message's content.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::prelude::*;

fn edit(message: &str, content: &str, expected_revision: Option<i32>) -> EditMessageRequest {
    EditMessageRequest {
        message_id: message.to_owned(),
        content: content.to_owned(),
        expected_revision,
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_replaces_the_content_and_says_when(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    clock.advance(Duration::from_mins(1));
    let edited = ana.edit(&plans.message, "Dinner?").await;

    let expected = Message {
        content: "Dinner?".into(),
        edit_time: clock.timestamp(),
        revision: 2,
        ..plans.message
    };
    assert_eq!(edited, expected, "nothing else has changed");
    let read = ana.read(&plans.thread).await;
    assert_eq!(read.messages, std::slice::from_ref(&expected));
    let ben = server.client("ben");
    assert_eq!(ben.read(&plans.thread).await.messages, [expected]);

    clock.advance(Duration::from_mins(1));
    let again = ana.edit(&edited, "Breakfast?").await;
    assert_eq!(again.revision, 3);
    assert_eq!(again.edit_time, clock.timestamp());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_moves_the_threads_update_time_and_nothing_else_of_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let news = ana.start("news", &["ben"], "Hear this").await;
    let before = ben.view(&plans.thread).await;
    clock.advance(Duration::from_mins(1));
    ana.edit(&plans.message, "Dinner?").await;

    let after = ben.view(&plans.thread).await;
    assert_eq!(after.thread().update_time, clock.timestamp());
    assert_eq!(after.snippet, "Dinner?");
    let mut expected = before;
    expected.snippet.clone_from(&after.snippet);
    if let Some(thread) = &mut expected.thread {
        thread.update_time = clock.timestamp();
    }
    assert_eq!(after, expected);
    assert_eq!(ben.subjects(Folder::Inbox).await, ["news", "plans"]);
    assert_eq!(ben.view(&news.thread).await.snippet, "Hear this");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_leaves_everyones_read_state_and_placement(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben, cleo) = (
        server.client("ana"),
        server.client("ben"),
        server.client("cleo"),
    );
    let plans = ana.start("plans", &["ben", "cleo"], "Lunch?").await;
    ben.mark_read(&plans.thread).await;
    cleo.delete(&plans.thread).await;
    ana.edit(&plans.message, "Dinner?").await;

    let state = |view: ThreadView| (view.placement(), view.read_number, view.unread_count);
    assert_eq!(
        state(ana.view(&plans.thread).await),
        (Placement::Started, 1, 0)
    );
    assert_eq!(
        state(ben.view(&plans.thread).await),
        (Placement::Inbox, 1, 0)
    );
    assert_eq!(
        state(cleo.view(&plans.thread).await),
        (Placement::Deleted, 0, 1)
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_snippet_follows_edits_of_the_last_message_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let reply = ben.reply(&plans.thread, "At noon").await;

    ana.edit(&plans.message, "Dinner?").await;
    assert_eq!(ana.view(&plans.thread).await.snippet, "At noon");
    ben.edit(&reply.message, &"x".repeat(300)).await;
    assert_eq!(ana.view(&plans.thread).await.snippet, "x".repeat(200));
    assert_eq!(
        ana.lines(&plans.thread).await,
        [
            "1 ana: Dinner?".to_owned(),
            format!("2 ben: {}", "x".repeat(300))
        ]
    );
}

#[rstest]
#[case::the_current_one(Some(1))]
#[case::any(None)]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_made_on_the_revision_that_it_expects(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] expected_revision: Option<i32>,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = edit(&plans.message.id, "Dinner?", expected_revision);
    let answer = ana.edit_message(request).await.unwrap();
    let message = answer.message.expect("a message");
    assert_eq!((message.content.as_str(), message.revision), ("Dinner?", 2));
}

#[rstest]
#[case::an_older_one(1)]
#[case::a_later_one(3)]
#[case::one_that_never_is(0)]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_another_revision_is_aborted_and_told_the_current_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] expected_revision: i32,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ana.edit(&plans.message, "Dinner?").await;
    let request = edit(&plans.message.id, "Breakfast?", Some(expected_revision));

    let refusal = assert_refused(
        ana.edit_message(request).await,
        Code::Aborted,
        "REVISION_STALE",
    );
    assert_eq!(refusal.metadata["currentRevision"], "2");
    assert_eq!(ana.lines(&plans.thread).await, ["1 ana: Dinner?"]);
}

#[rstest]
#[case::whatever_revision_it_expects(Some(1))]
#[case::or_none(None)]
#[case::or_the_current_one(Some(2))]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_to_what_the_content_already_is_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] expected_revision: Option<i32>,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let edited = ana.edit(&plans.message, "Dinner?").await;
    let before = ana.read(&plans.thread).await;
    clock.advance(Duration::from_mins(1));

    let request = edit(&plans.message.id, "Dinner?", expected_revision);
    let answer = ana.edit_message(request).await.unwrap();
    assert_eq!(answer.message, Some(edited));
    let after = ana.read(&plans.thread).await;
    assert_eq!((after.view, after.messages), (before.view, before.messages));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_edits_of_the_same_revision_at_the_same_time_one_is_made(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let edits =
        (0..10).map(|n| ana.edit_message(edit(&plans.message.id, &format!("Edit {n}"), Some(1))));
    let answers = futures_util::future::join_all(edits).await;

    let made: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(made.len(), 1);
    for refused in answers.iter().filter(|answer| answer.is_err()) {
        let refusal = Refusal::of(refused.as_ref().expect_err("refused"));
        assert_eq!(refusal.reason, "REVISION_STALE");
        assert_eq!(refusal.metadata["currentRevision"], "2");
    }
    assert_eq!(
        made[0].message,
        ana.read(&plans.thread).await.messages.into_iter().next()
    );
}

#[rstest]
#[case::another_participant("ben", Code::PermissionDenied, "NOT_THE_SENDER")]
#[case::a_stranger("eve", Code::NotFound, "MESSAGE_NOT_FOUND")]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_its_sender_can_edit_a_message(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] caller: &str,
    #[case] code: Code,
    #[case] reason: &str,
    #[values("Dinner?", "Lunch?")] content: &str,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = edit(&plans.message.id, content, None);

    let result = server.client(caller).edit_message(request).await;
    assert_refused(result, code, reason);
    assert_eq!(ana.read(&plans.thread).await.messages, [plans.message]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_there_looks_like_one_that_is_not_the_callers(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let eve = server.client("eve");
    let mut told = Vec::new();
    for id in [plans.message.id, unused_id()] {
        let result = eve.edit_message(edit(&id, "Dinner?", None)).await;
        let refusal = assert_refused(result, Code::NotFound, "MESSAGE_NOT_FOUND");
        assert_eq!(refusal.resources, [id.as_str()]);
        told.push(refusal.message.replace(&id, "…"));
    }
    assert_eq!(told[0], told[1]);

    // A thread's id is no message's.
    let request = edit(&plans.thread, "Dinner?", None);
    let result = server.client("ana").edit_message(request).await;
    assert_refused(result, Code::NotFound, "MESSAGE_NOT_FOUND");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_back_to_a_former_content_is_an_edit_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    ana.edit(&plans.message, "Dinner?").await;
    let back = ana.edit(&plans.message, "Lunch?").await;
    assert_eq!(back.revision, 3);
    // Text is compared as it is: this is another content.
    let spaced = ana.edit(&plans.message, "Lunch? ").await;
    assert_eq!((spaced.content.as_str(), spaced.revision), ("Lunch? ", 4));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_edit_moves_the_threads_update_time_however_many_come_at_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let edits = (0..20).map(|number| {
        let request = edit(&plans.message.id, &format!("{number} o'clock?"), None);
        ana.edit_message(request)
    });
    let mut times = Vec::new();
    for edited in join_all(edits).await {
        let message = edited.expect("an edit").message.expect("a message");
        let time = message.edit_time.expect("a time");
        times.push((time.seconds, time.nanos));
    }
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 20);
    let thread = ana.view(&plans.thread).await;
    let updated = thread.thread().update_time.expect("a time");
    assert_eq!(times.last(), Some(&(updated.seconds, updated.nanos)));
}
