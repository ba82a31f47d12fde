//! `GetThread`: a thread's messages, in either order, from any number, without one sender's.

use crate::support::prelude::*;

/// A thread of seven messages: ana writes 1, 2, 5; ben 3, 6; cleo 4, 7.
async fn conversation(server: &TestServer) -> String {
    let thread = server
        .client("ana")
        .start("plans", &["ben", "cleo"], "1")
        .await
        .thread;
    for (number, sender) in (2..).zip(["ana", "ben", "cleo", "ana", "ben", "cleo"]) {
        server
            .client(sender)
            .reply(&thread, &format!("{number}"))
            .await;
    }
    thread
}

fn numbers(answer: &GetThreadResponse) -> Vec<i32> {
    answer
        .messages
        .iter()
        .map(|message| message.number)
        .collect()
}

#[rstest]
#[case::unspecified(MessageOrder::Unspecified, &[1, 2, 3, 4, 5, 6, 7])]
#[case::oldest_first(MessageOrder::OldestFirst, &[1, 2, 3, 4, 5, 6, 7])]
#[case::newest_first(MessageOrder::NewestFirst, &[7, 6, 5, 4, 3, 2, 1])]
#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_the_order_asked_for(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] order: MessageOrder,
    #[case] expected: &[i32],
) {
    let server = TestServer::start(database).await;
    let request = GetThreadRequest {
        thread_id: conversation(&server).await,
        order: order.into(),
        ..Default::default()
    };
    let answer = server.client("ana").get_thread(request).await.unwrap();
    assert_eq!(numbers(&answer), expected);
    assert_eq!(
        (
            answer.next_page_token.as_str(),
            answer.previous_page_token.as_str()
        ),
        ("", "")
    );
    for message in &answer.messages {
        assert_eq!(message.content, message.number.to_string());
    }
}

#[rstest]
#[case::the_first_of_others(MessageOrder::OldestFirst, "ana", 3)]
#[case::the_last_of_others(MessageOrder::NewestFirst, "cleo", 6)]
#[case::the_first_of_all(MessageOrder::OldestFirst, "", 1)]
#[case::the_last_of_all(MessageOrder::NewestFirst, "", 7)]
#[case::the_last_but_for_a_stranger(MessageOrder::NewestFirst, "eve", 7)]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_one_gives_the_first_or_last_message_of_all_or_of_the_others(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] order: MessageOrder,
    #[case] excluded: &str,
    #[case] expected: i32,
) {
    let server = TestServer::start(database).await;
    let request = GetThreadRequest {
        thread_id: conversation(&server).await,
        page_size: 1,
        order: order.into(),
        exclude_sender_id: excluded.into(),
        ..Default::default()
    };
    let answer = server.client("cleo").get_thread(request).await.unwrap();
    assert_eq!(numbers(&answer), [expected]);
    assert_ne!(answer.next_page_token, "");
    let view = answer.view.expect("the view of the whole thread");
    assert_eq!(view.thread().message_count, 7, "whatever the page holds");
}

#[rstest]
#[case::oldest_first(MessageOrder::OldestFirst, "ben", &[1, 2, 4, 5, 7])]
#[case::newest_first(MessageOrder::NewestFirst, "ana", &[7, 6, 4, 3])]
#[case::byte_for_byte(MessageOrder::OldestFirst, "Ben", &[1, 2, 3, 4, 5, 6, 7])]
#[tokio::test(flavor = "multi_thread")]
async fn one_senders_messages_can_be_left_out(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] order: MessageOrder,
    #[case] excluded: &str,
    #[case] expected: &[i32],
    #[values(1, 2, 3, 200)] page_size: i32,
) {
    let server = TestServer::start(database).await;
    let mut request = GetThreadRequest {
        thread_id: conversation(&server).await,
        page_size,
        order: order.into(),
        exclude_sender_id: excluded.into(),
        ..Default::default()
    };
    let mut walked = Vec::new();
    loop {
        let page = server
            .client("ana")
            .get_thread(request.clone())
            .await
            .unwrap();
        walked.extend(numbers(&page));
        if page.next_page_token.is_empty() {
            break;
        }
        assert!(
            walked.len() < expected.len(),
            "the token is empty at the end"
        );
        request.page_token = page.next_page_token;
    }
    assert_eq!(walked, expected);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn leaving_out_the_only_sender_leaves_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let request = GetThreadRequest {
        thread_id: plans.thread,
        exclude_sender_id: "ana".into(),
        ..Default::default()
    };
    let answer = ana.get_thread(request).await.unwrap();
    assert_eq!(numbers(&answer), [0; 0]);
    assert_eq!(
        (
            answer.next_page_token.as_str(),
            answer.previous_page_token.as_str()
        ),
        ("", "")
    );
    assert_eq!(answer.view.as_ref(), Some(&plans.view));
}

