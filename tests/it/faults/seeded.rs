//! Runs whose faults follow from a seed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};

use super::{
    crowd::{Connections, Crowd},
    dice::Dice,
    disk::{DISK_MIB, Disk},
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
    let homes = Homes::default();
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
        let run = timeout(RUN_MAX, run(&plan, &homes)).await;
        let summary = run.unwrap_or_else(|_| panic!("not over after {RUN_MAX:?}: {plan}"));
        // The other database's runs are told of in between.
        println!("  {database:?} {seed}: {summary}, {:?}", start.elapsed());
    }
}

/// Where the databases lie; each is made when a plan needs it.
#[derive(Default)]
struct Homes {
    /// On a disk like any other, which takes its time to write.
    usual: OnceCell<Arc<OwnPostgres>>,
    /// On a small one, which lies in memory.
    small: OnceCell<Arc<OwnPostgres>>,
}

impl Homes {
    async fn start(&self, plan: &Plan, arguments: &[&str]) -> World {
        let disk = || Disk::mount(DISK_MIB).expect("plans know what can be had");
        let postgres = match (plan.database, plan.fills_the_disk()) {
            (Database::Sqlite, false) => return World::start(None, 1, arguments).await,
            (Database::Sqlite, true) => return World::start_on_disk(disk(), arguments).await,
            (Database::Postgres, false) => {
                let start = async || Arc::new(OwnPostgres::start().await);
                self.usual.get_or_init(start).await
            }
            (Database::Postgres, true) => {
                let start = async || Arc::new(OwnPostgres::start_on(disk()).await);
                self.small.get_or_init(start).await
            }
        };
        World::start(Some(postgres), plan.replicas, arguments).await
    }
}

/// Makes a run, and says in short what it was.
async fn run(plan: &Plan, homes: &Homes) -> String {
    let mut dice = Dice::new(plan.seed);
    let retention = format!("--event-retention={}", plan.retention);
    let arguments = [retention.as_str(), "--drain-timeout=2s"];
    let world = homes.start(plan, &arguments).await;
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
