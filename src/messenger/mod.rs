//! What a caller can do, one method per use case.
//!
//! A method reads as the story of its use case. Rules live in [`model`](crate::model), statements
//! in [`store`](crate::store); nothing here knows how a request arrived or what database there
//! is. [`writer`] carries out changes, [`feed`] tells of them, [`housekeeping`] removes what is no
//! longer kept.

mod administering;
mod error;
mod feed;
mod housekeeping;
mod importing;
mod reading;
mod writer;
mod writing;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

pub use self::{
    error::{Error, Source},
    feed::{Deliveries, Delivery, FeedSettings, Stay, Watch},
    reading::ReadThread,
    writer::{QueueLimits, QueueLoad},
};
use self::{feed::Feed, writer::Writer};
use crate::{
    metrics::Metrics,
    model::{
        Clock, Command, FingerprintKey, Ids, LogPosition, LogReader, Outcome, Policy, ProfileClaim,
        Refusal, TenantId, ThreadId, ThreadView, Time, UserId,
    },
    store::Store,
};

/// How many users a process remembers to be known, so that their calls write nothing.
const KNOWN_USERS: usize = 100_000;

/// How long a call waits for what its caller's newer token says to be stored.
const PROFILE_WAIT: Duration = Duration::from_secs(1);

/// Who is calling, in which tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The application.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
}

/// What a messenger needs.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What makes ids.
    pub ids: Arc<dyn Ids>,
    /// What the deployment has settled.
    pub policy: Policy,
    /// How much can wait to be written.
    pub queue_limits: QueueLimits,
    /// How the feed behaves.
    pub feed: FeedSettings,
    /// Where it is counted what happens.
    pub metrics: Arc<Metrics>,
}

/// Private threaded messaging, for all tenants of a deployment.
pub struct Messenger {
    store: Arc<dyn Store>,
    writer: Writer,
    feed: Feed,
    fingerprints: FingerprintKey,
    /// Users known to be stored, with what their profile is from.
    known: Arc<Cache<Caller, Option<Known>>>,
    closing: CancellationToken,
}

impl Messenger {
    /// Starts the writer, the feed and the housekeeping.
    #[must_use]
    pub fn start(parts: Parts) -> Arc<Self> {
        let (moved, heard) = mpsc::unbounded_channel();
        let writer = Writer::start(
            Arc::clone(&parts.store),
            Arc::clone(&parts.clock),
            parts.ids,
            parts.policy,
            parts.queue_limits,
            moved,
            Arc::clone(&parts.metrics),
        );
        let closing = CancellationToken::new();
        tokio::spawn(closing.clone().run_until_cancelled_owned(housekeeping::run(
            Arc::clone(&parts.store),
            Arc::clone(&parts.clock),
            writer.clone(),
            parts.feed.event_retention,
        )));
        let feed = Feed::start(
            Arc::clone(&parts.store),
            parts.clock,
            parts.feed,
            parts.metrics,
            heard,
        );
        Arc::new(Self {
            fingerprints: FingerprintKey(parts.store.secret()),
            store: parts.store,
            writer,
            feed,
            known: Arc::new(Cache::new(KNOWN_USERS)),
            closing,
        })
    }

    /// Watches what happens to a caller (or, for [`LogReader::Everyone`], to the whole tenant),
    /// after a position or from now on.
    pub async fn watch(
        &self,
        caller: &Caller,
        watch: Watch,
        from: Option<LogPosition>,
        stay: Stay,
    ) -> Result<Deliveries, Error> {
        self.meet(caller).await?;
        if let Some(thread) = watch.thread {
            self.check_thread(caller, thread, &watch.reader).await?;
        }
        let tenant = caller.tenant.clone();
        self.feed.watch(tenant, watch, from, stay).await
    }

