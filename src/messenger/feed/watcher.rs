//! A watcher: one stream, from its first response to its last.

use std::{io, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::mpsc::{self, error::SendTimeoutError},
    time::{Instant, timeout_at},
};

use super::{
    Delivery, Error, Shared, Watch,
    live::{Next, batch},
    tail::{Membership, Tail},
};
use crate::messenger::error::Panicked;
use crate::metrics::Held;
use crate::model::{LogPage, LogPosition, LogRows, LoggedEvent, TenantId};

/// How long to wait before a failed read is tried anew.
const READ_AGAIN: Duration = Duration::from_millis(250);

/// Watchers who catch up go on from positions that this divides, if they see these events.
const STEP: i64 = 256;

/// How long a watcher who catches up may hold a page of the log.
const HOLD_MAX: Duration = Duration::from_millis(250);

/// One stream's state.
pub(super) struct Watcher {
    shared: Arc<Shared>,
    tenant: TenantId,
    watch: Watch,
    /// Everything up to here that the watcher wants has been delivered.
    position: LogPosition,
    deliver: mpsc::Sender<Result<Delivery, Error>>,
    /// When the watcher last was sent something.
    sent: Instant,
    /// When it is to be sent a heartbeat.
    due: Instant,
    /// Since when the log cannot be read.
    failing_since: Option<Instant>,
}

/// Why a watch ends.
enum End {
    /// The watcher has gone, or takes nothing any more.
    Gone,
    /// It is told why.
    Because(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Because(error)
    }
}

