//! What is asked of a connection and given up before the answer: whoever uses the connection next is not
//! to find itself amid it.

use std::collections::HashSet;

use futures_util::future::{join_all, poll_immediate};
use letterbox::{
    model::{Needs, TenantId, UserId},
    store::{Store, Writing},
};
use sqlx::{Connection, Executor, PgConnection};

use super::service::Service;
use crate::support::prelude::*;

/// All connections that write, each of which has begun and ended a transaction.
async fn all_writers(store: &dyn Store) -> usize {
    let count = match store.writing() {
        Writing::OneForAll => 1,
        Writing::SideBySide(writers) => writers,
    };
    let transactions = join_all((0..count).map(|_| store.begin())).await;
    for transaction in transactions {
        transaction.expect("a transaction begins").roll_back().await;
    }
    count
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_is_given_up_leaves_no_transaction_for_others_to_write_in(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let service = Service::start(database).await;
    service.faults.allow_no_turns();
    let store = service.store();
    let writers = all_writers(store).await;
    let mut beginnings: Vec<_> = (0..writers).map(|_| store.begin()).collect();
    for beginning in &mut beginnings {
        // Which is mostly not answered yet.
        drop(poll_immediate(beginning).await);
    }
    drop(beginnings);

    let (ana, ben) = (service.user("ana"), service.user("ben"));
    let known = ana.start("plans", &["ben"], "Lunch?").await;
    assert_eq!(known.expect("an answer").0.content, "Lunch?");
    let new = service
        .user("cleo")
        .start("plans", &["ben"], "Me, too")
        .await;
    assert_eq!(new.expect("an answer").0.content, "Me, too");
    let kept = ["1 ana: Lunch?", "1 cleo: Me, too"];
    assert_eq!(ben.lines_of_inbox().await, kept);
    service.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_connection_does_not_answer_no_other_of_the_same_age_is_tried() {
    let service = Service::start(Database::Postgres).await;
    service.faults.allow_no_turns();
    let store = service.store();
    all_writers(store).await;
    let mut other = PgConnection::connect(&service.url()).await.unwrap();
    let locked = other.execute("BEGIN; LOCK TABLE log_heads").await;
    locked.expect("nobody writes");
    let writing = store.optimistic().await.expect("a connection");
    let mut writing = writing.expect("a database without Citus");
    let (tenant, needs) = (
        TenantId::default_tenant(),
        Needs {
            users: HashSet::from([UserId::parse("cleo").unwrap()]),
            ..Needs::default()
        },
    );
    let answer = poll_immediate(writing.load(&tenant, &needs)).await;
    assert!(answer.is_none(), "it waits for the lock");
    drop(writing);
    other.close().await.unwrap();

    let none = "SELECT count(*) = 0 FROM pg_stat_activity
        WHERE datname = current_database() AND query = 'ROLLBACK'";
    eventually("the others to be closed", async || {
        let mut connection = PgConnection::connect(&service.url()).await.unwrap();
        let asked = sqlx::query_scalar(none).fetch_one(&mut connection).await;
        let none: bool = asked.unwrap();
        none.then_some(())
    })
    .await;
    service.assert_sound().await;
}
