//! Random calls of several people in two tenants, held against the naive model of the contract.
//!
//! Every answer, list, count, refusal and event is compared. A failure names its seed; with
//! `LETTERBOX_TEST_SEED` set to it the same calls come again.

mod moves;
mod pages;
mod tenant;
mod watches;
pub(crate) mod words;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future::join_all;
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use self::{
    moves::{Move, WatchWish, moves, watch_wishes},
    tenant::{NOTIFIER, Pair},
    watches::Standing,
};
use crate::{
    reference::{Action, Folder, PEOPLE, Policy, Reading, Tenant, Watch, Watcher},
    support::*,
};

/// How many servers a test starts, each with a seed of its own.
const RUNS: usize = 2;

/// How many moves are made on each.
const MOVES: usize = 900;

/// How many messages of 64 KiB are too many to wait for a watch: a client's window takes 2 MiB.
const FLOOD_MESSAGES: usize = 64;

/// The scope of those who may watch all users.
const WATCH_ALL: &str = "letterbox.watch-all";

/// How many watches of a tenant stand at a time.
const WATCHES_MAX: usize = 12;

/// Who watches from the start, and so is known: those who act often.
const WATCHING: &[&str] = PEOPLE.split_at(4).0;

/// Short, since a heartbeat tells that there is nothing more; but a machine that is busy for so
/// long ends the watches.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn random_calls_are_answered_as_the_naive_model_answers_them(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    if let Ok(seed) = std::env::var("LETTERBOX_TEST_SEED") {
        run(database, seed.parse().expect("a seed is a number")).await;
        return;
    }
    let mut chance = TestRunner::default();
    for _ in 0..RUNS {
        run(database, Draw(&mut chance).one(any::<u64>())).await;
    }
}

/// Makes all that follows from a seed happen on a server of its own.
async fn run(database: Database, seed: u64) {
    println!("LETTERBOX_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut chance = TestRunner::new_with_rng(Config::default(), rng);
    let mut draw = Draw(&mut chance);

    let policy = Policy {
        known_users_only: draw.one(any::<bool>()),
        show_started_threads: draw.one(any::<bool>()),
    };
    let mut bench = Bench::start(database, policy).await;
    for _ in 0..MOVES {
        // One of them gets enough events for several pages of the log.
        let tenant = draw.one(prop_oneof![4 => Just(0usize), 1 => Just(1usize)]);
        let next = draw.one(moves());
        bench.make(tenant, next).await;
        let user = draw.one(select(WATCHING));
        bench.tenants[tenant].pair.check_newest(user).await;
    }
    let now = bench.now();
    bench.tenants[0].flood(now).await;
    let mut watches = Vec::new();
    for side in &mut bench.tenants {
        watches.extend(side.finish(&mut draw).await);
    }
    join_all(watches.iter_mut().map(Standing::end)).await;
}

/// What comes by chance.
struct Draw<'a>(&'a mut TestRunner);

impl Draw<'_> {
    fn one<T>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        let tree = strategy.new_tree(self.0);
        tree.expect("nothing is filtered out").current()
    }
}

/// A server and its two tenants, in which the same names are other people.
struct Bench {
    clock: Arc<ManualClock>,
    tenants: [Side; 2],
}

impl Bench {
    async fn start(database: Database, policy: Policy) -> Self {
        let clock = ManualClock::new();
        let server = TestServer::setup()
            .clock(&clock)
            .settings(|settings| {
                settings.known_users_only = policy.known_users_only;
                settings.show_started_threads = policy.show_started_threads;
                settings.heartbeat_interval = HEARTBEAT_INTERVAL;
            })
            .start(database)
            .await;
        let server = Arc::new(server);
        let same = Arc::clone(&server);
        let tenants = [
            Side::start(policy, move |user| server.client(user)).await,
            Side::start(policy, move |user| same.client(user).in_tenant("shop")).await,
        ];
        Self { clock, tenants }
    }

