//! A batch that takes no turn, where hardly anybody else writes to its tenant.
//!
//! Two round trips instead of five: load; then save and commit, if nobody else has written since. One,
//! where what it loads is remembered.
//! Who finds that somebody has takes the turn, for this batch and for a while.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::{
    Shared,
    deciding::needs,
    outcome::{Attempt, Decided, Failure},
    queue::{Batch, Job, Work},
};
use crate::{
    metrics::{Repeat, Step},
    model::{Command, LogPosition},
    store::Optimistic,
};

impl Shared {
    /// Tries a batch without its tenant's turn. None: nothing has happened, and it has to take it.
    pub(super) async fn attempt_without_turn(&self, batch: &mut Batch) -> Option<Attempt> {
        if self.queues.others_write(&batch.tenant) {
            return None;
        }
        let write = match self.store.optimistic().await {
            Ok(write) => write?,
            Err(error) => return Some(Attempt::Failed(Failure::of(error))),
        };
        self.queues.fill(batch);
        let jobs = batch.jobs.as_deref().unwrap_or_default();
        let writing = AssertUnwindSafe(self.write_without_turn(write, batch, jobs));
        let attempt = writing.catch_unwind().await;
        let attempt = attempt.unwrap_or_else(|_| Some(Attempt::Failed(Failure::panicked())))?;
        if !jobs.is_empty() {
            self.metrics.writer.batch(jobs.len());
        }
        Some(attempt)
    }

    async fn write_without_turn(
        &self,
        mut write: Box<dyn Optimistic>,
        batch: &Batch,
        jobs: &[Job],
    ) -> Option<Attempt> {
        let commands = commands(jobs)?;
        if commands.is_empty() {
            // Nobody waits for any of them any more.
            return Some(Attempt::Done(vec![Decided::default()]));
        }
        let needs = needs(jobs);
        let load = write.load(&batch.tenant, &needs);
        let loaded = self.step_of([jobs], Step::Look, load).await.ok()?;
        let mut deciding = self.decide(loaded);
        for command in commands {
            if deciding.is_full() {
                break;
            }
            deciding.command(command);
        }
        let changes = deciding.changes();
        let written = deciding.written(&changes);
        if changes.is_empty() && !deciding.is_acknowledged() {
            drop(changes);
            let holds = self.step(Step::Look, write.holds(&batch.tenant)).await;
            return holds
                .is_ok_and(|holds| holds)
                .then(|| Attempt::Done(vec![deciding.done(written)]));
        }
        let head = deciding.head();
        // Changes that no event tells of are for the turn, and so is what rests on what others have
        // written.
        if changes.events.is_empty() || !changes.users.is_empty() || head == LogPosition::START {
            return None;
        }
        self.metrics.writer.step(Step::Decide, deciding.took());
        let save = write.save(&batch.tenant, &changes);
        let saved = self.step_of([jobs], Step::Commit, save).await;
        drop(changes);
        match saved {
            Ok(true) => Some(Attempt::Done(vec![deciding.done(written)])),
            Ok(false) => {
                self.metrics.writer.repeat(Repeat::Outdated);
                self.queues.met_others(&batch.tenant);
                None
            }
            Err(error) => Some(Attempt::Unknown(vec![deciding.done(written)], error.into())),
        }
    }
}

/// The commands of a batch that has nothing else.
fn commands(jobs: &[Job]) -> Option<Vec<&Command>> {
    let commands = jobs.iter().map(|job| match &job.work {
        Work::Command(command) => Some(command),
        Work::Import(_) | Work::Expire(_) => None,
    });
    commands.collect()
}