impl Watcher {
    pub(super) fn new(
        shared: Arc<Shared>,
        tenant: TenantId,
        watch: Watch,
        position: LogPosition,
        deliver: mpsc::Sender<Result<Delivery, Error>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            tenant,
            watch,
            position,
            deliver,
            sent: now,
            due: now,
            failing_since: None,
        }
    }

    /// Delivers until the watch ends, at this time at the latest.
    pub(super) async fn run(mut self, until: Option<Instant>) {
        let delivering = self.deliver_to_the_end();
        match until {
            None => delivering.await,
            // Whoever reads the stream is told of it there.
            Some(until) => timeout_at(until, delivering).await.unwrap_or_default(),
        }
    }

    async fn deliver_to_the_end(&mut self) {
        let watching = AssertUnwindSafe(self.watch()).catch_unwind();
        let ended = watching
            .await
            .unwrap_or_else(|_| Err(Error::internal(Panicked).into()));
        if let Err(End::Because(error)) = ended {
            let stall = self.shared.settings.stall_timeout;
            let _ = self.deliver.send_timeout(Err(error), stall).await;
        }
    }

    /// Takes a place in the live set, reads the log up to there, then takes what comes; and
    /// again, whenever more came than the place could hold.
    async fn watch(&mut self) -> Result<(), End> {
        let shared = Arc::clone(&self.shared);
        let metrics = &shared.metrics.feed;
        let mut catching_up = Held::one_more(&metrics.catching_up);
        self.send(Delivery::Ready(self.position)).await?;
        // Whether the watcher's history is to be looked at, though it may have nothing to read.
        let mut doubtful = false;
        loop {
            let membership = self.join().await?;
            if !self.catch_up(membership.joined_at, doubtful).await? {
                // It is the tail whose history is gone, and this has it find out.
                membership.doubt();
                self.pause().await?;
                continue;
            }
            drop(catching_up);
            let live = Held::one_more(&metrics.live);
            doubtful = self.follow(&membership).await?;
            drop(live);
            catching_up = Held::one_more(&metrics.catching_up);
        }
    }

    async fn join(&mut self) -> Result<Membership, End> {
        loop {
            let shared = Arc::clone(&self.shared);
            let join = Tail::join(&shared, &self.tenant, &self.watch);
            match self.unless_closing(join).await? {
                Ok(membership) => return Ok(membership),
                Err(error) => self.wait_to_read_again(error).await?,
            }
        }
    }

    /// Reads the log up to where the tail was when the watcher joined it, and at least once where
    /// that is asked for, or where the watcher stands elsewhere, even ahead: the tail's history may be
    /// another one. Says whether the log goes as far.
    async fn catch_up(&mut self, joined_at: LogPosition, read: bool) -> Result<bool, End> {
        let mut read = read || self.position != joined_at;
        while read || self.position.number < joined_at.number {
            let shared = Arc::clone(&self.shared);
            let page = shared
                .pages
                .read(&self.tenant, self.position, &self.watch.reader);
            let page = match self.unless_closing(page).await? {
                Ok(page) => page,
                Err(error) => {
                    self.wait_to_read_again(error).await?;
                    continue;
                }
            };
            self.failing_since = None;
            let (delivered, head) = match page.get().map(|page| &page.log) {
                Some(LogPage::Read(rows)) => (self.deliver_page(rows).await?, rows.head),
                Some(LogPage::Expired) => return Err(Error::ResumeTokenExpired.into()),
                None => (true, joined_at),
            };
            drop(page);
            if !delivered {
                self.wait_for_room().await?;
            } else if head.number < joined_at.number {
                return Ok(false);
            } else {
                read = false;
            }
        }
        Ok(true)
    }

    /// Delivers a page, and says whether that is done: a watcher who takes it too slowly is
    /// delivered a part, and reads the rest again when it goes on, since pages take memory that
    /// others wait for.
    async fn deliver_page(&mut self, rows: &LogRows) -> Result<bool, End> {
        let (events, through) = self.in_step(rows);
        let held_until = Instant::now() + HOLD_MAX;
        let wanted = events.iter().filter(|event| self.watch.wants(event));
        let wanted: Vec<_> = wanted.cloned().collect();
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            if !self.has_room_by(held_until).await? {
                return Ok(false);
            }
            let (next, later) = rest.split_at(batch(rest.iter()));
            self.send_events(next.to_vec()).await?;
            rest = later;
        }
        self.position = through;
        if self.sent.elapsed() >= self.shared.settings.heartbeat_interval {
            self.send(Delivery::Heartbeat(self.position)).await?;
        }
        Ok(true)
    }

    /// What to deliver of a page: where more follow, only up to an event from which others go on
    /// reading, too, so that they can share what they read next.
    fn in_step<'a>(&self, rows: &'a LogRows) -> (&'a [Arc<LoggedEvent>], LogPosition) {
        let in_step = |position: LogPosition| position.number % STEP == 0;
        if rows.through == rows.head || in_step(self.position) || in_step(rows.through) {
            return (&rows.events, rows.through);
        }
        let last = rows
            .events
            .iter()
            .rposition(|event| in_step(event.position));
        match last {
            Some(last) => (&rows.events[..=last], rows.events[last].position),
            None => (&rows.events, rows.through),
        }
    }

    /// Delivers what the tail hands out; returns when the place has overflowed, or when the tail's
    /// history is gone, which the watcher's may not be: whether that is so.
    async fn follow(&mut self, membership: &Membership) -> Result<bool, End> {
        loop {
            match membership.place().next() {
                Next::Events(mut events) => {
                    let here = self.position;
                    let is_another = |event: &Arc<LoggedEvent>| {
                        event.position.number == here.number && event.position != here
                    };
                    if events.iter().any(is_another) {
                        // Another event where the watcher stands: another history.
                        return Err(Error::ResumeTokenExpired.into());
                    }
                    // What was read from the log before is not delivered again.
                    events.retain(|event| event.position.number > here.number);
                    self.send_events(events).await?;
                }
                Next::Overflowed => return Ok(false),
                Next::Ended(Error::ResumeTokenExpired) => return Ok(true),
                Next::Ended(error) => return Err(error.into()),
                Next::Nothing => {
                    tokio::select! {
                        () = membership.place().changed() => {}
                        () = tokio::time::sleep_until(self.due) => self.beat(membership).await?,
                        () = self.deliver.closed() => return Err(End::Gone),
                    }
                }
            }
        }
    }

    /// Tells a quiet watcher how far the log has been read, provided that it has been since.
    async fn beat(&mut self, membership: &Membership) -> Result<(), End> {
        let Some(quiet) = membership.quiet() else {
            return Ok(());
        };
        let interval = self.shared.settings.heartbeat_interval;
        if quiet.in_vain >= interval {
            let cause = io::Error::other("the log could not be read for a heartbeat interval");
            return Err(Error::DatabaseUnavailable(Arc::new(cause)).into());
        }
        if quiet.is_failing || quiet.looked < self.sent {
            self.due = Instant::now() + interval / 10;
            return Ok(());
        }
        if quiet.position.number > self.position.number {
            self.position = quiet.position;
        }
        self.send(Delivery::Heartbeat(self.position)).await
    }

    /// What is read, unless the process ends first: whoever is behind then is not waited for.
    async fn unless_closing<T>(&self, read: impl Future<Output = T>) -> Result<T, End> {
        let read = self.shared.closing.run_until_cancelled(read);
        read.await.ok_or(End::Because(Error::ShuttingDown))
    }

    /// Waits a little after a failed read; ends the watch once it has waited too long.
    async fn wait_to_read_again(&mut self, error: Error) -> Result<(), End> {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.shared.settings.heartbeat_interval {
            return Err(error.into());
        }
        self.pause().await
    }

    /// Waits a little before the log is read again.
    async fn pause(&self) -> Result<(), End> {
        tokio::select! {
            () = tokio::time::sleep(READ_AGAIN) => Ok(()),
            () = self.shared.closing.cancelled() => Err(Error::ShuttingDown.into()),
            () = self.deliver.closed() => Err(End::Gone),
        }
    }

    /// Waits until something can be sent at once, holding nothing meanwhile.
    async fn wait_for_room(&self) -> Result<(), End> {
        let stalled_at = Instant::now() + self.shared.settings.stall_timeout;
        if self.has_room_by(stalled_at).await? {
            return Ok(());
        }
        self.shared.metrics.feed.stalled.inc();
        Err(End::Gone)
    }

    /// Whether something can be sent at once, from now or some time until then on.
    async fn has_room_by(&self, then: Instant) -> Result<bool, End> {
        match tokio::time::timeout_at(then, self.deliver.reserve()).await {
            Ok(Ok(_room)) => Ok(true),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Ok(false),
        }
    }

    /// Delivers some events, and moves on.
    async fn send_events(&mut self, events: Vec<Arc<LoggedEvent>>) -> Result<(), End> {
        let Some(last) = events.last() else {
            return Ok(());
        };
        self.position = last.position;
        let count = events.len() as u64;
        self.send(Delivery::Events(events)).await?;
        self.shared.metrics.feed.delivered.inc_by(count);
        Ok(())
    }

    async fn send(&mut self, delivery: Delivery) -> Result<(), End> {
        // As a rule there is room, and no time to be watched.
        if let Err(refused) = self.deliver.try_send(Ok(delivery)) {
            let stall = self.shared.settings.stall_timeout;
            let sent = self.deliver.send_timeout(refused.into_inner(), stall);
            match sent.await {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(_)) => {
                    self.shared.metrics.feed.stalled.inc();
                    return Err(End::Gone);
                }
                Err(SendTimeoutError::Closed(_)) => return Err(End::Gone),
            }
        }
        self.sent = Instant::now();
        self.due = self.sent + self.shared.settings.heartbeat_interval;
        Ok(())
    }
}
