//! The log as its readers see it: from a position on, each event with what it tells of.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{
    EventId, EventKind, MessageView, RequestId, ThreadId, ThreadSummary, ThreadView, Time, User,
    UserId,
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
    /// How much a page weighs at most, in KiB: it ends before the event that would be too much, if it has one before.
    ///
    /// Enough for 1 MiB of contents and one more, and 256 events with a subject and some forty participants
    /// whose names are short.
    pub const KIB_MAX: u32 = 5 * 1024;

    /// The same in bytes.
    pub const WEIGHT_MAX: usize = 1024 * Self::KIB_MAX as usize;

    /// About how many bytes it takes in memory.
    pub fn weight(&self) -> usize {
        match self {
            Self::Read(rows) => rows.events.iter().map(|event| event.weight).sum(),
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
    weight: usize,
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
    /// An event that was read, and has been sent to nobody.
    pub fn new(position: LogPosition, time: Time, audience: Vec<UserId>, body: EventBody) -> Self {
        Self {
            weight: body.weight() + audience.iter().map(name_weight).sum::<usize>(),
            position,
            time,
            audience,
            body,
            encodings: Encodings::default(),
        }
    }

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
        self.weight
    }
}

impl EventBody {
    fn weight(&self) -> usize {
        let (text, person, thread, recipients) = match self {
            Self::MessageSent {
                message,
                thread,
                recipients,
                ..
            } => (
                &message.content,
                &message.sender,
                thread,
                recipients.as_slice(),
            ),
            Self::MessageEdited { message, thread } => {
                (&message.content, &message.sender, thread, [].as_slice())
            }
            Self::ThreadChanged { view, .. } => (
                &view.snippet,
                &view.last_sender,
                &view.thread,
                [].as_slice(),
            ),
        };
        let people = thread.participants.iter().map(person_weight);
        let people = person_weight(person) + people.sum::<usize>();
        let names = recipients.iter().map(name_weight).sum::<usize>();
        2 * (text.len() + thread.subject.len() + people + names)
    }
}

fn person_weight(User { id, profile }: &User) -> usize {
    let texts = [&profile.first_name, &profile.last_name, &profile.email];
    size_of::<User>() + id.as_str().len() + texts.map(String::len).iter().sum::<usize>()
}

fn name_weight(id: &UserId) -> usize {
    size_of::<UserId>() + id.as_str().len()
}