    /// What the clock shows.
    fn now(&self) -> i64 {
        words::time(self.clock.timestamp()).expect("a time")
    }

    async fn make(&mut self, tenant: usize, next: Move) {
        match next {
            Move::Jump(by) if by < 0 => {
                let by = Duration::from_micros(by.unsigned_abs());
                self.clock.turn_back(by);
            }
            Move::Jump(by) => self.clock.advance(Duration::from_micros(by.unsigned_abs())),
            Move::ResumeElsewhere(token) => {
                let token = self.tenants[tenant].some_token(token).0;
                self.tenants[1 - tenant].refuse(&token).await;
            }
            _ => {
                let now = self.now();
                self.tenants[tenant].make(next, now).await;
            }
        }
    }
}

/// A tenant with its watches.
struct Side {
    pair: Pair,
    watches: VecDeque<(Client, Standing)>,
    /// A caller who may watch all users.
    notifier: Client,
    /// Connects a user. Each watch has a connection of its own: what waits in one that is not
    /// read would hold up the calls beside it.
    connect: Box<dyn Fn(&str) -> Client + Send + Sync>,
}

impl Side {
    /// A tenant in which those who act often watch from the start, and somebody watches all.
    async fn start(
        policy: Policy,
        connect: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Self {
        let model = Tenant {
            policy,
            ..Tenant::default()
        };
        let mut side = Self {
            pair: Pair::new(model, &connect),
            watches: VecDeque::new(),
            notifier: connect(NOTIFIER).with_scopes(WATCH_ALL),
            connect: Box::new(connect),
        };
        side.watch_on(WatchWish::ALL_USERS, None).await;
        for user in WATCHING {
            let own = WatchWish {
                user: Some(user),
                ..WatchWish::ALL_USERS
            };
            side.watch_on(own, None).await;
        }
        side
    }

    async fn make(&mut self, next: Move, now: i64) {
        match next {
            Move::Take(step) => self.pair.take(&step, None, now).await,
            Move::TakeSpoiled(step, flaw) => {
                if WATCHING.contains(&step.caller) {
                    self.pair.take(&step, Some(flaw), now).await;
                }
            }
            Move::TakeAtOnce(mut steps) => {
                steps.retain(|step| WATCHING.contains(&step.caller));
                steps.sort_by_key(|step| step.caller);
                steps.dedup_by_key(|step| step.caller);
                self.pair.take_at_once(&steps, now, &self.notifier).await;
            }
            Move::Summary(user) => self.pair.check_summary(user).await,
            Move::List {
                user,
                folder,
                skip,
                sizes,
            } => self.pair.check_folder(user, folder, skip, &sizes).await,
            Move::Read {
                user,
                thread,
                order,
                exclude_sender,
                start_number,
                mark_read,
                sizes,
            } => {
                let reading = Reading {
                    // Now and then one that does not exist yet.
                    thread: thread.index(self.pair.model.threads.len() + 1),
                    order,
                    exclude_sender: exclude_sender.map(str::to_owned),
                };
                let mark_at = mark_read.then_some(now);
                self.pair
                    .check_thread(user, &reading, start_number, mark_at, &sizes)
                    .await;
            }
            Move::Watch(wish, token) => {
                let from = token.map(|token| self.some_token(token));
                self.watch_on(wish, from).await;
            }
            Move::Receive(watch, count) => {
                let index = watch.index(self.watches.len());
                self.watches[index].1.receive(&mut self.pair, count).await;
            }
            Move::Resume(watch) => {
                let index = watch.index(self.watches.len());
                let (client, watch) = &mut self.watches[index];
                watch.resume(&self.pair, client).await;
            }
            Move::Jump(_) | Move::ResumeElsewhere(_) => unreachable!("more than a tenant's"),
        }
    }

    fn some_token(&self, token: Index) -> (String, usize) {
        token.get(&self.pair.tokens).clone()
    }

    /// Begins a watch that goes on; where there are too many, the oldest of those begun on the way
    /// ends for it.
    async fn watch_on(&mut self, wish: WatchWish, from: Option<(String, usize)>) {
        let begun = self.watch(wish, from).await;
        self.watches.extend(begun);
        if self.watches.len() > WATCHES_MAX {
            self.watches.remove(1 + WATCHING.len());
        }
    }

    /// Begins a watch, unless it is of a thread that the caller may not see.
    async fn watch(
        &mut self,
        wish: WatchWish,
        from: Option<(String, usize)>,
    ) -> Option<(Client, Standing)> {
        let client = match wish.user {
            Some(user) => (self.connect)(user),
            None => (self.connect)(NOTIFIER).with_scopes(WATCH_ALL),
        };
        let threads = self.pair.model.threads.len();
        let asked = Watch {
            watcher: match wish.user {
                Some(user) => Watcher::Own(user.to_owned()),
                None => Watcher::AllUsers,
            },
            thread: wish.thread.map(|thread| thread.index(threads + 1)),
            kinds: wish.kinds,
        };
        if self.pair.may_watch(&asked) {
            let watch = Standing::begin(&mut self.pair, &client, asked, from).await;
            Some((client, watch))
        } else {
            let token = from.map(|(token, _)| token).unwrap_or_default();
            let request = watches::request(&self.pair.names, &asked, &token);
            assert_watch_refused(&client, request, Code::NotFound, "THREAD_NOT_FOUND").await;
            None
        }
    }

    /// Makes sure that a token of the other tenant is foreign here.
    async fn refuse(&self, token: &str) {
        let request = WatchMessagesRequest {
            resume_token: token.to_owned(),
            scope: WatchScope::AllUsers.into(),
            ..WatchMessagesRequest::default()
        };
        assert_watch_invalid(&self.notifier, request, &["resume_token"]).await;
    }

    /// Makes more happen than waits anywhere for a watch that is not read.
    async fn flood(&mut self, now: i64) {
        let watching = WATCHING.iter().map(|&name| name.to_owned());
        let start = Action::Send {
            recipients: watching.collect(),
            subject: "Flood".to_owned(),
            content: "Flood".to_owned(),
            request: None,
        };
        self.pair.make(WATCHING[0], &start, now).await;
        let reply = Action::Reply {
            thread: self.pair.model.threads.len() - 1,
            content: "a".repeat(65_536),
            subject: None,
            request: None,
        };
        for caller in WATCHING.iter().cycle().take(FLOOD_MESSAGES) {
            self.pair.make(caller, &reply, now).await;
        }
    }

    /// Compares all that there is in the end; and leaves watches that must receive nothing more.
    async fn finish(&mut self, draw: &mut Draw<'_>) -> Vec<Standing> {
        for (_, watch) in &mut self.watches {
            watch.receive(&mut self.pair, usize::MAX).await;
        }
        // Nothing is under way any more, so what is replayed is as it is now.
        let mut replays = vec![self.replay(WatchWish::ALL_USERS, draw).await];
        for user in PEOPLE {
            self.pair.check_summary(user).await;
            for folder in Folder::EVERY {
                let skip = draw.one(0..20usize);
                self.pair.check_folder(user, folder, 0, &[200]).await;
                self.pair.check_folder(user, folder, skip, &[2, 200]).await;
            }
            let wish = WatchWish {
                user: Some(user),
                ..draw.one(watch_wishes())
            };
            replays.push(self.replay(wish, draw).await);
        }
        let standing = self.watches.drain(..).map(|(_, watch)| watch);
        standing.chain(replays.into_iter().flatten()).collect()
    }

    /// Replays the log after some token.
    async fn replay(&mut self, wish: WatchWish, draw: &mut Draw<'_>) -> Option<Standing> {
        let from = self.some_token(draw.one(any::<Index>()));
        let (_, mut watch) = self.watch(wish, Some(from)).await?;
        watch.receive_replay(&mut self.pair).await;
        Some(watch)
    }
}
