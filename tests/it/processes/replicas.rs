//! Several processes on one Postgres.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

use super::{
    caller::{send, to_reply, to_send},
    deployment::{Deployment, Server},
    record::{Watcher, assert_in_order},
    writers::{Threads, Writer, assert_told},
};
use crate::support::prelude::*;

/// The subject of the last thread, at which the watchers stop.
const LAST: &str = "the end";

/// How much the writers write together, at least.
const WRITES: usize = 300;

async fn start(count: usize) -> (Deployment, Vec<Server>) {
    let deployment = Deployment::new(Database::Postgres).await;
    let mut servers = Vec::new();
    for _ in 0..count {
        servers.push(deployment.serve(&[]).await);
    }
    (deployment, servers)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn watchers_of_all_processes_see_one_order_without_gap_or_repeat(
    #[values(2, 3)] count: usize,
) {
    let (deployment, servers) = start(count).await;
    let (stop, stopped) = watch::channel(false);
    let acknowledged = Arc::new(watch::Sender::new(0));
    let threads = Arc::new(Threads::default());
    let mut watches = Vec::new();
    let mut writers = Vec::new();
    let mut places = Vec::new();
    for watcher in [Watcher::AllUsers, Watcher::Own("ana"), Watcher::Own("cleo")] {
        // One token for all, which is good on each.
        let token = watcher.first_token(servers[0].address()).await;
        for server in &servers {
            let (moved, place) = watch::channel(server.address());
            let following = watcher.follow(place, token.clone(), LAST);
            watches.push((watcher, tokio::spawn(following)));
            places.push(moved);
        }
    }
    for number in 0..4 * count {
        let (moved, place) = watch::channel(servers[number % count].address());
        let writer = Writer::new(number, &place, &threads, &acknowledged);
        writers.push(tokio::spawn(writer.write(stopped.clone())));
        places.push(moved);
    }
    let mut reached = acknowledged.subscribe();
    let reached = soon("progress", reached.wait_for(|count| *count >= WRITES)).await;
    drop(reached.expect("the test goes on"));
    stop.send_replace(true);
    let mut written = Vec::new();
    for writer in writers {
        let wrote = writer.await.expect("a writer goes on to its end");
        assert_eq!(wrote.unanswered, 0);
        written.extend(wrote.written);
    }
    let request = to_send(&["ana", "ben", "cleo"], LAST, "Goodbye");
    let last = send(servers[count - 1].client("dan"), request).await;
    written.push((&last).into());

    let mut all = Vec::new();
    for (watcher, following) in watches {
        let seen = soon("the last event", following).await.unwrap();
        match watcher {
            Watcher::AllUsers if all.is_empty() => {
                assert_in_order(&seen);
                assert_told(&written, &seen);
                all = seen;
            }
            Watcher::AllUsers => assert_eq!(seen, all),
            Watcher::Own(user) => {
                let mut own = all.clone();
                own.retain(|event| event.audience.iter().any(|one| one == user));
                assert_eq!(seen, own);
            }
        }
    }
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_replies_at_once_through_three_processes_are_numbered_without_gap_or_loss() {
    const REPLIES: usize = 100;
    let (deployment, servers) = start(3).await;
    let clients: Vec<_> = servers.iter().map(|server| server.client("ana")).collect();
    let plans = send(clients[0].clone(), to_send(&["ben"], "plans", "Lunch?")).await;
    let replies = (0..REPLIES).map(|count| {
        let mut client = clients[count % clients.len()].clone();
        let request = to_reply(&plans.thread_id, &count.to_string());
        tokio::spawn(async move {
            let answer = client.reply_thread(request).await.expect("a reply is sent");
            answer.into_inner().message.expect("a message")
        })
    });
    let replies: Vec<_> = replies.collect();
    let mut answered = Vec::new();
    for reply in replies {
        let message = soon("an answer", reply).await.unwrap();
        answered.push((message.number, message.content));
    }
    answered.sort_unstable();
    let numbers = answered.iter().map(|(number, _)| *number);
    assert!(numbers.eq(2..=101), "{answered:?}");
    let contents: BTreeSet<&str> = answered.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(contents.len(), REPLIES);

    for server in &servers {
        let page = GetThreadRequest {
            thread_id: plans.thread_id.clone(),
            start_number: 2,
            page_size: 200,
            ..Default::default()
        };
        let page = server.client("ben").get_thread(page).await.unwrap();
        let messages = page.into_inner().messages.into_iter();
        let kept: Vec<_> = messages
            .map(|message| (message.number, message.content))
            .collect();
        assert_eq!(kept, answered);
    }
    deployment.check().await;
}
