//! Messages and their former contents.

use super::{MessageId, ThreadId, Time, User, UserId};

/// A message, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The thread it stands in.
    pub thread: ThreadId,
    /// Its place in the thread: 1, 2, 3 …, without gaps.
    pub number: i32,
    /// Who wrote it.
    pub sender: UserId,
    /// How many messages its sender has written in the thread, this one counted.
    pub sender_count: i32,
    /// The position of its event in the tenant's log; it orders inboxes.
    pub position: i64,
    /// What it says now.
    pub content: String,
    /// When it was sent.
    pub send_time: Time,
    /// When it was last edited.
    pub edit_time: Option<Time>,
    /// 1, then one more for each edit.
    pub revision: i32,
}

/// What a message said before an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The message that was edited.
    pub message: MessageId,
    /// The revision that said so.
    pub revision: i32,
    /// What it said.
    pub content: String,
    /// When the edit replaced it.
    pub replace_time: Time,
}

/// A message, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// The thread it stands in.
    pub thread: ThreadId,
    /// Its place in the thread.
    pub number: i32,
    /// Who wrote it, as they are called now.
    pub sender: User,
    /// What it says now.
    pub content: String,
    /// When it was sent.
    pub send_time: Time,
    /// When it was last edited.
    pub edit_time: Option<Time>,
    /// 1, then one more for each edit.
    pub revision: i32,
}
