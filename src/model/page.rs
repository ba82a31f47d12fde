//! How lists are cut into pages, and what a page holds.

use super::{LogPosition, Mailbox, MessageView, ThreadId, ThreadView, User, UserId};

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Folder {
    /// What lies in the inbox.
    Inbox,
    /// The inbox's unread.
    Unread,
    /// Threads in which the caller has sent something, and that are not deleted.
    Sent,
    /// What the caller has deleted.
    Deleted,
    /// Everything.
    All,
}

/// The order of a thread's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageOrder {
    /// By number.
    OldestFirst,
    /// By number, backwards.
    NewestFirst,
}

/// Which way a page is read from its starting point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What follows.
    Forward,
    /// What precedes, shown in the list's own order all the same.
    Backward,
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

impl ThreadPage {
    /// Whether it is read towards higher numbers.
    pub fn is_upwards(&self) -> bool {
        matches!(
            (self.order, self.direction),
            (MessageOrder::OldestFirst, Direction::Forward)
                | (MessageOrder::NewestFirst, Direction::Backward)
        )
    }
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
