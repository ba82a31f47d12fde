//! What can be asked of the model, and what it answers.

/// What a deployment has settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) known_users_only: bool,
    pub(crate) show_started_threads: bool,
}

/// A message, by its thread and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageNo {
    pub(crate) thread: usize,
    pub(crate) number: i32,
}

/// What a caller asks to have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: any call makes its caller known.
    Meet,
    Send {
        recipients: Vec<String>,
        subject: String,
        content: String,
        request: Option<u32>,
    },
    Reply {
        thread: usize,
        content: String,
        subject: Option<String>,
        request: Option<u32>,
    },
    Edit {
        message: MessageNo,
        content: String,
        expected_revision: Option<i32>,
    },
    MarkRead {
        thread: usize,
        up_to_number: Option<i32>,
    },
    MarkUnread(usize),
    Delete(usize),
    Restore(usize),
}

/// The answer to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Met,
    Sent(MessageSeen, View),
    Edited(MessageSeen),
    Viewed(View),
}

/// Why something was turned down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    InvalidRequest,
    ThreadNotFound,
    MessageNotFound,
    RecipientsNotFound(Vec<String>),
    NotTheSender,
    RevisionStale { current: i32 },
    RequestIdReused,
}

/// Where a thread lies for one participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    Inbox,
    Started,
    Deleted,
}

/// What to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    Inbox,
    Unread,
    Sent,
    Deleted,
    All,
}

impl Folder {
    pub(crate) const EVERY: [Self; 5] = [
        Self::Inbox,
        Self::Unread,
        Self::Sent,
        Self::Deleted,
        Self::All,
    ];
}

/// The order of a thread's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

/// A message, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageSeen {
    pub(crate) name: MessageNo,
    pub(crate) sender: String,
    pub(crate) content: String,
    pub(crate) send_time: i64,
    pub(crate) edit_time: Option<i64>,
    pub(crate) revision: i32,
}

/// A thread, as all its participants see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadSeen {
    pub(crate) name: usize,
    pub(crate) subject: String,
    pub(crate) create_time: i64,
    pub(crate) update_time: i64,
    pub(crate) participants: Vec<String>,
    pub(crate) message_count: i32,
}

/// A thread, as one participant sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) thread: ThreadSeen,
    pub(crate) placement: Placement,
    pub(crate) unread: bool,
    pub(crate) unread_count: i32,
    pub(crate) read_number: i32,
    pub(crate) first_message_time: i64,
    pub(crate) last_message_time: i64,
    pub(crate) last_sender: String,
    pub(crate) snippet: String,
    pub(crate) started_by_viewer: bool,
}
