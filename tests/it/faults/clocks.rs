//! Clocks that jump: the servers are in the test's own process, for its clocks' sake.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{
    dice::Dice,
    run::{Crew, Work, assert_agree},
    watchers::HEARTBEAT,
};
use crate::support::*;

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn though_clocks_jump_by_an_hour_nothing_is_lost_repeated_or_out_of_order(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let clocks = [ManualClock::new(), ManualClock::new()];
    let first = TestServer::setup()
        .clock(&clocks[0])
        .settings(|settings| settings.heartbeat_interval = HEARTBEAT)
        .start(database)
        .await;
    let mut servers = vec![first];
    if database == Database::Postgres {
        servers.push(servers[0].replica_with(&clocks[1]).await);
    }
    let places = servers.iter().map(TestServer::authority);
    let places = places.map(|place| place.parse().expect("an address"));
    let places = watch::Sender::new(places.collect());
    let mut dice = Dice::of_today();
    let work = Work::begin("default", places.subscribe(), Crew::SMALL, dice.split()).await;
    for _ in 0..20 {
        work.progress(10).await;
        let clock: Arc<ManualClock> = dice.pick(&clocks);
        match dice.below(3) {
            0 => clock.advance(Duration::from_hours(1)),
            1 => clock.turn_back(Duration::from_hours(1)),
            _ => clock.advance(Duration::from_millis(dice.below(100))),
        }
        sleep(Duration::from_millis(dice.below(20))).await;
    }
    assert_agree("clocks that jump", &work.accounts().await);
    for server in servers {
        server.stop().await;
    }
}
