//! `letterbox check`: what it finds, and that it finds nothing where nothing is wrong.

use sqlx::{Connection, SqliteConnection};

use super::{
    caller::{send, to_reply, to_send},
    deployment::Deployment,
};
use crate::support::prelude::*;

/// A few messages in the database, and nobody who serves it.
async fn stopped(database: Database) -> Deployment {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    let mut ana = server.client("ana");
    let plans = send(ana.clone(), to_send(&["ben"], "plans", "Lunch?")).await;
    for content in ["At noon?", "At one?"] {
        let reply = to_reply(&plans.thread_id, content);
        ana.reply_thread(reply).await.expect("a reply is sent");
    }
    let edit = EditMessageRequest {
        message_id: plans.id,
        content: "Dinner?".into(),
        expected_revision: None,
    };
    ana.edit_message(edit).await.expect("an edit is made");
    server.stop().await;
    deployment.check().await;
    deployment
}

/// Each with what is done to the database, what is then found to disagree, and how.
const TAMPERINGS: [(&str, &str, &[&str]); 11] = [
    (
        "UPDATE audience SET unread = unread + 1 WHERE unread_messages = 3",
        "a user's counts",
        &["ben: stored 1 2 0 0 1 3, counted 1 1 0 0 1"],
    ),
    (
        "UPDATE participants SET unread_count = 7 WHERE place = 1",
        "a participant's unread count",
        &["of ben: stored 7, counted 3"],
    ),
    (
        "UPDATE participants SET sent_count = 2 WHERE place = 0",
        "a participant's count of messages sent",
        &["of ana: stored 2, counted 3"],
    ),
    (
        "UPDATE threads SET message_count = 4",
        "a thread's message count",
        &["stored 4, counted 3"],
    ),
    (
        "UPDATE threads SET snippet = 'Breakfast?'",
        "what a thread shows of its newest message",
        &["stored 1"],
    ),
    (
        "UPDATE threads SET people = '2'",
        "the participants that a thread shows",
        &["stored 2, counted 1,2"],
    ),
    (
        "DELETE FROM events WHERE position = (SELECT min(position) + 1 FROM events)",
        "the log's positions, without gaps",
        &["log: stored 3, counted 4"],
    ),
    (
        "UPDATE events SET actor = actor + 1 WHERE kind = 2",
        "an event's message, thread and actor",
        &["stored 1, counted 0"],
    ),
    (
        "DELETE FROM audience WHERE position = (SELECT max(position) FROM audience)
            AND user_number = (SELECT number FROM users WHERE id = 'ben')",
        "who is told of an event",
        &["stored 1, counted 2"],
    ),
    (
        "UPDATE events SET messages = messages + 1, threads = NULL",
        "how many threads and messages the tenant holds",
        &["tenant: stored 0 4, counted 1 3"],
    ),
    (
        "DELETE FROM revisions",
        "a message's former contents",
        &["stored 1, counted 0"],
    ),
];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_names_all_that_disagrees(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = stopped(database).await;
    for (tampering, ..) in TAMPERINGS {
        deployment.execute(tampering).await;
    }
    let ended = deployment.run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr, [""; 0], "{ended:?}");
    let (last, found) = ended.stdout.split_last().expect("a summary");
    assert!(last.contains("disagreements"), "{ended:?}");
    for (_, subject, named) in TAMPERINGS {
        let subject = format!("tenant default: {subject}");
        let line = found.iter().find(|line| line.starts_with(&subject));
        let line = line.unwrap_or_else(|| panic!("{subject:?} is not named: {ended:?}"));
        for name in named {
            assert!(line.contains(name), "{line:?} does not name {name:?}");
        }
    }
}

