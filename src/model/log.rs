//! The log as its readers see it: from a position on, each event with what it tells of.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{
    EventId, EventKind, MessageView, RequestId, ThreadId, ThreadSummary, ThreadView, Time, UserId,
};

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

/// Whose log to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

impl LogPage {
    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        match self {
            Self::Read(rows) => rows.events.iter().map(|event| event.weight()).sum(),
            Self::Expired => 0,
        }
    }
}

/// A piece of the log, bounded in rows and in bytes.
#[derive(Clone, Debug)]
pub struct LogRows {
    /// The events that the reader is told of, in order.
    pub events: Vec<Arc<LoggedEvent>>,
    /// How far this goes: everything for the reader up to here is among `events`.
    pub through: LogPosition,
    /// Where the log ended when this was read.
    pub head: LogPosition,
}

/// An event, with its message and thread as they are when it is read.
#[derive(Debug)]
pub struct LoggedEvent {
    /// Where it stands in the log.
    pub position: LogPosition,
    /// When it was written.
    pub time: Time,
    /// Who is told of it.
    pub audience: Vec<UserId>,
    /// What happened.
    pub body: EventBody,
    /// What its readers are sent.
    pub encodings: Encodings,
}

/// What the readers of an event are sent, made once for all who are told the same: the sender, who
/// is told the request id, and everybody else.
///
/// It goes with what was read, and not with the event: read again, an event may tell of a message
/// that has been edited since.
#[derive(Debug, Default)]
pub struct Encodings {
    to_sender: OnceLock<Bytes>,
    to_others: OnceLock<Bytes>,
}

impl Encodings {
    /// What the sender or everybody else is sent, made now where it has not been.
    pub fn of(&self, to_sender: bool, encode: impl FnOnce() -> Bytes) -> Bytes {
        let encoding = if to_sender {
            &self.to_sender
        } else {
            &self.to_others
        };
        encoding.get_or_init(encode).clone()
    }
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

    /// About how many bytes it takes in memory, as it is read and as it is sent.
    pub fn weight(&self) -> usize {
        const PERSON: usize = 128;
        let (content, thread) = match &self.body {
            EventBody::MessageSent {
                message, thread, ..
            }
            | EventBody::MessageEdited { message, thread } => (message.content.len(), thread),
            EventBody::ThreadChanged { view, .. } => (view.snippet.len(), &view.thread),
        };
        2 * (content + thread.subject.len() + PERSON * (1 + thread.participants.len()))
    }
}
