//! What waits to be written: a queue a tenant, bounded, and fair.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{Notify, oneshot};
use tracing::Span;

use super::{
    Error,
    limits::{QueueLimits, QueueLoad},
    others::Others,
};
use crate::{
    metrics::{Limit, Metrics},
    model::{Command, Import, Imported, Outcome, TenantId, UserId},
    store::Expiry,
    traces,
};

/// How many commands a batch holds at most.
const BATCH_COMMANDS: usize = 256;

/// How much text a batch brings at most, in bytes, before its last command.
const BATCH_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Something to be written, and who waits for it.
pub(super) struct Job {
    pub(super) user: UserId,
    pub(super) work: Work,
    pub(super) since: Instant,
    /// The span of the call that it is for.
    call: Span,
    /// The span of its wait, which ends with it.
    wait: Span,
    answer: oneshot::Sender<Result<Answer, Error>>,
}

/// What is to be written.
pub(super) enum Work {
    Command(Command),
    Import(Import),
    Expire(Expiry),
}

/// What came of it.
pub(super) enum Answer {
    Outcome(Outcome),
    Imported(Imported),
    Expired { more: bool },
}

impl Job {
    pub(super) fn new(
        user: UserId,
        work: Work,
        answer: oneshot::Sender<Result<Answer, Error>>,
    ) -> Self {
        let call = traces::current();
        Self {
            user,
            work,
            since: Instant::now(),
            wait: traces::queue(&call),
            call,
            answer,
        }
    }

    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    pub(super) fn answer(self, answer: Result<Answer, Error>) {
        // Whoever asked may have gone meanwhile.
        let _ = self.answer.send(answer);
    }

    /// Its batch, of so many commands, takes a step.
    pub(super) fn step(&self, step: &'static str, commands: usize) -> Span {
        traces::step(&self.call, step, commands)
    }

    fn text_bytes(&self) -> usize {
        match &self.work {
            Work::Command(command) => command.text_bytes(),
            Work::Import(import) => import.text_bytes(),
            Work::Expire(_) => 0,
        }
    }
}

/// One tenant's share of a transaction.
pub(super) struct Batch {
    pub(super) tenant: TenantId,
    /// None before the turn: until then more can come.
    pub(super) jobs: Option<Vec<Job>>,
}

/// All that waits in this process.
pub(super) struct Queues {
    limits: QueueLimits,
    tenants_at_once: usize,
    metrics: Arc<Metrics>,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    load: QueueLoad,
    tenants: HashMap<TenantId, TenantQueue>,
    /// Tenants that have something to be written and that nobody has claimed, longest waiting first.
    ready: VecDeque<TenantId>,
    closed: bool,
    /// The tenants that other processes write to, too.
    shared: HashMap<TenantId, Others>,
}

#[derive(Default)]
struct TenantQueue {
    jobs: VecDeque<Job>,
    load: QueueLoad,
    /// What each user has here.
    users: HashMap<UserId, QueueLoad>,
    /// How many workers have claimed the tenant.
    claims: usize,
    /// How many of these have taken their batch.
    taken: usize,
}

