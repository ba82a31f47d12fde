//! The one writer of a process: group commit.
//!
//! A command is queued for its tenant. Whoever is free takes whatever has queued up and commits
//! it as one transaction: take the turn, load, decide one by one in memory, save, commit, answer
//! all. While one batch commits the next one fills, so the slower the disk, the larger the
//! batches; and nothing waits where nothing else does. Where nobody else writes to the tenant, the
//! turn is not needed, and saving commits as well (`optimistic`).

mod batch;
mod deciding;
mod limits;
mod optimistic;
mod others;
mod outcome;
mod queue;
mod steps;

use std::{collections::HashSet, sync::Arc};

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use self::queue::{Answer, Job, Queues, Work};
use super::Error;
use crate::{
    metrics::Metrics,
    model::{
        Clock, Command, Ids, Import, Imported, LogPosition, Outcome, Policy, TenantId, UserId,
    },
    store::{Expiry, Store, Writing},
};

pub use self::limits::{QueueLimits, QueueLoad};

/// Carries out commands; cheap to clone.
#[derive(Clone)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    workers: TaskTracker,
}

/// What the workers share.
struct Shared {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    policy: Policy,
    queues: Queues,
    metrics: Arc<Metrics>,
    /// The workers, and the tasks in which they answer.
    answering: TaskTracker,
    /// Where it is told which tenants' logs have grown.
    moved: mpsc::UnboundedSender<Moved>,
}

/// A tenant's log has grown.
pub(super) struct Moved {
    pub(super) tenant: TenantId,
    /// By what; none where that is not known.
    pub(super) written: Option<Written>,
}

/// A piece of a log, and who is told of it.
pub(super) struct Written {
    /// Where the log ended before it.
    pub(super) after: LogPosition,
    /// Where it ends with it.
    pub(super) through: LogPosition,
    pub(super) told: HashSet<UserId>,
}

impl Writer {
    /// Starts as many workers as the database takes transactions side by side.
    pub(super) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        policy: Policy,
        limits: QueueLimits,
        moved: mpsc::UnboundedSender<Moved>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (workers, tenants_at_once) = match store.writing() {
            Writing::OneForAll => (1, usize::MAX),
            Writing::SideBySide(workers) => (workers, 1),
        };
        let tracker = TaskTracker::new();
        let shared = Arc::new(Shared {
            answering: tracker.clone(),
            store,
            clock,
            ids,
            policy,
            queues: Queues::new(limits, tenants_at_once, Arc::clone(&metrics)),
            metrics,
            moved,
        });
        for _ in 0..workers {
            let shared = Arc::clone(&shared);
            tracker.spawn(async move {
                while let Some(round) = shared.queues.next().await {
                    shared.carry_out(round).await;
                    shared.store.take_in().await;
                }
            });
        }
        Self {
            shared,
            workers: tracker,
        }
    }

    /// Carries out a command; its effect is durable when this returns.
    ///
    /// Dropped before its batch has begun, the command is dropped too; later, it may still be
    /// carried out.
    pub(super) async fn submit(
        &self,
        tenant: &TenantId,
        command: Command,
    ) -> Result<Outcome, Error> {
        let user = command.caller().clone();
        match self.queue(tenant, user, Work::Command(command)).await? {
            Answer::Outcome(outcome) => Ok(outcome),
            _ => Err(Error::internal(Mismatch)),
        }
    }

    /// Writes a piece of an import; it is durable when this returns.
    pub(super) async fn import(
        &self,
        tenant: &TenantId,
        import: Import,
    ) -> Result<Imported, Error> {
        let user = UserId::service("import");
        match self.queue(tenant, user, Work::Import(import)).await? {
            Answer::Imported(imported) => Ok(imported),
            _ => Err(Error::internal(Mismatch)),
        }
    }

    /// Removes a piece of what a tenant no longer keeps; says whether more is left.
    pub(super) async fn expire(&self, tenant: &TenantId, expiry: Expiry) -> Result<bool, Error> {
        // A name that no caller can have, so that it takes nobody's share of the queue.
        let user = UserId::service("expiry");
        match self.queue(tenant, user, Work::Expire(expiry)).await? {
            Answer::Expired { more } => Ok(more),
            _ => Err(Error::internal(Mismatch)),
        }
    }

    async fn queue(&self, tenant: &TenantId, user: UserId, work: Work) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job::new(user, work, answer);
        self.shared.queues.push(tenant, job)?;
        answered.await.unwrap_or(Err(Error::ShuttingDown))
    }

    /// Takes nothing more, and returns when all that was taken is answered.
    pub(super) async fn close(&self) {
        self.shared.queues.close();
        self.workers.close();
        self.workers.wait().await;
    }
}

/// An answer of the wrong kind.
#[derive(Debug, thiserror::Error)]
#[error("a command was answered with something else")]
struct Mismatch;
