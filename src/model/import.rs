//! What another service's data come to, ready to be written.

use std::ops::AddAssign;

use super::{Content, MessageId, ProfileChange, Subject, ThreadId, Time, UserId};

/// A piece of an import: whole threads, or so many messages of one, in the order of the threads'
/// newest messages.
///
/// Ids follow from what is imported, so that what is there already is known again: carried out
/// twice, it changes nothing the second time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Users, who are known from then on.
    pub users: Vec<(UserId, ProfileChange)>,
    /// Threads, each of which may go on in a later piece.
    pub threads: Vec<ImportedThread>,
}

/// A thread, or so many messages of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedThread {
    /// Its id.
    pub id: ThreadId,
    /// What it is about.
    pub subject: Subject,
    /// When its messages or its subject last changed; not before its newest message.
    pub update_time: Time,
    /// When its newest message was sent, of this piece or a later one.
    pub newest_time: Time,
    /// Everybody who takes part or has written in it: the starter, then the others.
    pub participants: Vec<ImportedParticipant>,
    /// The messages, in their order.
    pub messages: Vec<ImportedMessage>,
}

/// A user's part in an imported thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedParticipant {
    /// Whose part it is.
    pub user: UserId,
    /// All that others have written since this user's own last message is unread.
    pub unread: bool,
    /// It lies in no inbox of this user's.
    pub deleted: bool,
}

/// A message to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedMessage {
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    pub sender: UserId,
    /// What it says.
    pub content: Content,
    /// When it was sent.
    pub send_time: Time,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Users who were not known before.
    pub users: u64,
    /// Threads that were not there before.
    pub threads: u64,
    /// Messages that were not there before.
    pub messages: u64,
    /// Messages that were there already.
    pub messages_there: u64,
    /// Messages that were left out: their thread was there already, and their senders take no part
    /// in it.
    pub messages_of_strangers: u64,
}

impl Import {
    /// How much text it brings, in bytes, about.
    pub fn text_bytes(&self) -> usize {
        let messages = self.threads.iter().flat_map(|thread| &thread.messages);
        messages.map(|message| message.content.as_str().len()).sum()
    }
}

impl AddAssign for Imported {
    fn add_assign(&mut self, other: Self) {
        self.users += other.users;
        self.threads += other.threads;
        self.messages += other.messages;
        self.messages_there += other.messages_there;
        self.messages_of_strangers += other.messages_of_strangers;
    }
}