impl Queues {
    pub(super) fn new(limits: QueueLimits, tenants_at_once: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            limits,
            tenants_at_once,
            metrics,
            waiting: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Queues a job, where there is room for it.
    pub(super) fn push(&self, tenant: &TenantId, job: Job) -> Result<(), Error> {
        let bytes = job.text_bytes();
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::ShuttingDown);
        }
        if !waiting.load.has_room_for(bytes, self.limits.process) {
            return self.refuse(Limit::ProcessQueue);
        }
        let queue = waiting.tenants.entry(tenant.clone()).or_default();
        let of_user = queue.users.get(&job.user).copied().unwrap_or_default();
        if !queue.load.has_room_for(bytes, self.limits.tenant) {
            return self.refuse(Limit::TenantQueue);
        }
        if !of_user.has_room_for(bytes, self.limits.user) {
            return self.refuse(Limit::UserQueue);
        }
        queue.count(&job);
        queue.jobs.push_back(job);
        let first = queue.jobs.len() == 1;
        let newly_ready = first && queue.claims == 0;
        waiting.load.add(bytes);
        self.measure(&waiting);
        if newly_ready {
            waiting.ready.push_back(tenant.clone());
        }
        if first {
            drop(waiting);
            self.changed.notify_one();
        }
        Ok(())
    }

    fn measure(&self, waiting: &Waiting) {
        let metrics = &self.metrics.writer;
        metrics.queued(waiting.load.commands, waiting.load.bytes);
    }

    fn refuse(&self, limit: Limit) -> Result<(), Error> {
        self.metrics.limits.hit(limit);
        Err(Error::Overloaded)
    }

    /// Waits for the next round: the tenants that one transaction serves. None: closed, and all is
    /// done.
    pub(super) async fn next(&self) -> Option<Vec<Batch>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut waiting = self.lock();
                let round = waiting.claim(self.tenants_at_once);
                if !waiting.ready.is_empty() || waiting.is_done() {
                    // For another worker.
                    self.changed.notify_one();
                }
                if !round.is_empty() {
                    return Some(round);
                }
                if waiting.is_done() {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Fills a batch with what has queued for its tenant.
    pub(super) fn fill(&self, batch: &mut Batch) {
        if batch.jobs.is_none() {
            let mut waiting = self.lock();
            let jobs = waiting.take(&batch.tenant);
            self.measure(&waiting);
            drop(waiting);
            let now = Instant::now();
            for job in &jobs {
                self.metrics.writer.waited(now - job.since);
            }
            batch.jobs = Some(jobs);
        }
    }

    /// Gives up a claim; what was not carried out goes back to the front of the tenant's queue. Nobody is
    /// woken for it, since whoever does so asks for the next round.
    pub(super) fn done(&self, tenant: &TenantId, had_taken: bool, left_over: Vec<Job>) {
        let mut waiting = self.lock();
        for job in &left_over {
            waiting.load.add(job.text_bytes());
        }
        self.measure(&waiting);
        let Some(queue) = waiting.tenants.get_mut(tenant) else {
            return;
        };
        queue.claims -= 1;
        queue.taken -= usize::from(had_taken);
        for job in left_over.into_iter().rev() {
            queue.count(&job);
            queue.jobs.push_front(job);
        }
        if queue.claims == 0 {
            if queue.jobs.is_empty() {
                waiting.tenants.remove(tenant);
            } else if had_taken {
                waiting.ready.push_back(tenant.clone());
            } else {
                // Its round was full before its turn: nobody has waited longer.
                waiting.ready.push_front(tenant.clone());
            }
        }
    }

    /// Whether others write to a tenant, so that its batches had better take turns.
    pub(super) fn others_write(&self, tenant: &TenantId) -> bool {
        self.lock().others_write(tenant)
    }

    /// Notes that others write to a tenant.
    pub(super) fn met_others(&self, tenant: &TenantId) {
        let mut waiting = self.lock();
        let now = Instant::now();
        waiting.shared.retain(|_, others| !others.are_gone(now));
        let met = Others::met(waiting.shared.get(tenant), now);
        waiting.shared.insert(tenant.clone(), met);
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Nothing more comes, and nothing waits or is in flight.
    fn is_done(&self) -> bool {
        self.closed && self.tenants.is_empty()
    }

    /// Claims the tenants that have waited longest.
    fn claim(&mut self, tenants_at_once: usize) -> Vec<Batch> {
        let count = self.ready.len().min(tenants_at_once);
        let mut claimed: Vec<TenantId> = self.ready.drain(..count).collect();
        if claimed.is_empty() && tenants_at_once == 1 {
            claimed.extend(self.next_in_turn());
        }
        let mut round = Vec::with_capacity(claimed.len());
        for tenant in claimed {
            if let Some(queue) = self.tenants.get_mut(&tenant) {
                queue.claims += 1;
                round.push(Batch { tenant, jobs: None });
            }
        }
        round
    }

    fn others_write(&self, tenant: &TenantId) -> bool {
        let others = self.shared.get(tenant);
        others.is_some_and(|others| others.write(Instant::now()))
    }

    /// A tenant whose batch is under way while the next one queues: where nobody else waits, a
    /// worker can stand in line for that one's turn, and has it when the database gives it.
    fn next_in_turn(&self) -> Option<TenantId> {
        // Where nothing is ready, there are hardly more tenants here than workers.
        let mut tenants = self.tenants.iter();
        let (tenant, _) = tenants.find(|(tenant, queue)| {
            let under_way = queue.claims == 1 && queue.taken == 1 && !queue.jobs.is_empty();
            under_way && self.others_write(tenant)
        })?;
        Some(tenant.clone())
    }

    fn take(&mut self, tenant: &TenantId) -> Vec<Job> {
        let Some(queue) = self.tenants.get_mut(tenant) else {
            return Vec::new();
        };
        queue.taken += 1;
        let before = queue.load;
        let jobs = queue.take();
        self.load.commands -= before.commands - queue.load.commands;
        self.load.bytes -= before.bytes - queue.load.bytes;
        jobs
    }
}

impl TenantQueue {
    /// Counts a job that comes in.
    fn count(&mut self, job: &Job) {
        let bytes = job.text_bytes();
        self.load.add(bytes);
        self.users.entry(job.user.clone()).or_default().add(bytes);
    }

    /// Takes a batch: those whose callers still wait, of all that leave the queue.
    fn take(&mut self) -> Vec<Job> {
        let mut taken = Vec::new();
        let mut taken_bytes = 0;
        while taken.len() < BATCH_COMMANDS && taken_bytes < BATCH_TEXT_BYTES {
            let Some(mut job) = self.jobs.pop_front() else {
                break;
            };
            job.wait = Span::none();
            let bytes = job.text_bytes();
            self.load.remove(bytes);
            if let Some(of_user) = self.users.get_mut(&job.user) {
                of_user.remove(bytes);
                if of_user.commands == 0 {
                    self.users.remove(&job.user);
                }
            }
            if !job.is_abandoned() {
                taken_bytes += bytes;
                taken.push(job);
            }
        }
        taken
    }
}
