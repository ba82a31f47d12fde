//! The shapes of the statements' answers: JSON arrays, read in the order of their fields.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::{
    model::{
        Edition, EventId, EventKind, Fingerprint, LogPosition, Mailbox, MessageId, MessageView,
        Placement, Profile, Sizes, TenantId, TenantSummary, ThreadId, ThreadSummary, ThreadView,
        Time, User, UserId, UserRecord,
    },
    store::{Error, Result},
};

/// Reads an answer.
pub(super) fn parse<'de, Row: Deserialize<'de>>(json: &'de str) -> Result<Row> {
    serde_json::from_str(json).map_err(Error::defect)
}

/// An id: hexadecimal digits, with hyphens or without. SQLite writes an absent one as "".
#[derive(Clone, Copy)]
pub(super) struct Hex(pub(super) Option<Uuid>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        match text.as_deref() {
            None | Some("") => Ok(Self(None)),
            Some(text) => Uuid::try_parse(text)
                .map(|id| Self(Some(id)))
                .map_err(serde::de::Error::custom),
        }
    }
}

impl Hex {
    /// The id, which is there.
    pub(super) fn id(self) -> Uuid {
        self.0.unwrap_or_default()
    }
}

/// A list that is null where an aggregate saw no row.
pub(super) type List<T> = Option<Vec<T>>;

#[derive(Deserialize)]
pub(super) struct HeadRow(i64, Hex);

pub(super) fn head(row: Option<HeadRow>) -> LogPosition {
    row.map_or(LogPosition::START, |HeadRow(number, id)| LogPosition {
        number,
        event: EventId(id.id()),
    })
}

/// The edition of a user's pages.
#[derive(Deserialize)]
pub(super) struct EditionRow(Hex, i64);

impl EditionRow {
    /// None where there is no such event, whatever the reason: it is not known by anything then.
    pub(super) fn edition(self) -> Option<Edition> {
        let Self(event, profiles) = self;
        let event = EventId(event.0?);
        Some(Edition { event, profiles })
    }
}

/// Where the log ends, and how much the tenant then holds.
#[derive(Deserialize)]
pub(super) struct FullHeadRow(i64, Hex, Option<i64>, Option<i64>);

impl FullHeadRow {
    pub(super) fn parts(self) -> (LogPosition, Sizes) {
        let Self(number, id, threads, messages) = self;
        let sizes = Sizes {
            threads: threads.unwrap_or(0),
            messages: messages.unwrap_or(0),
        };
        (head(Some(HeadRow(number, id))), sizes)
    }
}

#[derive(Clone, Deserialize)]
pub(super) struct UserRow(pub(super) UserId, pub(super) Profile);

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.0,
            profile: row.1,
        }
    }
}

/// All that is kept of a user.
#[derive(Deserialize)]
pub(super) struct UserRecordRow {
    id: UserId,
    profile: Profile,
    known_time: Option<Time>,
    profile_time: Option<Time>,
    deactivated_time: Option<Time>,
}

impl From<UserRecordRow> for UserRecord {
    fn from(row: UserRecordRow) -> Self {
        Self {
            user: User {
                id: row.id,
                profile: row.profile,
            },
            known_time: row.known_time,
            profile_time: row.profile_time,
            deactivated_time: row.deactivated_time,
        }
    }
}

/// A tenant, and how much it holds: its name, its newest event (position, threads, messages), its
/// oldest position, its highest user.
#[derive(Deserialize)]
pub(super) struct TenantRow(
    TenantId,
    Option<(i64, Option<i64>, Option<i64>)>,
    Option<i64>,
    Option<i64>,
);

