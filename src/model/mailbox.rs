//! A user's counts, kept with every change and never counted at read time.

use serde::{Deserialize, Serialize};

use super::{Folder, Participant, Placement};

/// How many threads and messages a user has, by where they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Threads in the inbox.
    pub inbox: i32,
    /// Threads in the inbox that are unread.
    pub unread: i32,
    /// Threads in which the user has sent something, and that are not deleted.
    pub sent: i32,
    /// Threads that the user has deleted.
    pub deleted: i32,
    /// Threads that the user takes part in, wherever they lie.
    pub all: i32,
    /// Unread messages in the inbox.
    pub unread_messages: i32,
}

impl Mailbox {
    /// What one thread adds to its participant's counts.
    fn of_one(participant: &Participant) -> Self {
        let in_inbox = participant.placement == Placement::Inbox;
        let deleted = participant.placement == Placement::Deleted;
        Self {
            inbox: in_inbox.into(),
            unread: (in_inbox && participant.is_unread()).into(),
            sent: (participant.has_sent() && !deleted).into(),
            deleted: deleted.into(),
            all: 1,
            unread_messages: if in_inbox {
                participant.unread_count
            } else {
                0
            },
        }
    }

    /// How many threads a folder lists.
    pub fn of(&self, folder: Folder) -> i32 {
        match folder {
            Folder::Inbox => self.inbox,
            Folder::Unread => self.unread,
            Folder::Sent => self.sent,
            Folder::Deleted => self.deleted,
            Folder::All => self.all,
        }
    }

    /// Counts a thread in.
    pub(super) fn add(&mut self, participant: &Participant) {
        self.change(&Self::of_one(participant), 1);
    }

    /// Counts a thread out.
    pub(super) fn remove(&mut self, participant: &Participant) {
        self.change(&Self::of_one(participant), -1);
    }

    fn change(&mut self, by: &Self, sign: i32) {
        self.inbox += sign * by.inbox;
        self.unread += sign * by.unread;
        self.sent += sign * by.sent;
        self.deleted += sign * by.deleted;
        self.all += sign * by.all;
        self.unread_messages += sign * by.unread_messages;
    }
}
