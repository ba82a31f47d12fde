//! A tail: reads one tenant's log forward, once, and hands it out.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Shared, Watch,
    live::{Live, Place, Progress},
};
use crate::messenger::{error::Panicked, writer::Written};
use crate::model::{LogPage, LogPosition, LogReader, TenantId};

/// One tenant's log, as far as this process has handed it out.
pub(super) struct Tail {
    tenant: TenantId,
    live: Mutex<Live>,
    look: Notify,
    /// Nobody watches the tenant any more.
    unwatched: CancellationToken,
}

/// A watcher's membership of a tail's live set, which ends when this is dropped.
pub(super) struct Membership {
    shared: Arc<Shared>,
    tail: Arc<Tail>,
    place: Arc<Place>,
    /// How far the tail had come when the watcher joined.
    pub(super) joined_at: LogPosition,
}

/// A tail that has nothing to tell a watcher.
pub(super) struct Quiet {
    /// Everything up to here has been handed out.
    pub(super) position: LogPosition,
    /// When the log was last looked at.
    pub(super) looked: Instant,
    /// Whether it could not be looked at since.
    pub(super) is_failing: bool,
    /// For how long it has been tried in vain.
    pub(super) in_vain: Duration,
}

impl Tail {
    /// Joins a watcher to the tail of its tenant, which is made if it is the first.
    pub(super) async fn join(
        shared: &Arc<Shared>,
        tenant: &TenantId,
        watch: &Watch,
    ) -> Result<Membership, Error> {
        if let Some(membership) = Self::join_existing(shared, tenant, watch) {
            return Ok(membership);
        }
        let head = shared.head(tenant).await?;
        let mut tails = shared.tails();
        let tail = tails.entry(tenant.clone()).or_insert_with(|| {
            let tail = Arc::new(Self {
                tenant: tenant.clone(),
                live: Mutex::new(Live::at(head)),
                look: Notify::new(),
                unwatched: CancellationToken::new(),
            });
            // What was written since the head was read found no tail to wake.
            tail.wake();
            shared
                .tasks
                .spawn(Arc::clone(&tail).run(Arc::clone(shared)));
            tail
        });
        Ok(tail.admit(shared, watch))
    }

    fn join_existing(shared: &Arc<Shared>, tenant: &TenantId, watch: &Watch) -> Option<Membership> {
        // Under the lock of all tails, so that this one is not taken away meanwhile.
        let tails = shared.tails();
        tails.get(tenant).map(|tail| tail.admit(shared, watch))
    }

    fn admit(self: &Arc<Self>, shared: &Arc<Shared>, watch: &Watch) -> Membership {
        let mut live = self.live();
        Membership {
            shared: Arc::clone(shared),
            tail: Arc::clone(self),
            place: live.join(watch),
            joined_at: live.position,
        }
    }

    /// Has the tail look whether its log has grown.
    pub(super) fn wake(&self) {
        self.look.notify_one();
    }

    /// Notes that the log has grown; where nobody here is told of what was written, and the log
    /// goes on from where this has come, there is nothing to read.
    pub(super) fn moved(&self, written: Option<Written>) {
        let mut live = self.live();
        let Some(written) = written else {
            return self.wake();
        };
        let concerns = live.concerns(&written.told);
        if !live.reading && live.position == written.after && !concerns {
            live.position = written.through;
            live.hear();
            return;
        }
        live.see(written.through);
        if concerns || !live.reading || !live.written_meanwhile(written) {
            self.wake();
        }
    }

    /// Notes where the log was seen to end.
    pub(super) fn looked_at(&self, head: LogPosition) {
        let mut live = self.live();
        live.see(head);
        if live.position == head {
            live.look();
        } else {
            // It has grown, or it is another history: reading it will tell.
            self.wake();
        }
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> Progress {
        self.live().progress()
    }

    /// Notes that the log is about to be looked at.
    pub(super) fn ask(&self) {
        self.live().ask();
    }

    /// Notes that the log could not be looked at.
    pub(super) fn failed_to_look(&self) {
        self.live().fail_to_look();
    }

    /// Follows the log to the end of the watching; a panic ends it, and nobody waits in vain.
    async fn run(self: Arc<Self>, shared: Arc<Shared>) {
        let following = AssertUnwindSafe(self.follow(&shared)).catch_unwind();
        if following.await.is_err() {
            self.retire(&shared);
            self.live().end(&Error::internal(Panicked));
        }
    }

    async fn follow(self: &Arc<Self>, shared: &Shared) {
        loop {
            let closing = tokio::select! {
                () = self.look.notified() => false,
                () = shared.closing.cancelled() => true,
                () = self.unwatched.cancelled() => return,
            };
            let read = tokio::select! {
                read = self.read(shared) => read,
                () = shared.giving_up.cancelled() => Err(Error::ShuttingDown),
            };
            match read {
                Err(error @ Error::ResumeTokenExpired) => {
                    // Whoever joins from now on joins a new tail, at the log's new end.
                    self.retire(shared);
                    self.live().end(&error);
                    return;
                }
                // The poll has it look again, as soon as the database answers.
                Err(error) => {
                    tracing::debug!(error = ?error, "a tail cannot read the log");
                    self.failed_to_look();
                }
                Ok(()) => {}
            }
            if closing {
                self.live().end(&Error::ShuttingDown);
                return;
            }
        }
    }

    /// Reads to the end of the log, and hands it out.
    async fn read(&self, shared: &Shared) -> Result<(), Error> {
        loop {
            let position = {
                let mut live = self.live();
                live.reading = true;
                live.ask();
                live.position
            };
            let page = shared
                .store
                .log_page(&self.tenant, position, &LogReader::Everyone)
                .await;
            let mut live = self.live();
            live.reading = false;
            if page.is_err() && !live.pass_over_the_meanwhile() {
                self.wake();
            }
            let LogPage::Read(rows) = page? else {
                return Err(Error::ResumeTokenExpired);
            };
            let at_the_end = rows.through == rows.head;
            live.see(rows.head);
            let overflowed = live.hand_out(rows.events, rows.through);
            shared.metrics.feed.overflowed.inc_by(overflowed);
            if at_the_end {
                if live.pass_over_the_meanwhile() {
                    live.look();
                } else {
                    self.wake();
                }
                return Ok(());
            }
        }
    }

    /// Makes room for a new tail of the same tenant.
    fn retire(self: &Arc<Self>, shared: &Shared) {
        let mut tails = shared.tails();
        if tails
            .get(&self.tenant)
            .is_some_and(|tail| Arc::ptr_eq(tail, self))
        {
            tails.remove(&self.tenant);
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// The watcher's place.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Has the tail look whether its history is still the log's.
    pub(super) fn doubt(&self) {
        self.tail.wake();
    }

    /// How far the tail has come, provided that nothing of it waits in the watcher's place.
    pub(super) fn quiet(&self) -> Option<Quiet> {
        // Under this lock nothing is handed out: the place is empty up to the position.
        let live = self.tail.live();
        self.place.is_empty().then_some(Quiet {
            position: live.position,
            looked: live.looked,
            is_failing: live.failing_since.is_some(),
            in_vain: live.in_vain(),
        })
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut tails = self.shared.tails();
        let mut live = self.tail.live();
        live.leave(&self.place);
        if live.is_empty() {
            self.tail.unwatched.cancel();
            if tails
                .get(&self.tail.tenant)
                .is_some_and(|tail| Arc::ptr_eq(tail, &self.tail))
            {
                tails.remove(&self.tail.tenant);
            }
        }
    }
}
