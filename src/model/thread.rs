//! Threads, and each participant's own relation to one.

use super::{ThreadId, Time, User, UserId};

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// What it is about.
    pub subject: String,
    /// When it was started.
    pub create_time: Time,
    /// When its messages or its subject last changed; nobody's reading or filing moves it.
    pub update_time: Time,
    /// Who started it.
    pub starter: UserId,
    /// The number of its newest message.
    pub message_count: i32,
}

/// Where a thread lies for one participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In the inbox.
    Inbox,
    /// Started by this participant, and not answered yet: in no folder but SENT and ALL.
    Started,
    /// In the deleted folder, for this participant alone.
    Deleted,
}

/// One user's part in one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Whose part it is.
    pub user: UserId,
    /// The place in the list of participants: the starter is 0, then the recipients as named.
    pub place: i32,
    /// Where the thread lies for this participant.
    pub placement: Placement,
    /// Since when it lies there.
    pub placement_time: Time,
    /// The read mark: the last number read, 0 for none.
    pub read_number: i32,
    /// Messages of others after the read mark.
    pub unread_count: i32,
    /// How many of the thread's messages this participant has sent.
    pub sent_count: i32,
    /// The number of the last message that this participant has sent, 0 for none.
    pub last_sent_number: i32,
    /// The log position of the thread's newest message; it orders this participant's folders.
    pub position: i64,
}

impl Participant {
    /// Whether others have written after the read mark.
    pub fn is_unread(&self) -> bool {
        self.unread_count > 0
    }

    /// Whether this participant has written in the thread.
    pub fn has_sent(&self) -> bool {
        self.sent_count > 0
    }
}

/// A thread with all that a command on it may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadState {
    /// The thread.
    pub thread: Thread,
    /// When its first message was sent.
    pub first_message_time: Time,
    /// Its newest message, as far as a view shows it.
    pub last_message: LastMessage,
    /// Who takes part, in their order.
    pub participants: Vec<Participant>,
}

/// What a view shows of a thread's newest message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastMessage {
    /// Who wrote it.
    pub sender: UserId,
    /// When it was sent.
    pub send_time: Time,
    /// Its first 200 characters.
    pub snippet: String,
}

/// A thread, as everybody who takes part sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSummary {
    /// Its id.
    pub id: ThreadId,
    /// What it is about.
    pub subject: String,
    /// When it was started.
    pub create_time: Time,
    /// When its messages or its subject last changed.
    pub update_time: Time,
    /// Who takes part: the starter, then the recipients as named.
    pub participants: Vec<User>,
    /// The number of its newest message.
    pub message_count: i32,
}

/// A thread, as one participant sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadView {
    /// What all participants see alike.
    pub thread: ThreadSummary,
    /// Where it lies for the viewer.
    pub placement: Placement,
    /// The viewer's read mark: the last number read, 0 for none.
    pub read_number: i32,
    /// Messages of others after the read mark.
    pub unread_count: i32,
    /// When the first message was sent.
    pub first_message_time: Time,
    /// When the newest message was sent.
    pub last_message_time: Time,
    /// Who sent the newest message.
    pub last_sender: User,
    /// The newest message's first 200 characters.
    pub snippet: String,
    /// Whether the viewer started the thread.
    pub started_by_viewer: bool,
}