#[rstest]
#[case::oldest_first(MessageOrder::OldestFirst, 3, "", &[3, 4], true)]
#[case::newest_first(MessageOrder::NewestFirst, 3, "", &[3, 2], true)]
#[case::the_first(MessageOrder::OldestFirst, 1, "", &[1, 2], false)]
#[case::the_last(MessageOrder::NewestFirst, 7, "", &[7, 6], false)]
#[case::the_last_oldest_first(MessageOrder::OldestFirst, 7, "", &[7], true)]
#[case::past_the_end_oldest_first(MessageOrder::OldestFirst, 8, "", &[], true)]
#[case::past_the_end_newest_first(MessageOrder::NewestFirst, 100, "", &[7, 6], false)]
#[case::far_past_the_end(MessageOrder::OldestFirst, i32::MAX, "", &[], true)]
#[case::one_that_is_left_out(MessageOrder::OldestFirst, 3, "ben", &[4, 5], true)]
#[case::one_that_is_left_out_newest_first(MessageOrder::NewestFirst, 6, "ben", &[5, 4], true)]
#[case::nothing_before_but_what_is_left_out(MessageOrder::OldestFirst, 3, "ana", &[3, 4], false)]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_begin_with_any_number(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] order: MessageOrder,
    #[case] start_number: i32,
    #[case] excluded: &str,
    #[case] expected: &[i32],
    #[case] something_before: bool,
) {
    let server = TestServer::start(database).await;
    let request = GetThreadRequest {
        thread_id: conversation(&server).await,
        page_size: 2,
        order: order.into(),
        exclude_sender_id: excluded.into(),
        start_number,
        ..Default::default()
    };
    let answer = server.client("ana").get_thread(request).await.unwrap();
    assert_eq!(numbers(&answer), expected);
    assert_eq!(!answer.previous_page_token.is_empty(), something_before);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn from_a_number_both_ways_lead_on(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let request = GetThreadRequest {
        thread_id: conversation(&server).await,
        page_size: 2,
        start_number: 4,
        ..Default::default()
    };
    let middle = ana.get_thread(request.clone()).await.unwrap();
    assert_eq!(numbers(&middle), [4, 5]);
    let at = |page_token: String| {
        let request = GetThreadRequest {
            page_token,
            start_number: 0,
            ..request.clone()
        };
        async { ana.get_thread(request).await.unwrap() }
    };

    let after = at(middle.next_page_token).await;
    assert_eq!(numbers(&after), [6, 7]);
    assert_eq!(after.next_page_token, "");
    let before = at(middle.previous_page_token).await;
    assert_eq!(numbers(&before), [2, 3], "in the same order");
    let first = at(before.previous_page_token).await;
    assert_eq!(numbers(&first), [1], "what is left");
    assert_eq!(first.previous_page_token, "");
    assert_eq!(numbers(&at(first.next_page_token).await), [2, 3]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_last_number_held_and_one_gives_what_is_new(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let request = GetThreadRequest {
        thread_id: conversation(&server).await,
        start_number: 8,
        ..Default::default()
    };
    let answer = ana.get_thread(request.clone()).await.unwrap();
    assert_eq!(numbers(&answer), [0; 0]);
    assert_eq!(answer.next_page_token, "");
    server.client("ben").reply(&request.thread_id, "8").await;
    let answer = ana.get_thread(request).await.unwrap();
    assert_eq!(numbers(&answer), [8]);
}
