//! One round: take the turns, load, decide, save, commit, answer.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;

use super::{
    Error, Moved, Shared,
    deciding::needs,
    outcome::{Attempt, Decided, Failure, Settled, unavailable, undone},
    queue::{Answer, Batch, Job, Work},
};
use crate::{
    metrics::{Repeat, Step},
    model::TenantId,
    store::{self, Transaction},
};

/// How many commands of several tenants one transaction carries, before its last batch.
const ROUND_COMMANDS: usize = 256;

/// How long the outcome of a commit may stay unknown before the callers are told so, after whichever attempt
/// to learn it is under way then.
const DOUBT_MAX: Duration = Duration::from_secs(10);

/// How long a command waits for its tenant's turn before its caller is told to try again.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long to wait before asking anew about an unknown outcome.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl Shared {
    /// Carries out a round and answers everybody in it.
    pub(super) async fn carry_out(self: &Arc<Self>, mut round: Vec<Batch>) {
        match self.commit(&mut round).await {
            Ok(decided) => self.answer_all(round, decided),
            Err(Failure::TurnTimedOut) => {
                self.metrics.writer.repeat(Repeat::Turn);
                for batch in round {
                    self.wait_anew(batch);
                }
            }
            Err(Failure::Poisoned(error)) => self.carry_out_one_by_one(round, error).await,
            Err(Failure::Failed(error)) => {
                for batch in round {
                    self.fail(batch, &error);
                }
            }
        }
    }

    /// Says what has been written, and answers everybody, while the next round, which may begin at once,
    /// waits for the database.
    fn answer_all(self: &Arc<Self>, round: Vec<Batch>, decided: Vec<Decided>) {
        let mut done = Vec::with_capacity(round.len());
        // Backwards, since those that were left out come first again.
        for (batch, decided) in round.into_iter().zip(decided).rev() {
            let had_taken = batch.jobs.is_some();
            let mut jobs = batch.jobs.unwrap_or_default();
            let left_over = jobs.split_off(jobs.len().min(decided.answers.len()));
            self.queues.done(&batch.tenant, had_taken, left_over);
            done.push((batch.tenant, jobs, decided));
        }
        let shared = Arc::clone(self);
        self.answering.spawn(async move {
            for (tenant, jobs, decided) in done {
                if let Some(written) = decided.written {
                    let written = Some(written);
                    // Nobody listens once the server is ending.
                    let _ = shared.moved.send(Moved { tenant, written });
                }
                for (job, answer) in jobs.into_iter().zip(decided.answers) {
                    job.answer(answer.map_err(Error::from));
                }
            }
        });
    }

    fn fail(&self, mut batch: Batch, error: &Error) {
        self.queues.fill(&mut batch);
        for job in batch.jobs.into_iter().flatten() {
            job.answer(Err(error.clone()));
        }
        self.queues.done(&batch.tenant, true, Vec::new());
    }

    /// Puts a batch back into the queue, without those who have waited too long.
    fn wait_anew(&self, mut batch: Batch) {
        self.queues.fill(&mut batch);
        let (patient, impatient): (Vec<Job>, Vec<Job>) = batch
            .jobs
            .into_iter()
            .flatten()
            .partition(|job| job.since.elapsed() < WAIT_MAX);
        for job in impatient {
            job.answer(Err(store::Error::TurnTimedOut.into()));
        }
        self.queues.done(&batch.tenant, true, patient);
    }

    /// Finds the command that makes a batch fail, so that it fails alone.
    async fn carry_out_one_by_one(self: &Arc<Self>, round: Vec<Batch>, error: Error) {
        let alone = round.iter().flat_map(|batch| &batch.jobs).flatten().count() == 1;
        if !alone {
            self.metrics.writer.repeat(Repeat::Data);
        }
        for batch in round.into_iter().rev() {
            if alone {
                self.fail(batch, &error);
                continue;
            }
            let (tenant, had_taken) = (batch.tenant, batch.jobs.is_some());
            for job in batch.jobs.into_iter().flatten() {
                let mut single = [Batch {
                    tenant: tenant.clone(),
                    jobs: Some(vec![job]),
                }];
                let result = self.commit(&mut single).await;
                let [Batch { jobs, .. }] = single;
                let answer = match result {
                    Ok(mut decided) => {
                        // Where nothing is new, a reader looks and finds nothing.
                        let _ = self.moved.send(Moved {
                            tenant: tenant.clone(),
                            written: None,
                        });
                        let answer = decided.pop().and_then(|mut one| one.answers.pop());
                        answer.map_or(Err(error.clone()), |answer| answer.map_err(Error::from))
                    }
                    Err(Failure::TurnTimedOut) => Err(store::Error::TurnTimedOut.into()),
                    Err(Failure::Poisoned(error) | Failure::Failed(error)) => Err(error),
                };
                if let Some(job) = jobs.and_then(|mut jobs| jobs.pop()) {
                    job.answer(answer);
                }
            }
            self.queues.done(&tenant, had_taken, Vec::new());
        }
    }

    /// Commits a round; an outcome that is unknown is settled, where that can be done in time.
    async fn commit(&self, round: &mut [Batch]) -> Result<Vec<Decided>, Failure> {
        // All of them: one that was lost on its way may arrive after another one was given up.
        let mut in_doubt: Vec<Vec<Decided>> = Vec::new();
        let mut give_up = None;
        loop {
            let error = match self.attempt(round, &in_doubt).await {
                Attempt::Done(decided) => return Ok(decided),
                Attempt::WasDone(which) => return Ok(in_doubt.swap_remove(which)),
                Attempt::Forgotten => return Err(Failure::Failed(Error::forgotten())),
                Attempt::NotDone(error) => return Err(Failure::Failed(unavailable(error))),
                Attempt::Failed(failure) if in_doubt.is_empty() => return Err(failure),
                Attempt::Failed(Failure::TurnTimedOut) => store::Error::TurnTimedOut.into(),
                Attempt::Failed(Failure::Poisoned(error) | Failure::Failed(error)) => error,
                Attempt::Unknown(decided, error) => {
                    self.metrics.writer.repeat(Repeat::Commit);
                    tracing::warn!(error = ?error, "the outcome of a commit is unknown");
                    in_doubt.push(decided);
                    error
                }
            };
            let give_up = *give_up.get_or_insert_with(|| Instant::now() + DOUBT_MAX);
            if Instant::now() >= give_up {
                return Err(Failure::Failed(unavailable(error)));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Tries a round once. Where the outcomes of earlier tries are unknown, the turn is awaited first
    /// (a lost transaction holds it until it has ended), and their events are looked for.
    async fn attempt(&self, round: &mut [Batch], in_doubt: &[Vec<Decided>]) -> Attempt {
        // Where nothing is in doubt, first without the turn.
        if let ([batch], []) = (&mut *round, in_doubt)
            && let Some(attempt) = self.attempt_without_turn(batch).await
        {
            return attempt;
        }
        let mut transaction = match self.step(Step::Begin, self.store.begin()).await {
            Ok(transaction) => transaction,
            Err(error) => return Attempt::Failed(Failure::of(error)),
        };
        match self.settle(&mut *transaction, round, in_doubt).await {
            Ok(Settled::NotDone) => {}
            // Committed, though nothing was written: a primary that has restarted shows what its
            // synchronous standby may lack, and our commit waits for the standby.
            Ok(Settled::Done(which)) => {
                return match self.step(Step::Commit, transaction.commit()).await {
                    Ok(()) => Attempt::WasDone(which),
                    Err(error) => Attempt::Failed(Failure::of(error)),
                };
            }
            // To do it again might be to do it twice.
            Ok(Settled::Forgotten) => {
                transaction.roll_back().await;
                return Attempt::Forgotten;
            }
            Err(failure) => {
                transaction.roll_back().await;
                return Attempt::Failed(failure);
            }
        }
        match self.write_guarded(&mut *transaction, round).await {
            Ok((decided, false)) => {
                transaction.roll_back().await;
                Attempt::Done(decided)
            }
            Ok((decided, true)) => {
                let batches = round.iter().filter_map(|batch| batch.jobs.as_deref());
                let commit = self.step_of(batches, Step::Commit, transaction.commit());
                match commit.await {
                    Ok(()) => Attempt::Done(decided),
                    Err(error @ store::Error::Full(_)) => {
                        undone(error.into(), !in_doubt.is_empty())
                    }
                    Err(error) => Attempt::Unknown(decided, error.into()),
                }
            }
            Err(failure) => {
                transaction.roll_back().await;
                undone(failure, !in_doubt.is_empty())
            }
        }
    }

    /// Which of the earlier tries was committed after all. A transaction is committed whole: one of its
    /// events is proof enough.
    async fn settle(
        &self,
        transaction: &mut dyn Transaction,
        round: &[Batch],
        in_doubt: &[Vec<Decided>],
    ) -> Result<Settled, Failure> {
        let mut settled = Settled::NotDone;
        for (which, decided) in in_doubt.iter().enumerate() {
            let mut proofs = round.iter().zip(decided);
            let proof = proofs.find_map(|(batch, decided)| {
                Some((&batch.tenant, decided.written.as_ref()?.through))
            });
            let Some((tenant, event)) = proof else {
                continue;
            };
            self.take_turn(transaction, tenant).await?;
            let looking = transaction.holds_event(tenant, event);
            match self.step(Step::Load, looking).await? {
                Some(true) => return Ok(Settled::Done(which)),
                Some(false) => {}
                None => settled = Settled::Forgotten,
            }
        }
        Ok(settled)
    }

    /// Writes a round, short of the commit. A panic is that of one command, not the batch's: it
    /// starts over without what was half done, and the command fails alone.
    async fn write_guarded(
        &self,
        transaction: &mut dyn Transaction,
        round: &mut [Batch],
    ) -> Result<(Vec<Decided>, bool), Failure> {
        let writing = AssertUnwindSafe(self.write(transaction, round));
        let written = writing.catch_unwind().await;
        written.unwrap_or_else(|_| Err(Failure::panicked()))
    }

    /// Writes a round, short of the commit; says whether there is anything to commit.
    async fn write(
        &self,
        transaction: &mut dyn Transaction,
        round: &mut [Batch],
    ) -> Result<(Vec<Decided>, bool), Failure> {
        let mut decided = Vec::with_capacity(round.len());
        let mut commits = false;
        let mut commands = 0;
        for batch in round {
            if commands >= ROUND_COMMANDS {
                // Those that are left wait for the next one.
                decided.push(Decided::default());
                continue;
            }
            self.take_turn(transaction, &batch.tenant).await?;
            // Not before: what has come meanwhile goes along.
            self.queues.fill(batch);
            let (answers, commits_too) = self.write_batch(transaction, batch).await?;
            commands += answers.answers.len();
            decided.push(answers);
            commits |= commits_too;
        }
        Ok((decided, commits))
    }

    /// Writes one tenant's batch; says whether there is anything to commit.
    async fn write_batch(
        &self,
        transaction: &mut dyn Transaction,
        batch: &Batch,
    ) -> Result<(Decided, bool), Failure> {
        let jobs = batch.jobs.as_deref().unwrap_or_default();
        if jobs.is_empty() {
            // Nobody waits for any of them any more.
            return Ok((Decided::default(), false));
        }
        self.metrics.writer.batch(jobs.len());
        let needs = needs(jobs);
        let load = transaction.load(&batch.tenant, &needs);
        let loaded = self.step_of([jobs], Step::Load, load);
        let mut deciding = self.decide(loaded.await?);
        let mut expired = false;
        for job in jobs {
            if deciding.is_full() {
                break;
            }
            match &job.work {
                Work::Command(command) => deciding.command(command),
                Work::Import(import) => deciding.import(import),
                Work::Expire(expiry) => {
                    let removing = transaction.expire(&batch.tenant, *expiry);
                    let more = self.step(Step::Expire, removing).await?;
                    expired = true;
                    deciding.answers.push(Ok(Answer::Expired { more }));
                }
            }
        }
        let changes = deciding.changes();
        self.metrics.writer.step(Step::Decide, deciding.took());
        if !changes.is_empty() {
            let save = transaction.save(&batch.tenant, &changes);
            self.step_of([jobs], Step::Save, save).await?;
        }
        let commits = expired || !changes.is_empty() || deciding.is_acknowledged();
        let written = deciding.written(&changes);
        drop(changes);
        Ok((deciding.done(written), commits))
    }

    async fn take_turn(
        &self,
        transaction: &mut dyn Transaction,
        tenant: &TenantId,
    ) -> Result<(), Failure> {
        match self.step(Step::Turn, transaction.take_turn(tenant)).await {
            Err(store::Error::TurnTimedOut) => Err(Failure::TurnTimedOut),
            other => other.map_err(Failure::of),
        }
    }
}
