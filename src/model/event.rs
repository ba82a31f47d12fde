//! The log: what happened, in the one order in which it happened.

use super::{EventId, LogPosition, MessageId, RequestId, ThreadId, Time, UserId};

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A message was sent: a new thread's first, or a reply.
    MessageSent,
    /// A message's content was replaced.
    MessageEdited,
    /// One participant's own view of a thread changed: read, unread, deleted, restored.
    ThreadChanged,
}

/// An event, as it is written: who is told of it is decided here and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its position in the tenant's log: 1, 2, 3 …, without gaps.
    pub position: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When it was written.
    pub time: Time,
    /// The thread that it happened in.
    pub thread: ThreadId,
    /// The message that was sent or edited.
    pub message: Option<MessageId>,
    /// Whose doing it was, and for [`EventKind::ThreadChanged`] also whose view.
    pub actor: UserId,
    /// The request id of the call that made it.
    pub request_id: Option<RequestId>,
    /// Who is told.
    pub audience: Vec<UserId>,
}

impl Event {
    /// The point of the log that it is.
    pub fn log_position(&self) -> LogPosition {
        LogPosition {
            number: self.position,
            event: self.id,
        }
    }
}

/// A set of kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKinds(u8);

impl EventKinds {
    /// Every kind, those of later versions too.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether the set holds this kind.
    pub fn contains(self, kind: EventKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    fn bit(kind: EventKind) -> u8 {
        1 << kind as u8
    }
}

impl FromIterator<EventKind> for EventKinds {
    fn from_iter<T: IntoIterator<Item = EventKind>>(kinds: T) -> Self {
        Self(
            kinds
                .into_iter()
                .map(Self::bit)
                .fold(0, |set, bit| set | bit),
        )
    }
}
