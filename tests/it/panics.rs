//! A panic is the call's in which it happened, and nobody else's.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use letterbox::{
    model::{Clock, Ids, Time},
    server::{SystemClock, SystemIds},
};
use uuid::Uuid;

use crate::support::prelude::*;

/// A clock, or a maker of ids, that panics once when it is next needed.
#[derive(Default)]
struct Broken(AtomicBool);

impl Broken {
    fn break_once(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_broken(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Clock for Broken {
    fn now(&self) -> Time {
        assert!(!self.is_broken(), "the clock has stopped");
        SystemClock.now()
    }
}

impl Ids for Broken {
    fn next(&self) -> Uuid {
        assert!(!self.is_broken(), "no ids are left");
        SystemIds.next()
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_writer_is_one_calls_and_it_goes_on_writing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clock = Arc::new(Broken::default());
    let server = TestServer::setup().clock(&clock).start(database).await;
    let ana = server.client("ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    let reply = ReplyThreadRequest {
        thread_id: plans.thread.clone(),
        content: "Anybody?".to_owned(),
        ..Default::default()
    };
    clock.break_once();
    let refused = soon("an answer", ana.reply_thread(reply)).await;
    let refusal = assert_refused(refused, Code::Internal, "INTERNAL");
    assert!(!refusal.message.contains("clock"), "{}", refusal.message);
    soon("the next reply", ana.reply(&plans.thread, "Nobody.")).await;
    let lines = server.client("ben").lines(&plans.thread).await;
    assert_eq!(lines, ["1 ana: Lunch?", "2 ana: Nobody."]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_watch_ends_that_one_and_no_other(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let ids = Arc::new(Broken::default());
    let server = TestServer::setup().ids(&ids).start(database).await;
    // Both on one connection.
    let ben = server.client("ben");
    let mut watches = [ben.watch().await, ben.watch().await];
    ids.break_once();
    // The end of a watch is worded with an id, which the first one does not get.
    let running = server.begin_to_stop();
    let mut reasons = Vec::new();
    for watch in &mut watches {
        let (_, status) = watch.end().await;
        reasons.push(Refusal::of(&status).reason);
    }
    reasons.sort();
    assert_eq!(reasons, ["INTERNAL", "SHUTTING_DOWN"]);
    soon("the server's end", running).await.expect("a good end");
}
