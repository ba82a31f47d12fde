//! What is kept, and how it is read: the only module that knows of a database.
//!
//! A write is a [`Transaction`]: it takes a tenant's turn, loads what a batch of commands
//! touches, saves what they changed, and commits; or it is [`Optimistic`], and takes no turn. A read is
//! one call of [`Store`], which answers from one snapshot. Nothing here decides anything, and nothing
//! here knows who calls.

mod check;
mod connect;
mod connection;
mod error;
mod lock;
mod repair;
mod sql;

use async_trait::async_trait;

pub use check::{Disagreement, Report, check};
pub use connect::{Address, OpenError, migrate, missing_migrations, open};
pub use error::{Error, Result};
pub use repair::{Repaired, repair};

use crate::model::{
    Changes, Edition, InboxPage, InboxRows, Loaded, LogPage, LogPosition, LogReader, Needs,
    PageRead, Summary, TenantId, TenantPage, TenantSummary, ThreadId, ThreadPage, ThreadRows, Time,
    UserId, UserRows,
};

/// A database that holds the rows of every tenant.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The deployment's secret for tokens and fingerprints, the same for all replicas.
    fn secret(&self) -> [u8; 32];

    /// What the operator should know of how the database is set up.
    fn concern(&self) -> Option<String>;

    /// How writes share the database.
    fn writing(&self) -> Writing;

    /// Begins a transaction that is going to write.
    async fn begin(&self) -> Result<Box<dyn Transaction>>;

    /// Begins a write that takes no turn; none where the database cannot save in one statement.
    async fn optimistic(&self) -> Result<Option<Box<dyn Optimistic>>>;

    /// Takes what was committed from a log into the database's own file, where that is due. To be done
    /// between transactions, when everybody has been answered: it may take long on a slow disk.
    async fn take_in(&self);

    /// A page of one user's threads, with the user's counts; not where it is known in the edition that
    /// there is.
    async fn inbox_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: InboxPage,
        known: Option<Edition>,
    ) -> Result<PageRead<InboxRows>>;

    /// A user's counts.
    async fn summary(&self, tenant: &TenantId, user: &UserId) -> Result<Summary>;

    /// So many of a tenant's users, in the order in which it heard of them, after a place (0: from
    /// the first on).
    async fn users(&self, tenant: &TenantId, after: i64, size: u32) -> Result<UserRows>;

    /// How much tenants hold; whether more of them follow. Nothing is counted.
    async fn tenants(&self, page: &TenantPage) -> Result<(Vec<TenantSummary>, bool)>;

    /// The same of a thread's messages; none to whoever takes no part in it.
    async fn thread_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &ThreadPage,
        known: Option<Edition>,
    ) -> Result<Option<PageRead<ThreadRows>>>;

    /// Whether a thread exists, and a user takes part in it where one is named.
    async fn has_thread(
        &self,
        tenant: &TenantId,
        thread: ThreadId,
        participant: Option<&UserId>,
    ) -> Result<bool>;

    /// Whether the log still goes on from a position, and the first event after it is not older
    /// than this.
    async fn log_goes_on(&self, tenant: &TenantId, from: LogPosition, oldest: Time)
    -> Result<bool>;

    /// What follows a position of the log.
    async fn log_page(
        &self,
        tenant: &TenantId,
        after: LogPosition,
        reader: &LogReader,
    ) -> Result<LogPage>;

    /// The newest positions of several tenants' logs, in any order; a tenant without one is at
    /// [`LogPosition::START`].
    async fn log_heads(&self, tenants: &[TenantId]) -> Result<Vec<(TenantId, LogPosition)>>;

    /// Of a bounded number of tenants, by name, after this one: those that hold something which
    /// [`Transaction::expire`] would remove. Also the last one that was looked at; none where there are no more.
    async fn tenants_to_expire(
        &self,
        after: Option<&TenantId>,
        expiry: Expiry,
    ) -> Result<(Vec<TenantId>, Option<TenantId>)>;

    /// Tells the other replicas, where there are any, that these tenants' logs have grown; best effort.
    async fn announce(&self, tenants: &[TenantId]) -> Result<()>;

    /// Closes the connections, and lets go of a file's lock.
    async fn close(&self);

    /// Waits until another replica announces something; `None`: any tenant may have moved.
    ///
    /// Where the database cannot carry announcements this never ends.
    async fn announced(&self) -> Option<Vec<TenantId>>;
}

/// How writes share a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// One transaction at a time, which carries all tenants that wait.
    OneForAll,
    /// A transaction carries one tenant, and up to so many run side by side.
    SideBySide(usize),
}

/// A transaction that writes.
///
/// Dropped, it is rolled back.
#[async_trait]
pub trait Transaction: Send {
    /// Waits for a tenant's turn and holds it until the end of the transaction.
    ///
    /// A statement of its own, before [`load`](Self::load): a statement sees what was committed
    /// when it began, and not when its waiting ended.
    async fn take_turn(&mut self, tenant: &TenantId) -> Result<()>;

    /// Loads what a batch touches, in a fixed number of statements.
    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded>;

    /// Saves what a batch changed, in a fixed number of statements.
    async fn save(&mut self, tenant: &TenantId, changes: &Changes<'_>) -> Result<()>;

    /// Removes the oldest of what is no longer kept, a bounded piece; says whether more is left.
    async fn expire(&mut self, tenant: &TenantId, expiry: Expiry) -> Result<bool>;

    /// Whether the log holds this very event. None: its position's event has been removed, and
    /// which one that was cannot be learned any more.
    async fn holds_event(
        &mut self,
        tenant: &TenantId,
        position: LogPosition,
    ) -> Result<Option<bool>>;

    /// Makes it durable. On any error but [`Error::Full`] the outcome is unknown.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Gives it up, and the turns with it.
    async fn roll_back(self: Box<Self>);
}

/// A write that takes no turn (optimistic concurrency control): what it has loaded may be outdated by
/// the time that it saves, which it finds out. It takes two round trips, or one where what it loads is
/// remembered; a [`Transaction`] takes five.
///
/// It is outdated where the tenant's newest event, or the mark of the last change that no event tells of, is
/// another one than was loaded. Whoever makes such a change takes the turn.
#[async_trait]
pub trait Optimistic: Send {
    /// Loads what a batch touches, in a fixed number of statements. What this process has read or
    /// written before may be remembered instead.
    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded>;

    /// Whether what was loaded was so at one moment since [`load`](Self::load) was called. Who saves
    /// nothing asks.
    async fn holds(&mut self, tenant: &TenantId) -> Result<bool>;

    /// Saves what a batch changed, and makes it durable, if what was loaded is still so and nobody has
    /// the tenant's turn. If not, or if the database refuses it, nothing has happened: it takes the
    /// turn to learn more.
    ///
    /// An error leaves the outcome unknown, also for later: a statement that was lost on its way can
    /// still arrive, and is carried out if the log has not gone on.
    async fn save(self: Box<Self>, tenant: &TenantId, changes: &Changes<'_>) -> Result<bool>;
}

/// What is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Events older than this go, except the newest of them.
    pub events_before: Time,
    /// Request ids older than this go.
    pub requests_before: Time,
}
