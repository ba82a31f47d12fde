//! What hangs: a process that is stopped while it holds the turn, a network that falls silent.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{
    dice::Dice,
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree},
    world::World,
};

async fn begin(replicas: usize) -> (World, Work) {
    let postgres = Arc::new(OwnPostgres::start().await);
    let world = World::start(Some(&postgres), replicas, &["--drain-timeout=2s"]).await;
    let dice = Dice::of_today();
    let work = Work::begin("default", world.places(), Crew::SMALL, dice).await;
    work.progress(30).await;
    (world, work)
}

async fn end(world: World, work: Work) {
    work.progress(30).await;
    let mut accounts = work.accounts_in(&world).await;
    accounts.kept.disagreements = world.end().await;
    assert_agree("something hung", &accounts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_stopped_with_the_turn_loses_it_and_neither_loses_nor_repeats_anything() {
    let (world, work) = begin(2).await;
    world.stop_amid_a_transaction(0).await;
    // Nobody has the turn until the database has ended the transaction, after 5 seconds.
    work.answers(10).await;
    world.go_on(0).await;
    end(world, work).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_falls_silent_is_noticed_and_calls_and_watches_go_on() {
    let (world, work) = begin(1).await;
    let start = Instant::now();
    world.fall_silent();
    // Reads and writes, since clients do both.
    timeout(Duration::from_secs(20), work.answers(100))
        .await
        .unwrap_or_else(|_| panic!("no answers {:?} after the silence began", start.elapsed()));
    end(world, work).await;
}
