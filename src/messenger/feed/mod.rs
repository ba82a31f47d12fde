//! The feed: who is watching, and how what happens reaches them.
//!
//! The log is the truth, and a signal only says "look again". A watched tenant has one
//! [`tail`] in each process, which reads the log forward once, however many are watching, and
//! hands events to those concerned. A [`watcher`] who is too slow for that leaves the live set
//! and reads the log at its own pace, until it has caught up.

mod live;
mod pages;
mod tail;
mod watcher;

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{live::Progress, pages::Pages, tail::Tail, watcher::Watcher};
use super::{Error, writer::Moved};
use crate::{
    metrics::Metrics,
    model::{Clock, EventKinds, LogPosition, LogReader, LoggedEvent, TenantId, ThreadId},
    store::Store,
};

/// How the feed behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedSettings {
    /// A watcher hears at least this often.
    pub heartbeat_interval: Duration,
    /// Events older than this are not kept.
    pub event_retention: Duration,
    /// A watcher who takes nothing at all for this long is cut off.
    pub stall_timeout: Duration,
    /// What the pages of those who catch up take in memory together, in bytes.
    pub catch_up_bytes: usize,
}

/// What a watcher wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Whose events.
    pub reader: LogReader,
    /// Only those of this thread.
    pub thread: Option<ThreadId>,
    /// Only these kinds.
    pub kinds: EventKinds,
}

impl Watch {
    /// Whether the watcher wants this one, of those that it may see.
    fn wants(&self, event: &LoggedEvent) -> bool {
        self.kinds.contains(event.kind())
            && self.thread.is_none_or(|thread| thread == event.thread())
    }
}

/// How long a watch stands, whether or not what it sends is taken.
pub struct Stay {
    /// When it ends at the latest: at its call's deadline, or when its caller's token expires. Whoever reads the
    /// deliveries knows why they end then.
    pub until: Option<Instant>,
    /// What is held until it has ended.
    pub counted: Box<dyn Any + Send>,
}

/// What a watcher is sent; each with the position to resume after.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// From here on nothing is missed.
    Ready(LogPosition),
    /// Something happened: these events, in order.
    Events(Vec<Arc<LoggedEvent>>),
    /// Nothing else has happened up to here.
    Heartbeat(LogPosition),
}

/// What a watcher receives: deliveries, and at the end why it ends.
pub type Deliveries = mpsc::Receiver<Result<Delivery, Error>>;

/// How many deliveries wait for a watcher's connection, besides its queue.
const DELIVERIES_WAITING: usize = 4;

/// How long the log is looked at without a wake-up, at most.
const POLL_MAX: Duration = Duration::from_secs(1);

/// The feed of a process; cheap to clone.
#[derive(Clone)]
pub(super) struct Feed {
    shared: Arc<Shared>,
}

/// What tails and watchers share.
struct Shared {
    store: Arc<dyn Store>,
    pages: Pages,
    clock: Arc<dyn Clock>,
    settings: FeedSettings,
    metrics: Arc<Metrics>,
    /// The tails of the tenants that somebody watches.
    tails: Mutex<HashMap<TenantId, Arc<Tail>>>,
    closing: CancellationToken,
    /// What the database has not answered is not waited for any more.
    giving_up: CancellationToken,
    tasks: TaskTracker,
}

