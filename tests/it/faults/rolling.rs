//! A rolling restart: who follows the documented policy does not notice.

use std::{sync::Arc, time::Duration};

use super::{
    clients::RetryPolicy,
    dice::Dice,
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree},
    world::{Fault, World},
};

#[tokio::test(flavor = "multi_thread")]
async fn while_three_replicas_are_restarted_no_call_fails_and_no_watcher_misses_anything() {
    let postgres = Arc::new(OwnPostgres::start().await);
    let world = World::start(Some(&postgres), 3, &[]).await;
    let crew = Crew {
        clients: 9,
        retries: RetryPolicy::DOCUMENTED,
        pause: Duration::from_millis(5),
    };
    let mut dice = Dice::of_today();
    let mut work = Work::begin("default", world.places(), crew, dice.split()).await;
    for _ in 0..2 {
        work.progress(100).await;
        world.suffer(Fault::Roll, &work.crowd).await;
    }
    work.progress(100).await;
    let failed = work.finish().await;
    assert!(failed.is_empty(), "no call fails: {failed:#?}");
    let mut accounts = work.accounts().await;
    accounts.kept.disagreements = world.end().await;
    println!("{}", accounts.summary());
    assert_agree("a rolling restart", &accounts);
}
