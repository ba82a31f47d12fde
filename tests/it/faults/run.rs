//! A run: a crowd at work in a world that faults happen to, and its accounts.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use super::{
    accounts::{Accounts, Watched},
    checker,
    clients::{Client, RetryPolicy, USERS},
    crowd::{Crowd, Places},
    dice::Dice,
    keeping,
    watchers::Watching,
    world::{Fault, World},
};
use crate::{reference::Watcher, support::*};

/// Clients and watchers of a tenant at work.
pub(crate) struct Work {
    pub(crate) crowd: Arc<Crowd>,
    finish: watch::Sender<bool>,
    clients: Vec<JoinHandle<Client>>,
    watchers: Vec<JoinHandle<Watched>>,
    dice: Dice,
}

/// How many work, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew {
    pub(crate) clients: usize,
    pub(crate) retries: RetryPolicy,
    /// How long a client rests between two calls.
    pub(crate) pause: Duration,
}

impl Crew {
    /// As many as make a run worth its while, and its check short.
    pub(crate) const SMALL: Self = Self {
        clients: 6,
        retries: RetryPolicy::QUICK,
        pause: Duration::from_millis(3),
    };

    /// Nobody writes.
    pub(crate) const NOBODY: Self = Self {
        clients: 0,
        ..Self::SMALL
    };
}

impl Work {
    /// Watchers begin, and then clients do.
    pub(crate) async fn begin(
        tenant: &'static str,
        places: Places,
        crew: Crew,
        mut dice: Dice,
    ) -> Self {
        let crowd = Arc::new(Crowd::new(tenant, places));
        let mut watchers = Vec::new();
        let of_users = USERS.map(|user| Watcher::Own(user.to_owned()));
        for watcher in [Watcher::AllUsers, Watcher::AllUsers]
            .into_iter()
            .chain(of_users)
        {
            let watching = Watching::begin(watcher, &crowd, dice.split()).await;
            watchers.push(tokio::spawn(watching.watch()));
        }
        let finish = watch::Sender::new(false);
        let clients = (0..crew.clients).map(|number| {
            let (retries, pause) = (crew.retries, crew.pause);
            let client = Client::new(number, &crowd, retries, pause, dice.split());
            tokio::spawn(client.work(finish.subscribe()))
        });
        Self {
            clients: clients.collect(),
            crowd,
            finish,
            watchers,
            dice,
        }
    }

    /// Waits until so many more calls have ended.
    pub(crate) async fn progress(&self, calls: usize) {
        let goal = locked(&self.crowd.calls).len() + calls;
        eventually("progress", async || {
            (locked(&self.crowd.calls).len() >= goal).then_some(())
        })
        .await;
    }

    /// Waits until so many more calls have been answered.
    pub(crate) async fn answers(&self, calls: usize) {
        let start = self.crowd.now();
        eventually("answers", async || {
            let all = locked(&self.crowd.calls);
            let answered = all.iter().rev().take_while(|call| call.begun > start);
            let answered = answered.filter(|call| call.answered.is_some()).count();
            (answered >= calls).then_some(())
        })
        .await;
    }

    /// Has the clients finish; the calls that failed for good, and how.
    pub(crate) async fn finish(&mut self) -> Vec<String> {
        self.finish.send_replace(true);
        let mut failed = Vec::new();
        let clients = self.clients.drain(..).collect::<Vec<_>>();
        for client in soon("the clients' end", join_all(clients)).await {
            let mut client = client.expect("a client goes on to its end");
            failed.append(&mut client.failed);
            client.settle().await;
        }
        failed
    }

    /// The accounts after faults, when these are over.
    ///
    /// What a client no longer waits for may still be under way, such as a commit whose outcome is
    /// being settled. It has ended with the processes of before, when the accounts are made up.
    pub(crate) async fn accounts_in(mut self, world: &World) -> Accounts {
        self.finish().await;
        world.suffer(Fault::Roll, &self.crowd).await;
        self.accounts().await
    }

    /// The accounts, when all is over and well again.
    pub(crate) async fn accounts(mut self) -> Accounts {
        self.finish().await;
        let (retries, pause) = (RetryPolicy::QUICK, Duration::ZERO);
        let last = Client::new(0, &self.crowd, retries, pause, self.dice.split());
        last.finish().await;
        let mut watched = Vec::new();
        for watcher in soon("the watchers' end", join_all(self.watchers)).await {
            watched.push(watcher.expect("a watcher goes on to its end"));
        }
        let kept = keeping::read(&self.crowd).await;
        Accounts {
            calls: std::mem::take(&mut locked(&self.crowd.calls)),
            kept,
            watched,
            may_expire: false,
            unexplained: std::mem::take(&mut locked(&self.crowd.unexplained)),
        }
    }
}

/// Fails where accounts do not agree.
pub(crate) fn assert_agree(what: &str, accounts: &Accounts) {
    let violations = checker::check(accounts);
    if let Some(first) = violations.first() {
        for violation in &violations {
            eprintln!("{violation}");
        }
        panic!(
            "{} violations, the first is: {first}\n{what}",
            violations.len()
        );
    }
}

/// Waits for as long as something takes, from a start.
pub(crate) async fn until(start: tokio::time::Instant, after: Duration) {
    sleep(after.saturating_sub(start.elapsed())).await;
}
