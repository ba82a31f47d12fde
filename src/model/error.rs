//! Why a command was turned down.

use super::{MessageId, ThreadId, UserId};

/// A command's refusal: an outcome that its caller has to deal with, not a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The thread does not exist, or the caller takes no part in it.
    ///
    /// One refusal for both, so that an outsider cannot probe for threads.
    #[error("thread not found")]
    ThreadNotFound(ThreadId),
    /// The message does not exist, or the caller takes no part in its thread.
    #[error("message not found")]
    MessageNotFound(MessageId),
    /// Recipients whom the service does not know, where it only delivers to those it knows.
    #[error("recipient not found")]
    RecipientsNotFound(Vec<UserId>),
    /// Users whom an admin names and the tenant has never heard of.
    #[error("user not found")]
    UsersNotFound(Vec<UserId>),
    /// Another participant's message.
    #[error("only its sender can edit a message")]
    NotTheSender(MessageId),
    /// The message has been edited since the caller read it.
    #[error("the message has been edited since: its revision is {current}")]
    RevisionStale {
        /// The message.
        id: MessageId,
        /// The message's revision now.
        current: i32,
    },
    /// The request id was used before, for another request.
    #[error("the request id was used before for another request")]
    RequestIdReused,
}
