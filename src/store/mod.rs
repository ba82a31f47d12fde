//! What is kept, and how it is read: the only module that knows of a database.
//!
//! A write is a [`Transaction`]: it takes a tenant's turn, loads what a batch of commands
//! touches, saves what they changed, and commits. A read is one call of [`Store`], which answers
//! from one snapshot. Nothing here decides anything, and nothing here knows who calls.

mod check;
mod connect;
mod error;
mod lock;
mod sql;

use async_trait::async_trait;

pub use check::{Disagreement, Report, check};
pub use connect::{Address, OpenError, migrate, open};
pub use error::{Error, Result};

use crate::model::{
    Changes, Direction, EventKind, Folder, Loaded, LogPosition, Mailbox, MessageOrder, MessageView,
    Needs, RequestId, TenantId, ThreadId, ThreadSummary, ThreadView, Time, User, UserId,
};

/// A database that holds the rows of every tenant.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The deployment's secret for tokens and fingerprints, the same for all replicas.
    fn secret(&self) -> [u8; 32];

    /// How writes share the database.
    fn writing(&self) -> Writing;

    /// Begins a transaction that is going to write.
    async fn begin(&self) -> Result<Box<dyn Transaction>>;

    /// A page of one user's threads, with the user's counts.
    async fn inbox_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: InboxPage,
    ) -> Result<InboxRows>;

    /// A user's counts.
    async fn summary(&self, tenant: &TenantId, user: &UserId) -> Result<Summary>;

    /// A page of a thread's messages; none to whoever takes no part in it.
    async fn thread_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &ThreadPage,
    ) -> Result<Option<ThreadRows>>;

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

    /// The tenants that hold something which [`Transaction::expire`] would remove.
    async fn tenants_to_expire(&self, expiry: Expiry) -> Result<Vec<TenantId>>;

    /// Tells the other replicas that these tenants' logs have grown; best effort.
    async fn announce(&self, tenants: &[TenantId]) -> Result<()>;

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

    /// Whether the log holds this very event.
    async fn holds_event(&mut self, tenant: &TenantId, position: LogPosition) -> Result<bool>;

    /// Makes it durable. On any error the outcome is unknown.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Gives it up, and the turns with it.
    async fn roll_back(self: Box<Self>);
}

/// What is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Events older than this go, except the newest of them.
    pub events_before: Time,
    /// Request ids older than this go.
    pub requests_before: Time,
}

/// Which page of a user's threads to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxPage {
    /// Which threads.
    pub folder: Folder,
    /// Which way to read.
    pub direction: Direction,
    /// The log position, exclusive, to read from; none: the list's start.
    pub from: Option<i64>,
    /// How many threads to leap over first.
    pub skip: u32,
    /// How many to return at most.
    pub size: u32,
}

/// A page of a user's threads, in the order of reading.
#[derive(Clone, Debug)]
pub struct InboxRows {
    /// Where the log ended when this was read.
    pub head: LogPosition,
    /// The user's counts.
    pub mailbox: Mailbox,
    /// The threads, each with the position that orders it.
    pub threads: Vec<(i64, ThreadView)>,
    /// Whether more follow in the direction of reading.
    pub more: bool,
    /// Whether some lie behind the first one, against the direction of reading.
    pub behind: bool,
}

/// A user's counts.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Where the log ended when this was read.
    pub head: LogPosition,
    /// The counts.
    pub mailbox: Mailbox,
    /// The user, as others see them.
    pub user: User,
}

/// Which page of a thread to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadPage {
    /// The thread.
    pub thread: ThreadId,
    /// The order of its messages.
    pub order: MessageOrder,
    /// Which way to read.
    pub direction: Direction,
    /// The number, exclusive, to read from; none: the start of the order.
    pub from: Option<i32>,
    /// Whose messages to leave out.
    pub exclude_sender: Option<UserId>,
    /// How many to return at most.
    pub size: u32,
}

/// A page of a thread's messages, in the order of reading.
#[derive(Clone, Debug)]
pub struct ThreadRows {
    /// Where the log ended when this was read.
    pub head: LogPosition,
    /// The thread, as the reader sees it.
    pub view: ThreadView,
    /// The messages.
    pub messages: Vec<MessageView>,
    /// Whether more follow in the direction of reading.
    pub more: bool,
    /// Whether some lie behind the first one, against the direction of reading.
    pub behind: bool,
}

/// Whose log to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogReader {
    /// All events.
    Everyone,
    /// The events that this user is told of.
    User(UserId),
}

/// What follows a position of the log.
#[derive(Clone, Debug)]
pub enum LogPage {
    /// The log no longer holds that position, or never did.
    Expired,
    /// What follows.
    Read(LogRows),
}

/// A piece of the log, bounded in rows and in bytes.
#[derive(Clone, Debug)]
pub struct LogRows {
    /// The events that the reader is told of, in order.
    pub events: Vec<LoggedEvent>,
    /// How far this goes: everything for the reader up to here is among `events`.
    pub through: LogPosition,
    /// Where the log ended when this was read.
    pub head: LogPosition,
}

/// An event, with its message and thread as they are when it is read.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// Where it stands in the log.
    pub position: LogPosition,
    /// When it was written.
    pub time: Time,
    /// Who is told of it.
    pub audience: Vec<UserId>,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventBody {
    /// A message was sent.
    MessageSent {
        /// The message.
        message: MessageView,
        /// Its thread.
        thread: ThreadSummary,
        /// Those who took part when it was sent, without the sender, in their order.
        recipients: Vec<UserId>,
        /// The request id of the call that sent it.
        request_id: Option<RequestId>,
    },
    /// A message was edited.
    MessageEdited {
        /// The message.
        message: MessageView,
        /// Its thread.
        thread: ThreadSummary,
    },
    /// A participant's view of a thread changed.
    ThreadChanged {
        /// The thread, as that participant sees it.
        view: ThreadView,
        /// Whose view.
        user: UserId,
    },
}

impl LoggedEvent {
    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self.body {
            EventBody::MessageSent { .. } => EventKind::MessageSent,
            EventBody::MessageEdited { .. } => EventKind::MessageEdited,
            EventBody::ThreadChanged { .. } => EventKind::ThreadChanged,
        }
    }

    /// The thread that it happened in.
    pub fn thread(&self) -> ThreadId {
        match &self.body {
            EventBody::MessageSent { thread, .. } | EventBody::MessageEdited { thread, .. } => {
                thread.id
            }
            EventBody::ThreadChanged { view, .. } => view.thread.id,
        }
    }
}
