//! How lists are cut into pages, and where in the log a reader stands.

use super::EventId;

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

/// A point of a tenant's log: everything up to and including the event here has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogPosition {
    /// The position of the last event seen, 0 for none.
    pub number: i64,
    /// That event's id; nil where nothing has been seen.
    pub event: EventId,
}

impl LogPosition {
    /// Before the first event.
    pub const START: Self = Self {
        number: 0,
        event: EventId(uuid::Uuid::nil()),
    };
}
