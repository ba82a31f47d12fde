//! From what the use cases answer to protobuf.

use prost_types::Timestamp;

use super::pb;
use crate::model::{MessageView, Placement, ThreadSummary, ThreadView, Time, User, UserId};

/// Whom an answer is for, which decides how much of others it shows.
#[derive(Clone, Debug)]
pub(super) enum Viewer {
    /// Somebody who sees everybody's address.
    OfAll,
    /// A participant, who sees nobody's address but their own.
    Only(UserId),
}

impl Viewer {
    pub(super) fn user(&self, user: User) -> pb::User {
        let shown = match self {
            Self::OfAll => true,
            Self::Only(viewer) => *viewer == user.id,
        };
        let email = Some(user.profile.email).filter(|_| shown);
        pb::User {
            id: user.id.as_str().to_owned(),
            first_name: user.profile.first_name,
            last_name: user.profile.last_name,
            email: email.unwrap_or_default(),
        }
    }

    pub(super) fn message(&self, message: MessageView) -> pb::Message {
        pb::Message {
            id: message.id.to_string(),
            thread_id: message.thread.to_string(),
            number: message.number,
            sender: Some(self.user(message.sender)),
            content: message.content,
            send_time: Some(timestamp(message.send_time)),
            edit_time: message.edit_time.map(timestamp),
            revision: message.revision,
        }
    }

    pub(super) fn thread(&self, thread: ThreadSummary) -> pb::Thread {
        let participants = thread.participants.into_iter();
        pb::Thread {
            id: thread.id.to_string(),
            subject: thread.subject,
            create_time: Some(timestamp(thread.create_time)),
            update_time: Some(timestamp(thread.update_time)),
            participants: participants.map(|user| self.user(user)).collect(),
            message_count: thread.message_count,
        }
    }

    pub(super) fn view(&self, view: ThreadView) -> pb::ThreadView {
        pb::ThreadView {
            thread: Some(self.thread(view.thread)),
            placement: pb::Placement::from(view.placement).into(),
            unread: view.unread_count > 0,
            unread_count: view.unread_count,
            first_message_time: Some(timestamp(view.first_message_time)),
            last_message_time: Some(timestamp(view.last_message_time)),
            last_sender: Some(self.user(view.last_sender)),
            snippet: view.snippet,
            started_by_viewer: view.started_by_viewer,
            read_number: view.read_number,
        }
    }
}

impl From<Placement> for pb::Placement {
    fn from(placement: Placement) -> Self {
        match placement {
            Placement::Inbox => Self::Inbox,
            Placement::Started => Self::Started,
            Placement::Deleted => Self::Deleted,
        }
    }
}

/// User ids as the API writes them.
pub(super) fn user_ids(ids: &[UserId]) -> Vec<String> {
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

pub(super) fn timestamp(time: Time) -> Timestamp {
    const MICROS: i64 = 1_000_000;
    Timestamp {
        seconds: time.0.div_euclid(MICROS),
        nanos: i32::try_from(time.0.rem_euclid(MICROS) * 1_000).unwrap_or_default(),
    }
}
