//! How lists are cut into pages, and what a page holds.

use super::{EventId, LogPosition, Mailbox, MessageView, ThreadId, ThreadView, User, UserId};

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

/// What all pages of a user were read at: as long as it is the same, so is each of them (a strong
/// validator, as HTTP has it in RFC 9110, section 8.8).
///
/// Whatever changes a page is told to the user by an event, or is marked with the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// The newest event that tells the user of something.
    pub event: EventId,
    /// What marks the last change that pages show and no event tells of, such as of a name.
    pub profiles: i64,
}

/// What comes of reading a page that may be known in some edition already.
#[derive(Clone, Debug)]
pub struct PageRead<Page> {
    /// Where the log ended when this was read.
    pub head: LogPosition,
    /// The edition; none where no event is kept that tells the user of something, or the page is of no
    /// one moment.
    pub edition: Option<Edition>,
    /// The page; none where it is known in this edition.
    pub page: Option<Page>,
}

/// Which page of a user's threads to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// The thread, as the reader sees it.
    pub view: ThreadView,
    /// The messages.
    pub messages: Vec<MessageView>,
    /// Whether more follow in the direction of reading.
    pub more: bool,
    /// Whether some lie behind the first one, against the direction of reading.
    pub behind: bool,
}

impl ThreadRows {
    /// The highest number of its messages, if that is after the reader's mark.
    pub fn unread_up_to(&self) -> Option<i32> {
        let numbers = self.messages.iter().map(|message| message.number);
        numbers
            .max()
            .filter(|highest| *highest > self.view.read_number)
    }
}
