//! From what the use cases answer to protobuf.

use prost_types::Timestamp;

use super::pb;
use crate::model::{MessageView, Placement, ThreadSummary, ThreadView, Time, User, UserId};

impl From<User> for pb::User {
    fn from(user: User) -> Self {
        Self {
            id: user.id.as_str().to_owned(),
            first_name: user.profile.first_name,
            last_name: user.profile.last_name,
            email: user.profile.email,
        }
    }
}

impl From<MessageView> for pb::Message {
    fn from(message: MessageView) -> Self {
        Self {
            id: message.id.to_string(),
            thread_id: message.thread.to_string(),
            number: message.number,
            sender: Some(message.sender.into()),
            content: message.content,
            send_time: Some(timestamp(message.send_time)),
            edit_time: message.edit_time.map(timestamp),
            revision: message.revision,
        }
    }
}

impl From<ThreadSummary> for pb::Thread {
    fn from(thread: ThreadSummary) -> Self {
        Self {
            id: thread.id.to_string(),
            subject: thread.subject,
            create_time: Some(timestamp(thread.create_time)),
            update_time: Some(timestamp(thread.update_time)),
            participants: thread.participants.into_iter().map(Into::into).collect(),
            message_count: thread.message_count,
        }
    }
}

impl From<ThreadView> for pb::ThreadView {
    fn from(view: ThreadView) -> Self {
        Self {
            thread: Some(view.thread.into()),
            placement: pb::Placement::from(view.placement).into(),
            unread: view.unread_count > 0,
            unread_count: view.unread_count,
            first_message_time: Some(timestamp(view.first_message_time)),
            last_message_time: Some(timestamp(view.last_message_time)),
            last_sender: Some(view.last_sender.into()),
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

fn timestamp(time: Time) -> Timestamp {
    const MICROS: i64 = 1_000_000;
    Timestamp {
        seconds: time.0.div_euclid(MICROS),
        nanos: i32::try_from(time.0.rem_euclid(MICROS) * 1_000).unwrap_or_default(),
    }
}
