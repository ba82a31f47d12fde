//! From the model's words to the service's, and back.

use letterbox::model::{
    Command, Content, Edit, FingerprintKey, MarkRead, MessageId, MessageView, Outcome, Reply,
    RequestId, RequestKey, Send, Subject, ThreadId, ThreadSummary, ThreadView, User, UserId,
};
use uuid::Uuid;

use super::{
    reference::{self, Action, Answer, MessageSeen, Names, ThreadSeen, View},
    rows::Rows,
};

/// What the service calls what the model knows, and which users have rows.
pub(crate) struct Words<'a> {
    pub(crate) names: &'a mut Names,
    pub(crate) rows: &'a Rows,
}

/// What the service is asked where the model is asked for an action.
pub(crate) fn command(names: &Names, caller: &str, action: &Action) -> Command {
    let caller = user_id(caller);
    match action.clone() {
        Action::Meet => Command::Meet(caller, None),
        Action::Send {
            recipients,
            subject,
            content,
            request,
        } => {
            let recipients = recipients.iter().map(|recipient| user_id(recipient));
            let mut send = Send {
                recipients: Send::distinct_recipients(&caller, recipients),
                caller,
                subject: Subject::parse(subject).expect("a good subject"),
                content: Content::parse(content).expect("a good content"),
                request: None,
            };
            send.request = request.map(|id| RequestKey {
                id: request_id(id),
                fingerprint: KEY.of_send(&send),
            });
            Command::Send(send)
        }
        Action::Reply {
            thread,
            content,
            subject,
            request,
        } => {
            let subject = subject.map(|text| Subject::parse(text).expect("a good subject"));
            let mut reply = Reply {
                caller,
                thread: ThreadId(names.thread_id(thread)),
                content: Content::parse(content).expect("a good content"),
                subject,
                request: None,
            };
            reply.request = request.map(|id| RequestKey {
                id: request_id(id),
                fingerprint: KEY.of_reply(&reply),
            });
            Command::Reply(reply)
        }
        Action::Edit {
            message,
            content,
            expected_revision,
        } => Command::Edit(Edit {
            caller,
            message: MessageId(names.message_id(message)),
            content: Content::parse(content).expect("a good content"),
            expected_revision,
        }),
        Action::MarkRead {
            thread,
            up_to_number,
        } => Command::MarkRead(MarkRead {
            caller,
            thread: ThreadId(names.thread_id(thread)),
            up_to_number,
        }),
        Action::MarkUnread(thread) => {
            Command::MarkUnread(caller, ThreadId(names.thread_id(thread)))
        }
        Action::Delete(thread) => Command::Delete(caller, ThreadId(names.thread_id(thread))),
        Action::Restore(thread) => Command::Restore(caller, ThreadId(names.thread_id(thread))),
    }
}

const KEY: FingerprintKey = FingerprintKey([7; 32]);

pub(crate) fn user_id(name: &str) -> UserId {
    UserId::parse(name).expect("a good user id")
}

pub(crate) fn request_id(number: u32) -> RequestId {
    RequestId(Uuid::from_u128(number.into()))
}

pub(crate) fn placement(placement: letterbox::model::Placement) -> reference::Placement {
    match placement {
        letterbox::model::Placement::Inbox => reference::Placement::Inbox,
        letterbox::model::Placement::Started => reference::Placement::Started,
        letterbox::model::Placement::Deleted => reference::Placement::Deleted,
    }
}

/// The refusal of a command, which names what the command named.
pub(crate) fn refusal(command: &Command, refusal: letterbox::model::Refusal) -> reference::Refusal {
    use letterbox::model::Refusal;
    match refusal {
        Refusal::ThreadNotFound(thread) => {
            assert_eq!(thread_of(command), Some(thread));
            reference::Refusal::ThreadNotFound
        }
        Refusal::MessageNotFound(message) => {
            assert!(matches!(command, Command::Edit(edit) if edit.message == message));
            reference::Refusal::MessageNotFound
        }
        Refusal::RecipientsNotFound(unknown) => {
            let unknown = unknown.iter().map(ToString::to_string).collect();
            reference::Refusal::RecipientsNotFound(unknown)
        }
        Refusal::NotTheSender(_) => reference::Refusal::NotTheSender,
        Refusal::RevisionStale { current, .. } => reference::Refusal::RevisionStale { current },
        Refusal::RequestIdReused => reference::Refusal::RequestIdReused,
        Refusal::UsersNotFound(_) => unreachable!("this is no answer to an action"),
    }
}

fn thread_of(command: &Command) -> Option<ThreadId> {
    match command {
        Command::Reply(reply) => Some(reply.thread),
        Command::MarkRead(mark) => Some(mark.thread),
        Command::MarkUnread(_, thread)
        | Command::Delete(_, thread)
        | Command::Restore(_, thread) => Some(*thread),
        Command::Meet(..) | Command::Send(_) | Command::Edit(_) | Command::ChangeUsers(_) => None,
    }
}

impl Words<'_> {
    pub(crate) fn answer(&mut self, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Met => Answer::Met,
            Outcome::Sent(sent) => {
                let (message, view) = *sent;
                Answer::Sent(self.message(message), self.view(view))
            }
            Outcome::Edited(message) => Answer::Edited(self.message(*message)),
            Outcome::Viewed(view) => Answer::Viewed(self.view(*view)),
            Outcome::UsersChanged(_) => unreachable!("this is no answer to an action"),
        }
    }

    fn message(&mut self, message: MessageView) -> MessageSeen {
        MessageSeen {
            name: self
                .names
                .message(message.id.0, message.thread.0, message.number),
            sender: self.user(&message.sender),
            content: message.content,
            send_time: message.send_time.0,
            edit_time: message.edit_time.map(|time| time.0),
            revision: message.revision,
        }
    }

    fn thread(&mut self, thread: ThreadSummary) -> ThreadSeen {
        ThreadSeen {
            name: self.names.thread(thread.id.0),
            subject: thread.subject,
            create_time: thread.create_time.0,
            update_time: thread.update_time.0,
            participants: thread
                .participants
                .iter()
                .map(|user| self.user(user))
                .collect(),
            message_count: thread.message_count,
        }
    }

    fn view(&mut self, view: ThreadView) -> View {
        View {
            thread: self.thread(view.thread),
            placement: placement(view.placement),
            unread: view.unread_count > 0,
            unread_count: view.unread_count,
            read_number: view.read_number,
            first_message_time: view.first_message_time.0,
            last_message_time: view.last_message_time.0,
            last_sender: self.user(&view.last_sender),
            snippet: view.snippet,
            started_by_viewer: view.started_by_viewer,
        }
    }

    /// A user's id; whoever had a row comes with the profile in it.
    fn user(&self, user: &User) -> String {
        let stored = self.rows.users.contains_key(&user.id);
        let known_as = stored.then(|| Rows::first_name(&user.id));
        assert_eq!(user.profile.first_name, known_as.unwrap_or_default());
        user.id.to_string()
    }
}