    async fn check_thread(
        &self,
        caller: &Caller,
        thread: ThreadId,
        reader: &LogReader,
    ) -> Result<(), Error> {
        let participant = match reader {
            LogReader::Everyone => None,
            LogReader::User(user) => Some(user),
        };
        let found = self.store.has_thread(&caller.tenant, thread, participant);
        if found.await? {
            Ok(())
        } else {
            Err(Refusal::ThreadNotFound(thread).into())
        }
    }

    /// Takes no more changes, finishes those under way, and ends the watches after them. What the database
    /// does not answer is given up: writing after half of `patience`, and reading the log after a quarter.
    pub async fn close(&self, patience: Duration) {
        self.closing.cancel();
        if timeout(patience / 2, self.writer.close()).await.is_err() {
            tracing::warn!("what is being written was not done in time");
        }
        self.feed.close(patience / 4).await;
    }

    /// Makes a caller known, at their first call that this process sees.
    async fn meet(&self, caller: &Caller) -> Result<(), Error> {
        if self.known.get(caller).is_none() {
            let command = Command::Meet(caller.user.clone(), None);
            self.writer.submit(&caller.tenant, command).await?;
            self.known.insert(caller.clone(), None);
        }
        Ok(())
    }

    /// Keeps a caller's profile current: what a token says that is newer than the last one, or as new and
    /// another one, is stored when this returns. Only a caller's first call cannot go on without that; where it
    /// takes long for a later one, or fails, or another call is at it, that one does.
    pub async fn learn(&self, caller: &Caller, claim: &ProfileClaim) -> Result<(), Error> {
        let (known, new) = (self.known.get(caller), Known::by(claim));
        if let Some(Some(last)) = known
            && (last.time > new.time || last == new)
        {
            return Ok(());
        }
        let command = Command::Meet(caller.user.clone(), Some(claim.clone()));
        if known.is_none() {
            self.writer.submit(&caller.tenant, command).await?;
            self.known.insert(caller.clone(), Some(new));
            return Ok(());
        }
        self.known.insert(caller.clone(), Some(new));
        let (writer, caller) = (self.writer.clone(), caller.clone());
        let cache = Arc::clone(&self.known);
        // A task of its own, so that it is done whatever becomes of the call.
        let stored = tokio::spawn(async move {
            if let Err(error) = writer.submit(&caller.tenant, command).await {
                tracing::debug!(error = ?error, "a profile could not be stored");
                cache.insert(caller, None);
            }
        });
        let _ = timeout(PROFILE_WAIT, stored).await;
        Ok(())
    }

    /// Carries out a command, which makes its caller known besides.
    async fn carry_out(&self, caller: &Caller, command: Command) -> Result<Outcome, Error> {
        let outcome = self.writer.submit(&caller.tenant, command).await?;
        if self.known.get(caller).is_none() {
            self.known.insert(caller.clone(), None);
        }
        Ok(outcome)
    }

    /// Carries out a command that answers with the caller's view of a thread.
    async fn change_view(&self, caller: &Caller, command: Command) -> Result<ThreadView, Error> {
        match self.carry_out(caller, command).await? {
            Outcome::Viewed(view) => Ok(*view),
            other => Err(unexpected(&other)),
        }
    }
}

/// What a profile is from, without keeping it: when that was issued, and a hash of what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    time: Time,
    says: u64,
}

impl Known {
    fn by(claim: &ProfileClaim) -> Self {
        let mut hasher = DefaultHasher::new();
        claim.change.hash(&mut hasher);
        Self {
            time: claim.time,
            says: hasher.finish(),
        }
    }
}

/// An outcome that its command never has.
fn unexpected(outcome: &Outcome) -> Error {
    Error::internal(std::io::Error::other(format!(
        "a command came to {}",
        match outcome {
            Outcome::Met => "a meeting",
            Outcome::Sent(_) => "a message",
            Outcome::Edited(_) => "an edit",
            Outcome::Viewed(_) => "a view",
            Outcome::UsersChanged(_) => "users",
        }
    )))
}