#[rstest]
#[case::a_users_counts("UPDATE audience SET inbox = 2 WHERE unread_messages = 3")]
#[case::a_read_mark("UPDATE participants SET read_number = 4 WHERE place = 0")]
#[tokio::test(flavor = "multi_thread")]
async fn it_names_one_thing_that_disagrees_and_no_other(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] tampering: &str,
) {
    let deployment = stopped(database).await;
    deployment.execute(tampering).await;
    let ended = deployment.run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout.len(), 2, "{ended:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_says_so_where_there_is_nothing_to_check(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    if let Some(file) = deployment.url().strip_prefix("sqlite://") {
        std::fs::write(file, "").unwrap();
    }
    let ended = deployment.run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let [line] = &ended.stderr[..] else {
        panic!("one line: {ended:?}");
    };
    assert!(line.ends_with("run `letterbox migrate`"), "{line:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_reads_beside_a_server_that_writes(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    let mut ana = server.client("ana");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(async move {
        let plans = send(ana.clone(), to_send(&["ben"], "plans", "Lunch?")).await;
        let mut count = 1;
        while !*stopped.borrow() {
            let reply = to_reply(&plans.thread_id, "more");
            let answer = ana.reply_thread(reply).await.expect("a reply is sent");
            count += 1;
            assert_eq!(answer.into_inner().message.unwrap().number, count);
        }
        count
    });
    for _ in 0..5 {
        deployment.check().await;
    }
    stop.send_replace(true);
    assert!(soon("the writer's end", writing).await.unwrap() > 1);
    server.stop().await;
    deployment.check().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_reads_what_a_killed_server_has_left(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    send(server.client("ana"), to_send(&["ben"], "plans", "Lunch?")).await;
    server.kill();
    let ended = deployment.run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = &ended.stdout[0];
    assert!(line.contains("1 tenants: all agrees"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_makes_no_database_where_there_is_none() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let ended = deployment.run(&["check"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.len(), 1, "{ended:?}");
    let file = deployment.url().strip_prefix("sqlite://").unwrap();
    assert!(!std::path::Path::new(file).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_that_reads_the_sqlite_file_for_long_does_not_hold_up_writers() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let plans = send(server.client("ana"), to_send(&["ben"], "plans", "1")).await;
    // A backup, say: it keeps what it reads for as long as it takes.
    let mut backup = SqliteConnection::connect(deployment.url()).await.unwrap();
    let reading = sqlx::raw_sql("BEGIN; SELECT count(*) FROM messages");
    reading.execute(&mut backup).await.unwrap();

    // Much more is written than the write-ahead log is to hold.
    let content = "x".repeat(65_536);
    let mut ana = server.client("ana");
    let writing = async {
        for _ in 0..400 {
            let reply = to_reply(&plans.thread_id, &content);
            ana.reply_thread(reply).await.unwrap();
        }
    };
    soon("400 replies of 64 KiB", writing).await;
    backup.close().await.unwrap();
}

/// What follows from the messages, each with how it is broken.
const REPAIRABLE: [&str; 9] = [
    "UPDATE audience SET unread = unread + 1 WHERE unread_messages = 3",
    "UPDATE participants SET unread_count = 7, last_sent_number = 9 WHERE place = 1",
    "UPDATE participants SET sent_count = 2, read_number = 44 WHERE place = 0",
    "UPDATE participants SET position = 1",
    "UPDATE threads SET message_count = 4",
    "UPDATE threads SET last_sender = 2, last_time = 3, snippet = 'Breakfast?'",
    "UPDATE threads SET people = '2'",
    "UPDATE messages SET sender_count = 5 WHERE number = 2",
    "UPDATE events SET messages = 8 WHERE position = (SELECT max(position) FROM events)",
];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_puts_right_what_follows_from_the_messages_and_says_so(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = stopped(database).await;
    let dump = async || {
        let server = deployment.serve(&[]).await;
        let mut ben = server.client("ben");
        let inbox = ben.list_inbox(ListInboxRequest::default()).await;
        let threads = inbox.expect("an inbox").into_inner().threads;
        server.stop().await;
        threads
    };
    let before = dump().await;
    for tampering in REPAIRABLE {
        deployment.execute(tampering).await;
    }
    let ended = deployment.run(&["check", "--repair"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (last, repaired) = ended.stdout.split_last().expect("a summary");
    assert!(last.ends_with(": all agrees"), "{ended:?}");
    for line in [
        "a user's counts (inbox, unread, sent, deleted, all, unread messages): ben",
        "a participant's unread count",
        "a participant's count of messages sent",
        "a participant's last message sent",
        "a participant's read mark, between nothing and the newest message",
        "the position that orders a participant's folders",
        "a thread's message count",
        "what a thread shows of its newest message",
        "the participants that a thread shows",
        "how many messages a message's sender had written",
        "how many threads and messages the tenant holds",
    ] {
        let line = format!("repaired: tenant default: {line}");
        let found = repaired.iter().any(|found| found.starts_with(&line));
        assert!(found, "{line}: {ended:#?}");
    }
    deployment.check().await;
    assert_eq!(dump().await, before);

    // What nothing tells of stays, and is said.
    deployment.execute("DELETE FROM revisions").await;
    let ended = deployment.run(&["check", "--repair"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout.len(), 2, "{ended:?}");
    assert!(ended.stdout[0].contains("former contents"), "{ended:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_also_finds_counts_at_rest(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = stopped(database).await;
    for tampering in [
        "DELETE FROM audience",
        "INSERT INTO mailboxes_at_rest (tenant, user_number, inbox, unread, sent, deleted, total,
            unread_messages) SELECT tenant, number, 9, 9, 9, 9, 9, 9 FROM users WHERE id = 'ben'",
    ] {
        deployment.execute(tampering).await;
    }
    let ended = deployment.run(&["check", "--repair"]).await;
    let of_counts: Vec<&String> = ended
        .stdout
        .iter()
        .filter(|line| line.contains("a user's counts"))
        .collect();
    assert_eq!(of_counts.len(), 2, "{ended:#?}");
    assert!(
        of_counts.iter().all(|line| line.starts_with("repaired: ")),
        "{ended:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_repair_runs_beside_servers_that_write() {
    let deployment = Deployment::new(Database::Postgres).await;
    let server = deployment.serve(&[]).await;
    let mut ana = server.client("ana");
    let plans = send(ana.clone(), to_send(&["ben"], "plans", "Lunch?")).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let thread = plans.thread_id.clone();
    let writing = tokio::spawn(async move {
        while !*stopped.borrow() {
            let answer = ana.reply_thread(to_reply(&thread, "more")).await;
            answer.expect("a reply is sent");
        }
    });
    for _ in 0..3 {
        let broken = "UPDATE participants SET unread_count = unread_count + 5, sent_count = 0";
        deployment.execute(broken).await;
        let ended = deployment.run(&["check", "--repair"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    stop.send_replace(true);
    soon("the writer's end", writing).await.expect("it goes on");
    server.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_server_does_not_undo_what_a_repair_beside_it_has_put_right() {
    let deployment = stopped(Database::Postgres).await;
    let broken = "UPDATE participants SET unread_count = unread_count + 5, last_sent_number = 1";
    deployment.execute(broken).await;
    let server = deployment.serve(&[]).await;
    let mut ana = server.client("ana");
    let listed = ana.list_inbox(ListInboxRequest::default()).await;
    let listed = listed.expect("an inbox").into_inner().threads;
    let thread = &listed[0].thread.as_ref().expect("a thread").id;
    // The server takes what is there for true, and remembers it.
    for _ in 0..2 {
        ana.reply_thread(to_reply(thread, "more")).await.unwrap();
    }
    let ended = deployment.run(&["check", "--repair"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ana.reply_thread(to_reply(thread, "more")).await.unwrap();
    server.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_leaves_a_file_alone_that_a_server_holds() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let repair = super::process::Process::start(deployment.command(&["check", "--repair"]));
    let line = repair.refused(1).await;
    assert!(line.contains("another process"), "{line}");
    server.stop().await;
}
