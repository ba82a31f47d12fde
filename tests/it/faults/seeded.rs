//! Runs whose faults follow from a seed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::{
    crowd::{Connections, Crowd},
    dice::Dice,
    plan::{FAULTY, Plan, SHORT},
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree, until},
    world::World,
};
use crate::support::*;

/// How many runs there are where nobody says how many.
const RUNS: u64 = 4;

/// How long a run may take, whatever happens.
const RUN_MAX: Duration = Duration::from_secs(90);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_nothing_acknowledged_is_lost_nothing_comes_twice_nothing_is_skipped(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let postgres = match database {
        Database::Sqlite => None,
        Database::Postgres => Some(Arc::new(OwnPostgres::start().await)),
    };
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().expect("a number"))
    };
    let (seed, runs) = (
        number("LETTERBOX_FAULT_SEED"),
        number("LETTERBOX_FAULT_RUNS"),
    );
    let runs = runs.unwrap_or(if seed.is_some() { 1 } else { RUNS });
    let seed = seed.unwrap_or_else(|| Dice::of_today().below(1_000_000) * 1_000);
    for seed in seed..seed + runs {
        let start = Instant::now();
        let plan = Plan::of(seed, database);
        println!("{plan}");
        let run = timeout(RUN_MAX, run(&plan, postgres.as_ref())).await;
        let summary = run.unwrap_or_else(|_| panic!("not over after {RUN_MAX:?}: {plan}"));
        println!("  {summary}, {:?}", start.elapsed());
    }
}

/// Makes a run, and says in short what it was.
async fn run(plan: &Plan, postgres: Option<&Arc<OwnPostgres>>) -> String {
    let mut dice = Dice::new(plan.seed);
    let retention = format!("--event-retention={}", plan.retention);
    let arguments = [retention.as_str(), "--drain-timeout=2s"];
    let world = World::start(postgres, plan.replicas, &arguments).await;
    let work = Work::begin("default", world.places(), Crew::SMALL, dice.split()).await;
    let quiet = begin_quietly(&world, dice.split()).await;

    let start = Instant::now();
    let faults = plan.faults.iter().map(async |(begin, fault)| {
        until(start, *begin).await;
        world.suffer(*fault, &work.crowd).await;
    });
    join_all(faults).await;
    until(start, FAULTY).await;
    world.recover();

    let mut accounts = work.accounts_in(&world).await;
    // However short events are kept: nothing has happened there.
    assert_agree(&format!("quiet tenant, {plan}"), &quiet.accounts().await);
    accounts.may_expire = plan.retention == SHORT;
    accounts.kept.disagreements = world.end().await;
    assert_agree(&plan.to_string(), &accounts);
    accounts.summary()
}

/// Watchers of a tenant in which nothing happens any more.
async fn begin_quietly(world: &World, dice: Dice) -> Work {
    const TENANT: &str = "quiet";
    let places = world.places();
    let crowd = Crowd::new(TENANT, places.clone());
    let somebody = Connections::new("xavier", 0).next(&crowd);
    somebody.start("Hello", &["yves"], "Anybody?").await;
    Work::begin(TENANT, places, Crew::NOBODY, dice).await
}
