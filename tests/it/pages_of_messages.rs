//! Pages of messages: direction, and what happens in between.

use crate::support::prelude::*;

#[rstest]
#[case::oldest_first(MessageOrder::OldestFirst)]
#[case::newest_first(MessageOrder::NewestFirst)]
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_walked_to_its_end_and_back(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] order: MessageOrder,
    #[values("", "ben")] excluded: &str,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    for number in 2..=11 {
        let sender = if number % 3 == 0 { &ben } else { &ana };
        sender.reply(&thread, &format!("{number}")).await;
    }
    let request = |page_size, page_token: String| GetThreadRequest {
        thread_id: thread.clone(),
        page_size,
        page_token,
        order: order.into(),
        exclude_sender_id: excluded.into(),
        ..Default::default()
    };
    let whole = ana
        .get_thread(request(0, String::new()))
        .await
        .unwrap()
        .messages;
    assert_eq!(whole.len(), if excluded.is_empty() { 11 } else { 8 });

    for page_size in 1..=4 {
        let (mut forth, mut token) = (Vec::new(), String::new());
        let mut last = loop {
            let page = ana.get_thread(request(page_size, token)).await.unwrap();
            assert_eq!(page.previous_page_token.is_empty(), forth.is_empty());
            forth.extend(page.messages.clone());
            if page.next_page_token.is_empty() {
                break page;
            }
            token = page.next_page_token;
        };
        assert_eq!(forth, whole, "forth by {page_size}");
        let mut back = last.messages;
        while !last.previous_page_token.is_empty() {
            last = ana
                .get_thread(request(page_size, last.previous_page_token))
                .await
                .unwrap();
            assert_ne!(last.next_page_token, "", "what was walked from follows");
            back.splice(0..0, last.messages);
        }
        assert_eq!(back, whole, "back by {page_size}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn new_messages_follow_a_walk_oldest_first_and_precede_one_newest_first(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let thread = ana.start("plans", &["ben"], "1").await.thread;
    for number in 2..=4 {
        ana.reply(&thread, &format!("{number}")).await;
    }
    let read = async |order: MessageOrder, page_token: &str| {
        let request = GetThreadRequest {
            thread_id: thread.clone(),
            page_size: 2,
            page_token: page_token.to_owned(),
            order: order.into(),
            ..Default::default()
        };
        let page = ana.get_thread(request).await.unwrap();
        let numbers: Vec<i32> = page.messages.iter().map(|message| message.number).collect();
        (numbers, page.next_page_token, page.previous_page_token)
    };
    let (oldest, newest) = (MessageOrder::OldestFirst, MessageOrder::NewestFirst);
    let (_, forth, _) = read(oldest, "").await;
    let (_, down, _) = read(newest, "").await;
    ana.reply(&thread, "5").await;

    let (numbers, next, _) = read(oldest, &forth).await;
    assert_eq!(numbers, [3, 4]);
    assert_eq!(read(oldest, &next).await.0, [5]);
    let (numbers, next, previous) = read(newest, &down).await;
    assert_eq!((numbers.as_slice(), next.as_str()), ([2, 1].as_slice(), ""));
    let (numbers, _, previous) = read(newest, &previous).await;
    assert_eq!(numbers, [4, 3]);
    assert_eq!(read(newest, &previous).await.0, [5]);
}
