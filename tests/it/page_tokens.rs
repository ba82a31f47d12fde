//! Page tokens: opaque, tamper-evident, and bound to whom and what they were given for.

use std::time::Duration;

use crate::support::prelude::*;

/// An inbox of three threads for ana, and one thread of three messages in it.
async fn inbox(server: &TestServer) -> (Client, String) {
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    ben.start("one", &["ana"], "1").await;
    ben.start("two", &["ana"], "1").await;
    let thread = ben.start("three", &["ana"], "1").await.thread;
    ana.reply(&thread, "2").await;
    ben.reply(&thread, "3").await;
    (ana, thread)
}

fn list(page_token: &str, folder: Folder) -> ListInboxRequest {
    ListInboxRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
        folder: folder.into(),
        skip: 0,
    }
}

fn read(thread: &str, page_token: &str) -> GetThreadRequest {
    GetThreadRequest {
        thread_id: thread.to_owned(),
        page_size: 1,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

/// The tokens of the middle page: of the inbox, then of the thread.
async fn tokens(ana: &Client, thread: &str) -> [String; 4] {
    let first = ana.list_inbox(list("", Folder::Inbox)).await.unwrap();
    let middle = list(&first.next_page_token, Folder::Inbox);
    let threads = ana.list_inbox(middle).await.unwrap();
    let first = ana.get_thread(read(thread, "")).await.unwrap();
    let middle = read(thread, &first.next_page_token);
    let messages = ana.get_thread(middle).await.unwrap();
    [
        threads.next_page_token,
        threads.previous_page_token,
        messages.next_page_token,
        messages.previous_page_token,
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_safe_in_a_url(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = inbox(&server).await;
    for token in tokens(&ana, &thread).await {
        let safe = |char: char| char.is_ascii_alphanumeric() || "-_.~".contains(char);
        assert!(!token.is_empty() && token.chars().all(safe), "{token}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_caller_folder_or_thread_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = inbox(&server).await;
    let ben = server.client("ben");
    let other = ben.start("four", &["ana"], "1").await.thread;
    let [next, previous, next_message, previous_message] = tokens(&ana, &thread).await;

    for token in [&next, &previous] {
        ana.list_inbox(list(token, Folder::Inbox)).await.unwrap();
        let same = ana.list_inbox(list(token, Folder::Unspecified)).await;
        same.expect("unspecified means the inbox");
        for folder in [Folder::Unread, Folder::Sent, Folder::Deleted, Folder::All] {
            let result = ana.list_inbox(list(token, folder)).await;
            assert_invalid(result, &["page_token"]);
        }
        let result = ben.list_inbox(list(token, Folder::Inbox)).await;
        assert_invalid(result, &["page_token"]);
        assert_invalid(ana.get_thread(read(&thread, token)).await, &["page_token"]);
    }
    for token in [&next_message, &previous_message] {
        ana.get_thread(read(&thread, token)).await.unwrap();
        let same = GetThreadRequest {
            order: MessageOrder::OldestFirst.into(),
            ..read(&thread.to_uppercase(), token)
        };
        ana.get_thread(same)
            .await
            .expect("unspecified means oldest first");
        assert_invalid(ana.get_thread(read(&other, token)).await, &["page_token"]);
        assert_invalid(ben.get_thread(read(&thread, token)).await, &["page_token"]);
        let result = ana.list_inbox(list(token, Folder::Inbox)).await;
        assert_invalid(result, &["page_token"]);
        let reversed = GetThreadRequest {
            order: MessageOrder::NewestFirst.into(),
            ..read(&thread, token)
        };
        assert_invalid(ana.get_thread(reversed).await, &["page_token"]);
        for sender in ["ana", "ben"] {
            let excluded = GetThreadRequest {
                exclude_sender_id: sender.into(),
                ..read(&thread, token)
            };
            assert_invalid(ana.get_thread(excluded).await, &["page_token"]);
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_one_sender_is_bound_to_that_sender(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = inbox(&server).await;
    let first = GetThreadRequest {
        exclude_sender_id: "ana".into(),
        ..read(&thread, "")
    };
    let token = ana.get_thread(first.clone()).await.unwrap().next_page_token;
    let same = GetThreadRequest {
        page_token: token.clone(),
        ..first
    };
    let page = ana.get_thread(same.clone()).await.unwrap();
    assert_eq!(page.messages[0].number, 3);
    for sender in ["", "ben", "Ana"] {
        let other = GetThreadRequest {
            exclude_sender_id: sender.into(),
            ..same.clone()
        };
        assert_invalid(ana.get_thread(other).await, &["page_token"]);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_tampered_with_is_refused(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = inbox(&server).await;
    let [next, _, next_message, _] = tokens(&ana, &thread).await;
    for tampered in tamperings(&next) {
        let result = ana.list_inbox(list(&tampered, Folder::Inbox)).await;
        assert_invalid(result, &["page_token"]);
    }
    for tampered in tamperings(&next_message) {
        let result = ana.get_thread(read(&thread, &tampered)).await;
        assert_invalid(result, &["page_token"]);
    }
}

/// The token with each of its characters changed, cut, lengthened, doubled.
fn tamperings(token: &str) -> Vec<String> {
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
    tampered.push(token[..token.len() - 1].to_owned());
    tampered.push(format!("{token}A"));
    tampered.push(format!("{token}="));
    tampered.push(format!("{token}{token}"));
    tampered
}

#[rstest]
#[case::garbage("garbage")]
#[case::spaces("   ")]
#[case::not_base64("%%%")]
#[case::not_ascii("ключ")]
#[case::a_null("\0")]
#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_no_page_token(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] token: &str,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = inbox(&server).await;
    let result = ana.list_inbox(list(token, Folder::Inbox)).await;
    assert_invalid(result, &["page_token"]);
    let result = ana.get_thread(read(&thread, token)).await;
    assert_invalid(result, &["page_token"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_is_no_resume_token_nor_the_other_way_round(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, thread) = inbox(&server).await;
    for page_token in tokens(&ana, &thread).await {
        let request = WatchMessagesRequest {
            resume_token: page_token,
            ..Default::default()
        };
        assert_watch_invalid(&ana, request, &["resume_token"]).await;
    }
    let resume_token = ana.summary().await.resume_token;
    let result = ana.list_inbox(list(&resume_token, Folder::Inbox)).await;
    assert_invalid(result, &["page_token"]);
    let result = ana.get_thread(read(&thread, &resume_token)).await;
    assert_invalid(result, &["page_token"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn tokens_do_not_expire_and_survive_a_restart(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = ManualClock::new();
    let server = TestServer::setup().clock(&clock).start(database).await;
    let (ana, thread) = inbox(&server).await;
    let [next, previous, next_message, previous_message] = tokens(&ana, &thread).await;
    clock.advance(Duration::from_hours(366 * 24));
    let server = server.restart().await;
    let ana = server.client("ana");

    for (token, subject) in [(next, "one"), (previous, "three")] {
        let page = ana.list_inbox(list(&token, Folder::Inbox)).await.unwrap();
        assert_eq!(subjects(&page), [subject]);
    }
    for (token, number) in [(next_message, 3), (previous_message, 1)] {
        let page = ana.get_thread(read(&thread, &token)).await.unwrap();
        assert_eq!(page.messages[0].number, number);
    }
}
