//! A process that is killed amid its work, again and again, and what is left of that work.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    caller::{client, send, to_send, whole_thread},
    deployment::Deployment,
    record::{Watcher, assert_in_order},
    writers::{Threads, USERS, Writer, Written, Wrote, assert_told},
};
use crate::support::prelude::*;

const ROUNDS: usize = 5;
const WRITERS: usize = 8;

/// The subject of the last thread, at which the watchers stop.
const LAST: &str = "the end";

/// Writes and watches while the service is killed and started again on the same database.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_amid_writes_loses_nothing_acknowledged_and_repeats_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let mut server = deployment.serve(&[]).await;
    let (moved, place) = watch::channel(server.address());
    let (stop, stopped) = watch::channel(false);
    let acknowledged = Arc::new(watch::Sender::new(0));
    let threads = Arc::new(Threads::default());

    let watchers = [Watcher::AllUsers, Watcher::Own("ben")];
    let mut watches = Vec::new();
    for watcher in watchers {
        let token = watcher.first_token(server.address()).await;
        let following = tokio::spawn(watcher.follow(place.clone(), token.clone(), LAST));
        watches.push((watcher, token, following));
    }
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let writer = Writer::new(number, &place, &threads, &acknowledged);
        writers.push(tokio::spawn(writer.write(stopped.clone())));
    }

    for round in 0..ROUNDS {
        let goal = *acknowledged.borrow() + 20 + 13 * round;
        let mut reached = acknowledged.subscribe();
        let reached = soon("progress", reached.wait_for(|count| *count >= goal)).await;
        drop(reached.expect("the test goes on"));
        // Another moment of the batch that is under way now.
        let moment = Duration::from_micros(u64::try_from(round).unwrap() * 700);
        tokio::time::sleep(moment).await;
        server.kill();
        if round == 1 {
            deployment.check().await;
        }
        server = deployment.serve(&[]).await;
        moved.send_replace(server.address());
    }
    stop.send_replace(true);
    let mut written = Vec::new();
    let mut unanswered = 0;
    for writer in writers {
        let wrote: Wrote = writer.await.expect("a writer goes on to its end");
        written.extend(wrote.written);
        unanswered += wrote.unanswered;
    }
    assert!(unanswered >= ROUNDS, "each kill has hit a call");
    let ana = client(server.address(), &[("x-user-id", "ana")]);
    let last = send(ana, to_send(&["ben"], LAST, "Goodbye")).await;
    written.sort_unstable();
    assert_kept(server.address(), &written, &threads).await;
    written.push(Written::from(&last));

    let mut all = Vec::new();
    for (watcher, token, following) in watches {
        let seen = soon("the last event", following).await.unwrap();
        assert_in_order(&seen);
        assert_eq!(seen, watcher.replay(server.address(), token, LAST).await);
        match watcher {
            Watcher::AllUsers => all = seen,
            Watcher::Own(user) => {
                let mut own = all.clone();
                own.retain(|event| event.audience.iter().any(|one| one == user));
                assert_eq!(seen, own);
            }
        }
    }
    assert_told(&written, &all);
    deployment.check().await;
    server.stop().await;
}

/// Checks that what is stored is what was acknowledged, all of it and nothing else.
async fn assert_kept(address: SocketAddr, written: &[Written], threads: &Threads) {
    let mut kept = Vec::new();
    for (thread, starter) in threads.starters() {
        let messages = whole_thread(client(address, &[("x-user-id", &starter)]), &thread).await;
        for (number, message) in (1..).zip(&messages) {
            assert_eq!(message.number, number, "the numbers have no gap");
        }
        kept.extend(messages.iter().map(Written::from));
    }
    kept.sort_unstable();
    assert_eq!(kept, written);
    let mut contents: Vec<&str> = kept.iter().map(|one| one.content.as_str()).collect();
    contents.sort_unstable();
    contents.dedup();
    assert_eq!(contents.len(), kept.len(), "each message is there once");

    for user in USERS {
        let mut client = client(address, &[("x-user-id", user)]);
        let request = ListInboxRequest {
            folder: Folder::All.into(),
            page_size: 1,
            ..Default::default()
        };
        let listed = client.list_inbox(request).await.unwrap().into_inner();
        // The last thread is between ana and ben.
        let last = usize::from(["ana", "ben"].contains(&user));
        let expected = threads.count_of(user) + last;
        assert_eq!(usize::try_from(listed.total_size).unwrap(), expected);
    }
}
