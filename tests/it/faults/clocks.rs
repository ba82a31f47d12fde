//! Clocks that jump, of servers in the test's own process; and that those of others can be moved.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{
    dice::Dice,
    run::{Crew, Work, assert_agree},
    skew::Skew,
    watchers::HEARTBEAT,
};
use crate::{
    processes::{Deployment, Server},
    random::words::time,
    support::*,
};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_process_goes_by_the_clock_that_it_was_given() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let Some(clock) = Skew::in_folder(deployment.folder(), "clock") else {
        return;
    };
    let mut command = deployment.command(&["--listen=127.0.0.1:0"]);
    clock.give_to(&mut command);
    let server = Server::start(command).await;
    let ana = Client::over(server.connect()).with("x-user-id", "ana");
    for millis in [0, 3_600_000, -3_600_000, -1] {
        clock.set(millis);
        let before = now();
        let sent = ana.start("plans", &["ben"], "Lunch?").await;
        let sent = time(sent.message.send_time).expect("a message has a time") - millis * 1_000;
        assert!((before..=now()).contains(&sent), "{millis}: {sent}");
    }
    server.stop().await;
}

/// Microseconds since 1970.
fn now() -> i64 {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970");
    i64::try_from(now.as_micros()).expect("a time before ages")
}
