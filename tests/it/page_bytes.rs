//! Pages that end early rather than grow too large.

use prost::Message as _;

use crate::support::prelude::*;

fn page(page_size: i32, page_token: &str) -> ListInboxRequest {
    ListInboxRequest {
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

/// What a page may come to.
const PAGE_BYTES_MAX: usize = 2 << 20;

#[rstest]
#[case::oldest_first(MessageOrder::OldestFirst)]
#[case::newest_first(MessageOrder::NewestFirst)]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_messages_ends_early_rather_than_exceed_2_mib(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] order: MessageOrder,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let content = "x".repeat(65_536);
    let thread = &ana.start("long", &["ben"], &content).await.thread;
    futures_util::future::join_all((2..=40).map(|_| ana.reply(thread, &content))).await;
    let request = |page_token: String| GetThreadRequest {
        thread_id: thread.clone(),
        page_size: 200,
        page_token,
        order: order.into(),
        ..Default::default()
    };

    let (mut walked, mut token) = (Vec::new(), String::new());
    let mut last = loop {
        let page = ana.get_thread(request(token)).await.unwrap();
        assert!(
            page.encoded_len() <= PAGE_BYTES_MAX,
            "{} bytes",
            page.encoded_len()
        );
        walked.extend(page.messages.iter().map(|message| message.number));
        if page.next_page_token.is_empty() {
            break page;
        }
        assert!(page.messages.len() >= 20, "no shorter than it has to be");
        token = page.next_page_token;
    };
    let mut expected: Vec<i32> = (1..=40).collect();
    if order == MessageOrder::NewestFirst {
        expected.reverse();
    }
    assert_eq!(walked, expected);

    let mut back: Vec<i32> = last.messages.iter().map(|message| message.number).collect();
    while !last.previous_page_token.is_empty() {
        last = ana
            .get_thread(request(last.previous_page_token))
            .await
            .unwrap();
        assert!(
            last.encoded_len() <= PAGE_BYTES_MAX,
            "{} bytes",
            last.encoded_len()
        );
        let numbers: Vec<i32> = last.messages.iter().map(|message| message.number).collect();
        assert!(!numbers.is_empty(), "a page that leads on holds something");
        back.splice(0..0, numbers);
    }
    assert_eq!(back, expected);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_threads_ends_early_rather_than_exceed_2_mib(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), &server.client("ben"));
    let recipients: Vec<String> = (0..99).map(|n| format!("{n:0>128}")).collect();
    let recipients: Vec<&str> = recipients
        .iter()
        .map(String::as_str)
        .chain(["ana"])
        .collect();
    let (recipients, subject, content) = (&recipients, "👍".repeat(150), "👍".repeat(200));
    futures_util::future::join_all((0..170).map(|_| ben.start(&subject, recipients, &content)))
        .await;

    let first = ana.list_inbox(page(200, "")).await.unwrap();
    assert!(
        first.encoded_len() <= PAGE_BYTES_MAX,
        "{} bytes",
        first.encoded_len()
    );
    assert!(first.threads.len() >= 100, "no shorter than it has to be");
    assert!(first.threads.len() < 170);
    assert_eq!(first.total_size, 170);
    let second = ana
        .list_inbox(page(200, &first.next_page_token))
        .await
        .unwrap();
    assert_eq!(first.threads.len() + second.threads.len(), 170);
    assert_eq!(second.next_page_token, "");

    // The way back is cut by bytes too, and loses nothing.
    let request = ListInboxRequest {
        page_size: 200,
        skip: 169,
        ..Default::default()
    };
    let last = ana.list_inbox(request).await.unwrap();
    let mut ids: Vec<String> = last
        .threads
        .iter()
        .map(|view| view.thread().id.clone())
        .collect();
    let mut token = last.previous_page_token;
    while !token.is_empty() {
        let back = ana.list_inbox(page(200, &token)).await.unwrap();
        assert!(
            back.encoded_len() <= PAGE_BYTES_MAX,
            "{} bytes",
            back.encoded_len()
        );
        ids.splice(
            0..0,
            back.threads.iter().map(|view| view.thread().id.clone()),
        );
        token = back.previous_page_token;
    }
    let forth = first.threads.iter().chain(&second.threads);
    let forth: Vec<String> = forth.map(|view| view.thread().id.clone()).collect();
    assert_eq!(ids, forth);
}
