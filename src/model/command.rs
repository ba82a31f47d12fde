//! What a caller can ask to have changed.

use std::collections::HashSet;

use super::{
    ChangeUsers, Content, Import, MessageId, ProfileClaim, RequestId, RequestKey, Subject,
    ThreadId, UserId,
};

/// A change that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Makes the caller known to the service, with what their token claims of them.
    Meet(UserId, Option<ProfileClaim>),
    /// Starts a thread.
    Send(Send),
    /// Appends to a thread.
    Reply(Reply),
    /// Replaces a message's content.
    Edit(Edit),
    /// Moves the read mark forward.
    MarkRead(MarkRead),
    /// Moves the read mark back to before the newest message of somebody else.
    MarkUnread(UserId, ThreadId),
    /// Puts a thread into the caller's deleted folder.
    Delete(UserId, ThreadId),
    /// Takes a thread out of the caller's deleted folder.
    Restore(UserId, ThreadId),
    /// Changes users, as an admin.
    ChangeUsers(ChangeUsers),
}

/// What a user is reckoned at, so that a batch holds no more of them than of other rows.
const USER_BYTES: usize = 1_024;

/// Starts a thread with its first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Who sends.
    pub caller: UserId,
    /// To whom, each once; the caller only where alone (a note to oneself).
    pub recipients: Vec<UserId>,
    /// What the thread is about.
    pub subject: Subject,
    /// What the message says.
    pub content: Content,
    /// The id that makes it safe to retry.
    pub request: Option<RequestKey>,
}

impl Send {
    /// How many others a thread can be started with.
    pub const RECIPIENTS_MAX: usize = 100;

    /// The recipients as they come to: each once, and the caller only where alone.
    pub fn distinct_recipients(
        caller: &UserId,
        named: impl IntoIterator<Item = UserId>,
    ) -> Vec<UserId> {
        let mut seen = HashSet::new();
        let mut recipients: Vec<UserId> = named
            .into_iter()
            .filter(|recipient| seen.insert(recipient.clone()))
            .collect();
        if recipients.len() > 1 {
            recipients.retain(|recipient| recipient != caller);
        }
        recipients
    }
}

/// Appends a message to a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who replies.
    pub caller: UserId,
    /// The thread.
    pub thread: ThreadId,
    /// What the message says.
    pub content: Content,
    /// The thread's new subject; absent keeps the old one.
    pub subject: Option<Subject>,
    /// The id that makes it safe to retry.
    pub request: Option<RequestKey>,
}

/// Replaces a message's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Who edits.
    pub caller: UserId,
    /// The message.
    pub message: MessageId,
    /// What it is to say.
    pub content: Content,
    /// The revision that the caller has read; absent: whichever.
    pub expected_revision: Option<i32>,
}

/// Moves the caller's read mark forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRead {
    /// Whose mark.
    pub caller: UserId,
    /// The thread.
    pub thread: ThreadId,
    /// The last number read; absent, or past the end: all.
    pub up_to_number: Option<i32>,
}

/// The rows that commands touch: what has to be loaded before they can be decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Users, by id.
    pub users: HashSet<UserId>,
    /// Threads, with their participants.
    pub threads: HashSet<ThreadId>,
    /// Messages, with their threads.
    pub messages: HashSet<MessageId>,
    /// Requests carried out before, with their messages.
    pub requests: HashSet<(UserId, RequestId)>,
    /// How many messages a user had sent in a thread up to a number.
    pub sent_up_to: HashSet<(UserId, ThreadId, i32)>,
}

impl Needs {
    /// Adds what one more command touches.
    pub fn add(&mut self, command: &Command) {
        self.users.insert(command.caller().clone());
        match command {
            Command::Meet(..) => {}
            Command::ChangeUsers(users) => {
                self.users.extend(users.change.users().into_iter().cloned());
            }
            Command::Send(send) => {
                self.users.extend(send.recipients.iter().cloned());
                self.add_request(&send.caller, send.request.as_ref());
            }
            Command::Reply(reply) => {
                self.threads.insert(reply.thread);
                self.add_request(&reply.caller, reply.request.as_ref());
            }
            Command::Edit(edit) => {
                self.messages.insert(edit.message);
            }
            Command::MarkRead(mark) => {
                self.threads.insert(mark.thread);
                if let Some(number) = mark.up_to_number {
                    self.sent_up_to
                        .insert((mark.caller.clone(), mark.thread, number));
                }
            }
            Command::MarkUnread(_, thread)
            | Command::Delete(_, thread)
            | Command::Restore(_, thread) => {
                self.threads.insert(*thread);
            }
        }
    }

    /// Adds what an import touches.
    pub fn add_import(&mut self, import: &Import) {
        self.users
            .extend(import.users.iter().map(|(id, _)| id.clone()));
        for thread in &import.threads {
            let participants = thread.participants.iter();
            self.users
                .extend(participants.map(|participant| participant.user.clone()));
            self.threads.insert(thread.id);
            self.messages
                .extend(thread.messages.iter().map(|message| message.id));
        }
    }

    fn add_request(&mut self, caller: &UserId, request: Option<&RequestKey>) {
        self.requests
            .extend(request.map(|request| (caller.clone(), request.id)));
    }
}

impl Command {
    /// Who asks.
    pub fn caller(&self) -> &UserId {
        match self {
            Self::Send(send) => &send.caller,
            Self::Reply(reply) => &reply.caller,
            Self::Edit(edit) => &edit.caller,
            Self::MarkRead(mark) => &mark.caller,
            Self::ChangeUsers(users) => &users.caller,
            Self::Meet(caller, _)
            | Self::MarkUnread(caller, _)
            | Self::Delete(caller, _)
            | Self::Restore(caller, _) => caller,
        }
    }

    /// How much text it brings, in bytes, about.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Send(send) => send.content.as_str().len(),
            Self::Reply(reply) => reply.content.as_str().len(),
            Self::Edit(edit) => edit.content.as_str().len(),
            Self::ChangeUsers(users) => users.change.users().len() * USER_BYTES,
            _ => 0,
        }
    }
}
