//! `SendMessage`: starting a thread.

use crate::support::prelude::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_sent_message_lies_unread_in_each_recipients_inbox(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben", "cleo"], "Lunch?")
        .await;

    for recipient in ["ben", "cleo"] {
        let view = server.client(recipient).view(&plans.thread).await;
        assert_eq!(view.placement(), Placement::Inbox, "{recipient}");
        assert!(view.unread, "{recipient}");
        assert_eq!((view.unread_count, view.read_number), (1, 0), "{recipient}");
        assert!(!view.started_by_viewer, "{recipient}");
        let inbox = server.client(recipient).subjects(Folder::Inbox).await;
        assert_eq!(inbox, ["plans"], "{recipient}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_started_thread_is_read_and_stays_out_of_its_starters_inbox(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let view = ana.start("plans", &["ben"], "Lunch?").await.view;

    assert_eq!(view.placement(), Placement::Started);
    assert!(!view.unread);
    assert_eq!((view.unread_count, view.read_number), (0, 1));
    assert!(view.started_by_viewer);
    assert_eq!(ana.subjects(Folder::Inbox).await, [""; 0]);
    assert_eq!(ana.subjects(Folder::Sent).await, ["plans"]);
    assert_eq!(ana.subjects(Folder::All).await, ["plans"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_started_thread_lies_in_the_inbox_where_the_deployment_shows_it_there(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.show_started_threads = true)
        .start(database)
        .await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;

    assert_eq!(plans.view.placement(), Placement::Inbox);
    assert!(!plans.view.unread);
    assert_eq!(ana.subjects(Folder::Inbox).await, ["plans"]);
    assert_eq!(ana.subjects(Folder::Sent).await, ["plans"]);
    assert_eq!(ana.summary().await.inbox_thread_count, 1);

    ana.delete(&plans.thread).await;
    let restored = ana.restore(&plans.thread).await;
    assert_eq!(restored.placement(), Placement::Inbox);
}

#[rstest]
#[case::alone(&["ana"])]
#[case::named_twice(&["ana", "ana"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_note_to_oneself_lies_read_in_the_inbox(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] recipients: &[&str],
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let note = ana.start("shopping", recipients, "Milk").await;

    assert_eq!(note.view.placement(), Placement::Inbox);
    assert!(!note.view.unread);
    assert_eq!(note.view.unread_count, 0);
    assert!(note.view.started_by_viewer);
    assert_eq!(note.view.participants(), ["ana"]);
    assert_eq!(ana.subjects(Folder::Inbox).await, ["shopping"]);
    assert_eq!(ana.subjects(Folder::Sent).await, ["shopping"]);
    assert_eq!(ana.subjects(Folder::Unread).await, [""; 0]);
}

#[rstest]
#[case::as_named(&["dan", "ben", "cleo"], &["ana", "dan", "ben", "cleo"])]
#[case::without_doubles(&["ben", "cleo", "ben", "dan", "cleo"], &["ana", "ben", "cleo", "dan"])]
#[case::without_the_caller(&["ben", "ana", "cleo"], &["ana", "ben", "cleo"])]
#[case::in_any_spelling_that_differs(&["Ben", "ben"], &["ana", "Ben", "ben"])]
#[tokio::test(flavor = "multi_thread")]
async fn the_participants_are_the_starter_and_the_recipients_as_named(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] recipients: &[&str],
    #[case] participants: &[&str],
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", recipients, "Lunch?").await;

    assert_eq!(plans.view.participants(), participants);
    let last = server.client(participants[participants.len() - 1]);
    let inbox = last.list(Folder::Inbox).await;
    assert_eq!(inbox.threads[0].participants(), participants);
    let read = last.view(&plans.thread).await;
    assert_eq!(read.participants(), participants);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_sent_message_and_its_thread_say_all_that_there_is_to_say(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;

    let message = &plans.message;
    assert_eq!(message.line(), "1 ana: Lunch?");
    assert_eq!(message.revision, 1);
    assert_eq!(message.send_time, clock.timestamp());
    assert_eq!(message.edit_time, None);
    assert_eq!(message.thread_id, plans.thread);

    let thread = plans.view.thread();
    assert_eq!(thread.id, plans.thread);
    assert_eq!(thread.subject, "plans");
    assert_eq!(thread.message_count, 1);
    assert_eq!(thread.create_time, clock.timestamp());
    assert_eq!(thread.update_time, clock.timestamp());

    assert_eq!(plans.view.first_message_time, clock.timestamp());
    assert_eq!(plans.view.last_message_time, clock.timestamp());
    assert_eq!(plans.view.last_sender(), "ana");
    assert_eq!(plans.view.snippet, "Lunch?");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_what_every_later_read_shows(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;

    let read = ana.read(&plans.thread).await;
    assert_eq!(read.messages, std::slice::from_ref(&plans.message));
    assert_eq!(read.view.as_ref(), Some(&plans.view));
    assert_eq!(ana.list(Folder::All).await.threads, [plans.view]);

    let ben = server.client("ben");
    let listed = ben.list(Folder::Inbox).await.threads;
    let read = ben.read(&plans.thread).await;
    assert_eq!(read.messages, [plans.message]);
    assert_eq!(read.view.as_ref(), listed.first());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn ids_are_version_7_uuids_in_lower_case_and_read_in_either(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;

    for id in [&plans.thread, &plans.message.id] {
        let parsed = uuid::Uuid::parse_str(id).expect("an id is a UUID");
        assert_eq!(parsed.get_version_num(), 7, "{id}");
        assert_eq!(*id, parsed.hyphenated().to_string(), "in lower case");
    }
    let read = ana.read(&plans.thread.to_uppercase()).await;
    assert_eq!(read.view, Some(plans.view.clone()));
    let mut message = plans.message.clone();
    message.id.make_ascii_uppercase();
    let edited = ana.edit(&message, "Dinner?").await;
    assert_eq!(edited.id, plans.message.id);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn times_are_whole_microseconds_by_the_systems_clock_too(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let before = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let after = std::time::UNIX_EPOCH.elapsed().expect("after 1970");

    let time = plans.message.send_time.expect("a message has a time");
    assert_eq!(time.nanos % 1_000, 0);
    let seconds = u64::try_from(time.seconds).expect("after 1970");
    assert!(
        (before.as_secs()..=after.as_secs()).contains(&seconds),
        "{time:?}"
    );
}

#[rstest]
#[case::neither_trimmed("  plans ", " \n Lunch?\r\n\t")]
#[case::nor_composed("cafe\u{301}", "cafe\u{301}")]
#[case::nor_decomposed("caf\u{e9}", "caf\u{e9}")]
#[case::with_characters_outside_the_basic_plane("👩‍👩‍👧 🎉", "𝒳👍🏽")]
#[case::with_controls_in_the_content("plans", "a\u{1}\u{7}\u{1b}[0m\u{7f}\u{85}b\u{feff}")]
#[case::with_what_databases_and_urls_quote(
    "%_'\"\\ $1 ?1 --",
    "'; DROP TABLE messages; --\\0 ${x} {}"
)]
#[case::with_separators_that_are_no_controls("a\u{2028}b\u{a0}c", "\u{202e}abc\u{ffff}")]
#[tokio::test(flavor = "multi_thread")]
async fn text_is_kept_as_it_came(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] subject: &str,
    #[case] content: &str,
) {
    let server = TestServer::start(database).await;
    let plans = server.client("ana").start(subject, &["ben"], content).await;
    assert_eq!(plans.view.subject(), subject);
    assert_eq!(plans.message.content, content);

    let read = server.client("ben").read(&plans.thread).await;
    let view = read.view.expect("a view");
    assert_eq!(view.subject(), subject);
    assert_eq!(view.snippet, content);
    assert_eq!(read.messages[0].content, content);
}

#[rstest]
#[case::short_texts_whole("é".repeat(200), "é".repeat(200))]
#[case::long_texts_cut_after_200_characters("é".repeat(201), "é".repeat(200))]
#[case::wide_characters("👍".repeat(250), "👍".repeat(200))]
#[case::line_breaks_as_they_are("a\r\n\n".repeat(60), "a\r\n\n".repeat(50))]
#[case::leading_space_as_it_is(format!("  {}", "x".repeat(300)), format!("  {}", "x".repeat(198)))]
#[tokio::test(flavor = "multi_thread")]
async fn a_snippet_is_the_last_messages_first_200_characters(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] content: String,
    #[case] snippet: String,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let reply = server.client("ben").reply(&plans.thread, &content).await;

    assert_eq!(reply.view.snippet, snippet);
    let inbox = server.client("ana").list(Folder::Inbox).await;
    assert_eq!(inbox.threads[0].snippet, snippet);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_that_the_rules_allow_is_accepted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let mut recipients: Vec<String> = (0..100).map(|n| format!("{n:0>128}")).collect();
    // Doubles and the caller do not count.
    recipients.extend(["ana".to_owned(), recipients[0].clone()]);
    let request = SendMessageRequest {
        recipient_ids: recipients.clone(),
        subject: "👍".repeat(150),
        content: "é".repeat(32_768),
        request_id: request_id(),
    };
    let sent: Sent = ana.send_message(request.clone()).await.unwrap().into();

    assert_eq!(sent.message.content, request.content);
    assert_eq!(sent.view.subject(), request.subject);
    assert_eq!(sent.view.participants().len(), 101);
    let last = server.client(&recipients[99]);
    assert_eq!(last.subjects(Folder::Unread).await, [request.subject]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_sent_twice_without_a_request_id_makes_two_threads(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let first = ana.start("plans", &["ben"], "Lunch?").await;
    let second = ana.start("plans", &["ben"], "Lunch?").await;

    assert_ne!(first.thread, second.thread);
    assert_ne!(first.message.id, second.message.id);
    let inbox = server.client("ben").subjects(Folder::Inbox).await;
    assert_eq!(inbox, ["plans", "plans"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let plans = server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    server.client("ben").mark_read(&plans.thread).await;
    let before = server.client("ben").read(&plans.thread).await;

    let server = server.restart().await;
    let after = server.client("ben").read(&plans.thread).await;
    assert_eq!((after.view, after.messages), (before.view, before.messages));
    assert_eq!(server.client("ben").summary().await.inbox_thread_count, 1);
}