impl From<TenantRow> for TenantSummary {
    fn from(TenantRow(tenant, newest, oldest, users): TenantRow) -> Self {
        let (position, threads, messages) = newest.unwrap_or_default();
        Self {
            tenant,
            sizes: Sizes {
                threads: threads.unwrap_or(0),
                messages: messages.unwrap_or(0),
            },
            users: users.unwrap_or(0),
            // Positions have no gaps.
            events: oldest.map_or(0, |oldest| position - oldest + 1),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct MessageRow {
    id: Hex,
    thread: Hex,
    number: i32,
    sender: UserRow,
    content: Option<String>,
    send_time: Time,
    edit_time: Option<Time>,
    revision: i32,
}

impl MessageRow {
    /// The message; none where the page was full before its content.
    pub(super) fn view(self) -> Option<MessageView> {
        Some(MessageView {
            id: MessageId(self.id.id()),
            thread: ThreadId(self.thread.id()),
            number: self.number,
            sender: self.sender.into(),
            content: self.content?,
            send_time: self.send_time,
            edit_time: self.edit_time,
            revision: self.revision,
        })
    }
}

#[derive(Clone, Deserialize)]
pub(super) struct ThreadRow {
    pub(super) id: Hex,
    subject: String,
    create_time: Time,
    update_time: Time,
    message_count: i32,
    participants: List<UserRow>,
}

impl From<ThreadRow> for ThreadSummary {
    fn from(row: ThreadRow) -> Self {
        let participants = row.participants.unwrap_or_default();
        Self {
            id: ThreadId(row.id.id()),
            subject: row.subject,
            create_time: row.create_time,
            update_time: row.update_time,
            participants: participants.into_iter().map(User::from).collect(),
            message_count: row.message_count,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ViewRow {
    thread: ThreadRow,
    placement: i64,
    read_number: i32,
    unread_count: i32,
    first_message_time: Time,
    last_message_time: Time,
    last_sender: UserRow,
    snippet: String,
    started_by_viewer: i64,
}

impl ViewRow {
    pub(super) fn view(self) -> Result<ThreadView> {
        Ok(ThreadView {
            thread: self.thread.into(),
            placement: placement(self.placement)?,
            read_number: self.read_number,
            unread_count: self.unread_count,
            first_message_time: self.first_message_time,
            last_message_time: self.last_message_time,
            last_sender: self.last_sender.into(),
            snippet: self.snippet,
            started_by_viewer: self.started_by_viewer == 1,
        })
    }
}

pub(super) fn placement(number: i64) -> Result<Placement> {
    match number {
        1 => Ok(Placement::Inbox),
        2 => Ok(Placement::Started),
        3 => Ok(Placement::Deleted),
        other => Err(Error::defect(format!("a placement {other}"))),
    }
}

pub(super) fn placement_number(placement: Placement) -> i64 {
    match placement {
        Placement::Inbox => 1,
        Placement::Started => 2,
        Placement::Deleted => 3,
    }
}

/// An id, as a parameter writes it.
pub(super) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

pub(super) fn kind_number(kind: EventKind) -> i64 {
    match kind {
        EventKind::MessageSent => 1,
        EventKind::MessageEdited => 2,
        EventKind::ThreadChanged => 3,
    }
}

pub(super) fn kind(number: i64) -> Result<EventKind> {
    match number {
        1 => Ok(EventKind::MessageSent),
        2 => Ok(EventKind::MessageEdited),
        3 => Ok(EventKind::ThreadChanged),
        other => Err(Error::defect(format!("an event of kind {other}"))),
    }
}

pub(super) fn fingerprint_text(fingerprint: &Fingerprint) -> String {
    STANDARD_NO_PAD.encode(&fingerprint.0)
}

pub(super) fn fingerprint(text: &str) -> Result<Fingerprint> {
    let bytes = STANDARD_NO_PAD.decode(text);
    bytes.map(Fingerprint).map_err(Error::defect)
}

/// A user's counts.
#[derive(Deserialize)]
pub(super) struct SummaryAnswer {
    pub(super) head: Option<HeadRow>,
    pub(super) mailbox: Option<Mailbox>,
    pub(super) user: Option<UserRow>,
}

/// A point of the log.
#[derive(Deserialize)]
pub(super) struct PointAnswer {
    pub(super) event: Hex,
    pub(super) oldest: Option<i64>,
    pub(super) next_time: Option<Time>,
}

/// A page of the log.
#[derive(Deserialize)]
pub(super) struct LogAnswer {
    /// The id of the event at the position that was read from.
    pub(super) start: Hex,
    /// The position of the oldest event.
    pub(super) oldest: Option<i64>,
    pub(super) head: Option<HeadRow>,
    /// How many rows there were, before those over the page's bytes were left off.
    pub(super) scanned: usize,
    pub(super) events: List<EventRow>,
    /// The threads of the events that show one.
    pub(super) threads: List<ThreadRow>,
}

#[derive(Deserialize)]
pub(super) struct EventRow {
    pub(super) position: i64,
    pub(super) id: Hex,
    pub(super) kind: i64,
    pub(super) time: Time,
    pub(super) thread: Hex,
    pub(super) request_id: Hex,
    pub(super) actor: UserId,
    pub(super) audience: List<UserId>,
    pub(super) message: Option<MessageRow>,
    pub(super) view: Option<ViewRow>,
}

/// What a batch touches; nothing in the place of what was not found.
#[derive(Deserialize)]
pub(super) struct LoadAnswer {
    pub(super) head: Option<FullHeadRow>,
    pub(super) unlogged: Option<i64>,
    pub(super) highest_user: Option<i64>,
    pub(super) users: List<Option<KnownUserRow>>,
    pub(super) threads: List<Option<LoadedThreadRow>>,
    /// A list a thread.
    pub(super) participants: List<List<ParticipantRow>>,
    pub(super) messages: List<Option<LoadedMessageRow>>,
    pub(super) requests: List<Option<RequestRow>>,
    pub(super) sent_up_to: List<(UserId, Hex, i32, i32)>,
}

#[derive(Deserialize)]
pub(super) struct KnownUserRow {
    pub(super) number: i64,
    pub(super) record: UserRecordRow,
    pub(super) mailbox: Option<Mailbox>,
}

#[derive(Deserialize)]
pub(super) struct LoadedThreadRow {
    pub(super) id: Hex,
    pub(super) subject: String,
    pub(super) create_time: Time,
    pub(super) update_time: Time,
    pub(super) starter: i64,
    pub(super) message_count: i32,
    pub(super) last_sender: i64,
    pub(super) last_time: Time,
    pub(super) snippet: String,
}

#[derive(Deserialize)]
pub(super) struct ParticipantRow {
    pub(super) thread: Hex,
    pub(super) user: i64,
    pub(super) place: i32,
    pub(super) placement: i64,
    pub(super) placement_time: Time,
    pub(super) read_number: i32,
    pub(super) unread_count: i32,
    pub(super) sent_count: i32,
    pub(super) last_sent_number: i32,
    pub(super) position: i64,
}

#[derive(Deserialize)]
pub(super) struct LoadedMessageRow {
    pub(super) id: Hex,
    pub(super) thread: Hex,
    pub(super) number: i32,
    pub(super) sender: i64,
    pub(super) sender_count: i32,
    pub(super) position: i64,
    pub(super) content: String,
    pub(super) send_time: Time,
    pub(super) edit_time: Option<Time>,
    pub(super) revision: i32,
}

#[derive(Deserialize)]
pub(super) struct RequestRow {
    pub(super) user: i64,
    pub(super) request_id: Hex,
    pub(super) fingerprint: String,
    pub(super) message: Hex,
    pub(super) time: Time,
}
