//! Pages of threads: size, direction, `skip`, and what happens in between.

use crate::support::prelude::*;

/// Starts as many threads at once, all for ana, by ben.
async fn start_many(server: &TestServer, count: usize) {
    let ben = server.client("ben");
    futures_util::future::join_all((0..count).map(|n| {
        let ben = &ben;
        async move { ben.start(&format!("{n}"), &["ana"], "1").await }
    }))
    .await;
}

/// Starts threads one after the other, so that the last one is listed first.
async fn start_in_order(server: &TestServer, names: &[&str]) -> Vec<String> {
    let ben = server.client("ben");
    let mut threads = Vec::new();
    for name in names {
        threads.push(ben.start(name, &["ana"], "1").await.thread);
    }
    threads
}

fn page(page_size: i32, page_token: &str) -> ListInboxRequest {
    ListInboxRequest {
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

async fn walk_inbox(client: &Client, page_size: i32, mut token: String) -> Vec<String> {
    let mut walked = Vec::new();
    loop {
        let page = client.list_inbox(page(page_size, &token)).await.unwrap();
        walked.extend(subjects(&page));
        if page.next_page_token.is_empty() {
            return walked;
        }
        assert!(
            !page.threads.is_empty(),
            "a page that leads on holds something"
        );
        token = page.next_page_token;
    }
}

#[rstest]
#[case::not_said(0, 50)]
#[case::one(1, 1)]
#[case::the_most(200, 200)]
#[case::more_than_the_most(201, 200)]
#[case::all_that_there_are(i32::MAX, 200)]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_as_many_as_asked_for_up_to_200(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] page_size: i32,
    #[case] expected: usize,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    start_many(&server, 202).await;
    let threads = ana.list_inbox(page(page_size, "")).await.unwrap();
    assert_eq!(threads.threads.len(), expected);
    assert_eq!(threads.total_size, 202);
    assert_ne!(threads.next_page_token, "");

    let thread = &ben.start("long", &["ana"], "1").await.thread;
    futures_util::future::join_all((0..201).map(|_| ben.reply(thread, "more"))).await;
    let request = GetThreadRequest {
        thread_id: thread.clone(),
        page_size,
        ..Default::default()
    };
    let messages = ana.get_thread(request).await.unwrap();
    assert_eq!(messages.messages.len(), expected);
    assert_ne!(messages.next_page_token, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_is_walked_to_its_end_and_back(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    start_in_order(&server, &["e", "d", "c", "b", "a"]).await;

    let first = ana.list_inbox(page(2, "")).await.unwrap();
    assert_eq!(subjects(&first), ["a", "b"]);
    assert_eq!(
        first.previous_page_token, "",
        "a first page has no previous one"
    );
    let second = ana
        .list_inbox(page(2, &first.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&second), ["c", "d"]);
    let third = ana
        .list_inbox(page(2, &second.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&third), ["e"]);
    assert_eq!(third.next_page_token, "", "nothing more follows");

    let back = ana
        .list_inbox(page(2, &third.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&back), ["c", "d"], "in the same order");
    let start = ana
        .list_inbox(page(2, &back.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&start), ["a", "b"]);
    assert_eq!(start.previous_page_token, "");
    let forth = ana
        .list_inbox(page(2, &start.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&forth), ["c", "d"]);
    for page in [first, second, third, back, start, forth] {
        assert_eq!(page.total_size, 5);
    }
}

#[rstest]
#[case::inbox(Folder::Inbox)]
#[case::unread(Folder::Unread)]
#[case::sent(Folder::Sent)]
#[case::deleted(Folder::Deleted)]
#[case::all(Folder::All)]
#[tokio::test(flavor = "multi_thread")]
async fn every_folder_is_walked_both_ways_without_repeat_or_loss(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] folder: Folder,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    for round in 0..4 {
        ana.start(&format!("started {round}"), &["ben"], "1").await;
        let threads = start_in_order(
            &server,
            &[
                &format!("unread {round}"),
                &format!("answered {round}"),
                &format!("deleted {round}"),
            ],
        )
        .await;
        ana.reply(&threads[1], "2").await;
        ben.reply(&threads[1], "3").await;
        ana.delete(&threads[2]).await;
    }
    let whole = ana.list(folder).await;
    let expected = subjects(&whole);
    assert!(expected.len() >= 4);

    for page_size in [1, 2, 3, 4] {
        let request = |page_token: String| ListInboxRequest {
            page_size,
            page_token,
            folder: folder.into(),
            skip: 0,
        };
        let (mut forth, mut token) = (Vec::new(), String::new());
        let mut last = loop {
            let page = ana.list_inbox(request(token)).await.unwrap();
            assert_eq!(page.total_size, whole.total_size);
            forth.extend(page.threads.clone());
            if page.next_page_token.is_empty() {
                break page;
            }
            token = page.next_page_token;
        };
        assert_eq!(forth, whole.threads, "forth by {page_size}");
        let mut back = last.threads.clone();
        while !last.previous_page_token.is_empty() {
            last = ana
                .list_inbox(request(last.previous_page_token))
                .await
                .unwrap();
            back.splice(0..0, last.threads.clone());
        }
        assert_eq!(back, whole.threads, "back by {page_size}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_last_page_that_is_full_has_no_next_one(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    start_in_order(&server, &["d", "c", "b", "a"]).await;
    let first = ana.list_inbox(page(2, "")).await.unwrap();
    let second = ana
        .list_inbox(page(2, &first.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&second), ["c", "d"]);
    assert_eq!(second.next_page_token, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn new_messages_make_no_walk_repeat_or_lose_a_thread_that_did_not_move(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let threads = start_in_order(&server, &["f", "e", "d", "c", "b", "a"]).await;

    let first = ana.list_inbox(page(2, "")).await.unwrap();
    assert_eq!(subjects(&first), ["a", "b"]);
    // A new thread, one seen already and one still to come move to the front.
    ben.start("new", &["ana"], "1").await;
    ben.reply(&threads[4], "2").await; // b
    ben.reply(&threads[1], "2").await; // e
    let second = ana
        .list_inbox(page(2, &first.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&second), ["c", "d"]);
    assert_eq!(second.total_size, 7, "exact, as of this page");
    let third = ana
        .list_inbox(page(2, &second.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&third), ["f"]);

    // The way back leads past all that is new.
    let back = ana
        .list_inbox(page(2, &third.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&back), ["c", "d"]);
    let back = ana
        .list_inbox(page(2, &back.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&back), ["new", "a"]);
    let back = ana
        .list_inbox(page(2, &back.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&back), ["e", "b"]);
    assert_eq!(back.previous_page_token, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_stays_good_when_the_threads_at_its_border_are_gone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let threads = start_in_order(&server, &["f", "e", "d", "c", "b", "a"]).await;
    let first = ana.list_inbox(page(2, "")).await.unwrap();
    let second = ana
        .list_inbox(page(2, &first.next_page_token))
        .await
        .unwrap();
    ana.delete(&threads[4]).await; // b
    ana.delete(&threads[3]).await; // c

    let forth = ana
        .list_inbox(page(2, &first.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&forth), ["d", "e"]);
    let back = ana
        .list_inbox(page(2, &second.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&back), ["a"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_page_may_change_on_the_way(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    start_in_order(&server, &["f", "e", "d", "c", "b", "a"]).await;
    let first = ana.list_inbox(page(1, "")).await.unwrap();
    let second = ana
        .list_inbox(page(3, &first.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&second), ["b", "c", "d"]);
    let third = ana
        .list_inbox(page(0, &second.next_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&third), ["e", "f"]);
    let back = ana
        .list_inbox(page(2, &third.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&back), ["c", "d"]);
}

#[rstest]
#[case::to_the_first(0, &["a", "b"], true, false)]
#[case::into_the_middle(1, &["b", "c"], true, true)]
#[case::to_the_last_page(3, &["d", "e"], false, true)]
#[case::to_the_last(4, &["e"], false, true)]
#[case::past_the_end(5, &[], false, true)]
#[case::as_far_as_can_be(10_000, &[], false, true)]
#[tokio::test(flavor = "multi_thread")]
async fn skip_jumps_ahead_from_the_start(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] skip: i32,
    #[case] expected: &[&str],
    #[case] has_next: bool,
    #[case] has_previous: bool,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    start_in_order(&server, &["e", "d", "c", "b", "a"]).await;
    let request = ListInboxRequest {
        page_size: 2,
        skip,
        ..Default::default()
    };
    let jumped = ana.list_inbox(request).await.unwrap();
    assert_eq!(subjects(&jumped), expected);
    assert_eq!(jumped.total_size, 5);
    assert_eq!(!jumped.next_page_token.is_empty(), has_next);
    assert_eq!(!jumped.previous_page_token.is_empty(), has_previous);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn from_a_skipped_page_tokens_lead_both_ways(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    start_in_order(&server, &["e", "d", "c", "b", "a"]).await;
    let request = ListInboxRequest {
        page_size: 2,
        skip: 1,
        ..Default::default()
    };
    let jumped = ana.list_inbox(request).await.unwrap();
    let rest = walk_inbox(&ana, 2, jumped.next_page_token).await;
    assert_eq!(rest, ["d", "e"]);
    let before = ana
        .list_inbox(page(2, &jumped.previous_page_token))
        .await
        .unwrap();
    assert_eq!(subjects(&before), ["a"]);
    assert_eq!(before.previous_page_token, "");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn all_threads_are_walked_by_skip_wherever_they_lie(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    start_in_order(&server, &["inbox"]).await;
    let deleted = start_in_order(&server, &["deleted"]).await;
    ana.delete(&deleted[0]).await;
    // More of one placement than a page holds, all newer than the others.
    for name in ["1", "2", "3", "4"] {
        ana.start(name, &["ben"], "1").await;
    }
    let mut walked = Vec::new();
    for skip in [0, 2, 4, 6] {
        let request = ListInboxRequest {
            folder: Folder::All.into(),
            page_size: 2,
            skip,
            ..Default::default()
        };
        walked.push(subjects(&ana.list_inbox(request).await.unwrap()));
    }
    let expected: [&[&str]; 4] = [&["4", "3"], &["2", "1"], &["deleted", "inbox"], &[]];
    assert_eq!(walked, expected);
}
