//! What several services on one Postgres announce to each other, as anybody hears it who listens.

use std::time::Duration;

use letterbox::model::TenantId;
use sqlx::postgres::PgListener;
use tokio::time::timeout;

use super::{
    faults::{Cause, Fault, Point},
    service::Service,
};
use crate::support::prelude::*;

const INTERVAL: Duration = Duration::from_secs(10);

/// Somebody who listens, and is none of the services.
struct Channel(PgListener);

impl Channel {
    async fn of(service: &Service) -> Self {
        let mut listener = PgListener::connect(&service.url()).await.unwrap();
        listener.listen("letterbox").await.unwrap();
        Self(listener)
    }

    /// What is announced next, without the mark of who does.
    async fn next(&mut self) -> String {
        let heard = soon("an announcement", self.0.recv()).await.unwrap();
        let (_mark, told) = heard.payload().split_once(' ').unwrap();
        told.to_owned()
    }

    /// What is announced next, once this service, which has to hear first that somebody listens, writes.
    async fn next_after_writes(&mut self, service: &Service) -> String {
        while self.next_at_once().await.is_some() {}
        let announced = async {
            loop {
                write(service).await;
                if let Some(told) = self.next_at_once().await {
                    return told;
                }
            }
        };
        soon("an announcement of what is written", Box::pin(announced)).await
    }

    /// What is announced next, if that is not long in coming.
    async fn next_at_once(&mut self) -> Option<String> {
        timeout(Duration::from_millis(100), self.next()).await.ok()
    }
}

/// Waits until a service hears what others announce, and knows who they are.
async fn listening(service: &Service) {
    service.faults.reached(Point::Announced, 2).await;
}

async fn write(service: &Service) {
    let announced = service.faults.count(Point::Announce);
    let ana = service.user("ana");
    Box::pin(ana.start("plans", &["ben"], "first"))
        .await
        .unwrap();
    service.faults.reached(Point::Announce, announced + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_announces_what_it_has_written_while_others_listen_and_not_where_it_is_alone() {
    let first = Service::start(Database::Postgres).await;
    listening(&first).await;
    let mut channel = Channel::of(&first).await;
    write(&first).await;

    // The second one says that it is there, before which nothing was announced.
    let second = first.replica(INTERVAL).await;
    assert_eq!(channel.next().await, "+");
    assert_eq!(channel.next_after_writes(&first).await, TenantId::DEFAULT);
    assert_eq!(channel.next_after_writes(&second).await, TenantId::DEFAULT);

    // The second one goes, and the first one, which has to listen anew, looks who is there.
    second.end().await;
    let heard = first.faults.count(Point::Announced);
    // The second one's connection, which came later, is gone when the first one's ends.
    let listeners = "SELECT pg_terminate_backend(pid, 5000) FROM (
            SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND objsubid = 2 AND datname = current_database()
            ORDER BY backend_start DESC OFFSET 0) AS listeners";
    first.execute(listeners).await;
    while channel.next().await != "+" {}
    first.faults.reached(Point::Announced, heard + 2).await;
    write(&first).await;
    let _third = first.replica(INTERVAL).await;
    assert_eq!(channel.next().await, "+", "nothing was announced before");
    first.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_has_announced_itself_is_no_reason_for_it_to_read() {
    let other = Service::start(Database::Postgres).await;
    listening(&other).await;
    let service = other.replica(INTERVAL).await;
    let ana = service.user("ana");
    let mut watch = service.user("ben").watch(None).await;
    ana.start("plans", &["ben"], "first").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: first"]);
    // Nor does a poll have the tail read.
    let outage = Fault::Fails(Cause::Outage);
    service.faults.always(Point::LogHeads, outage);
    let reads = service.faults.count(Point::LogPage);
    for _ in 0..5 {
        let announced = service.faults.count(Point::Announce);
        let others = ana.start("plans", &["cleo"], "for somebody else").await;
        others.unwrap();
        service.faults.reached(Point::Announce, announced + 1).await;
    }
    ana.start("plans", &["ben"], "told").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: told"]);
    assert_eq!(service.faults.count(Point::LogPage), reads + 1);
    service.assert_sound().await;
}