impl Feed {
    /// Starts a feed. Tenants whose logs this process has moved come in through `moved`.
    pub(super) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: FeedSettings,
        metrics: Arc<Metrics>,
        moved: mpsc::UnboundedReceiver<Moved>,
    ) -> Self {
        let shared = Arc::new(Shared {
            pages: Pages::new(
                Arc::clone(&store),
                settings.catch_up_bytes,
                Arc::clone(&metrics),
            ),
            store,
            clock,
            settings,
            metrics,
            tails: Mutex::default(),
            closing: CancellationToken::new(),
            giving_up: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let measured = Arc::downgrade(&shared);
        shared.metrics.on_scrape(move || {
            if let Some(shared) = measured.upgrade() {
                shared.measure();
            }
        });
        for task in [
            tokio::spawn(tell_others(Arc::clone(&shared), moved)),
            tokio::spawn(hear_others(Arc::clone(&shared))),
            tokio::spawn(poll(Arc::clone(&shared))),
        ] {
            // They end with the feed; nobody waits for them.
            drop(task);
        }
        Self { shared }
    }

    /// Starts a watch, after a position or from now on.
    pub(super) async fn watch(
        &self,
        tenant: TenantId,
        watch: Watch,
        from: Option<LogPosition>,
        stay: Stay,
    ) -> Result<Deliveries, Error> {
        let shared = &self.shared;
        if shared.closing.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let position = match from {
            None => shared.head(&tenant).await?,
            Some(from) => {
                let oldest = shared
                    .clock
                    .now()
                    .before_by(shared.settings.event_retention);
                if !shared.store.log_goes_on(&tenant, from, oldest).await? {
                    return Err(Error::ResumeTokenExpired);
                }
                from
            }
        };
        let (deliver, deliveries) = mpsc::channel(DELIVERIES_WAITING);
        let watcher = Watcher::new(Arc::clone(shared), tenant, watch, position, deliver);
        shared.tasks.spawn(async move {
            watcher.run(stay.until).await;
            drop(stay.counted);
        });
        Ok(deliveries)
    }

    /// Ends all watches, after what has been written so far has been delivered to those who are
    /// up to date, if the log can be read by then.
    pub(super) async fn close(&self, patience: Duration) {
        let shared = &self.shared;
        shared.closing.cancel();
        shared.tasks.close();
        if timeout(patience, shared.tasks.wait()).await.is_err() {
            shared.giving_up.cancel();
            shared.tasks.wait().await;
        }
    }
}

impl Shared {
    fn tails(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Tail>>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that all tails are about to be looked at; which these are.
    fn ask(&self) -> Vec<TenantId> {
        let tails = self.tails();
        tails.values().for_each(|tail| tail.ask());
        tails.keys().cloned().collect()
    }

    /// Where a tenant's log ends now.
    async fn head(&self, tenant: &TenantId) -> Result<LogPosition, Error> {
        let heads = self.store.log_heads(std::slice::from_ref(tenant)).await?;
        Ok(heads.first().map_or(LogPosition::START, |(_, head)| *head))
    }

    /// Has the tails of these tenants look again; `None`: all.
    fn wake(&self, tenants: Option<&[TenantId]>) {
        let tails = self.tails();
        match tenants {
            Some(tenants) => tenants
                .iter()
                .filter_map(|tenant| tails.get(tenant))
                .for_each(|tail| tail.wake()),
            None => tails.values().for_each(|tail| tail.wake()),
        }
    }

    /// Notes how far the tails have come: the worst of all, since there may be any number.
    fn measure(&self) {
        let (mut tails, mut worst) = (0, Progress::default());
        for tail in self.tails().values() {
            let progress = tail.progress();
            tails += 1;
            worst = Progress {
                head: worst.head.max(progress.head),
                lag_events: worst.lag_events.max(progress.lag_events),
                lag: worst.lag.max(progress.lag),
            };
        }
        let metrics = &self.metrics.feed;
        metrics.tails.set(tails);
        metrics.head.set(worst.head);
        metrics.lag_events.set(worst.lag_events);
        metrics.lag_seconds.set(worst.lag.as_secs_f64());
    }

    /// How often the log is looked at without a wake-up.
    fn poll_interval(&self) -> Duration {
        (self.settings.heartbeat_interval / 4).min(POLL_MAX)
    }
}

/// Wakes the tails of this process, and tells the other replicas: after the commit, and for all
/// that has moved since the last time at once (a NOTIFY inside of the write's transaction would
/// hold a lock of the whole cluster while it syncs).
async fn tell_others(shared: Arc<Shared>, mut moved: mpsc::UnboundedReceiver<Moved>) {
    let (announce, mut announced) = mpsc::unbounded_channel::<TenantId>();
    let announcing = Arc::clone(&shared);
    tokio::spawn(async move {
        let mut tenants = Vec::new();
        while announced.recv_many(&mut tenants, 1_024).await > 0 {
            tenants.sort_unstable();
            tenants.dedup();
            if let Err(error) = announcing.store.announce(&tenants).await {
                // The others' poll makes up for it.
                tracing::debug!(error = ?error, "cannot tell the other replicas");
            }
            tenants.clear();
        }
    });
    while let Some(moved) = moved.recv().await {
        if let Some(tail) = shared.tails().get(&moved.tenant) {
            tail.moved(moved.written);
        }
        let _ = announce.send(moved.tenant);
    }
}

/// Wakes the tails of what other replicas have moved.
async fn hear_others(shared: Arc<Shared>) {
    let closing = shared.closing.clone();
    closing
        .run_until_cancelled(async {
            loop {
                let tenants = shared.store.announced().await;
                shared.wake(tenants.as_deref());
            }
        })
        .await;
}

/// Looks where the logs of all watched tenants end, in case a wake-up was lost; and lets those
/// that have not moved know that they have been looked at.
async fn poll(shared: Arc<Shared>) {
    let closing = shared.closing.clone();
    closing
        .run_until_cancelled(async {
            loop {
                tokio::time::sleep(shared.poll_interval()).await;
                let tenants = shared.ask();
                if tenants.is_empty() {
                    continue;
                }
                match shared.store.log_heads(&tenants).await {
                    Ok(heads) => {
                        let mut heads: HashMap<_, _> = heads.into_iter().collect();
                        let tails = shared.tails();
                        for tenant in &tenants {
                            let head = heads.remove(tenant).unwrap_or(LogPosition::START);
                            if let Some(tail) = tails.get(tenant) {
                                tail.looked_at(head);
                            }
                        }
                    }
                    Err(error) => {
                        tracing::warn!(error = ?error, "the log cannot be read");
                        shared
                            .tails()
                            .values()
                            .for_each(|tail| tail.failed_to_look());
                    }
                }
            }
        })
        .await;
}
