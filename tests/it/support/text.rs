//! Short forms of what the API says, for tests to compare.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::{ListInboxResponse, Message, Thread, ThreadView, pb::User};

/// The parts of a view that every view has.
pub(crate) trait ViewText {
    /// The thread.
    fn thread(&self) -> &Thread;

    /// The thread's subject.
    fn subject(&self) -> &str {
        &self.thread().subject
    }

    /// The ids of those who take part.
    fn participants(&self) -> Vec<&str> {
        user_ids(&self.thread().participants)
    }

    /// Who sent the last message.
    fn last_sender(&self) -> &str;
}

impl ViewText for ThreadView {
    fn thread(&self) -> &Thread {
        self.thread.as_ref().expect("a view has a thread")
    }

    fn last_sender(&self) -> &str {
        &self
            .last_sender
            .as_ref()
            .expect("a view has a last sender")
            .id
    }
}

/// The parts of a message that every message has.
pub(crate) trait MessageText {
    /// The sender's id.
    fn sender_id(&self) -> &str;

    /// The message as `1 ana: Lunch?`.
    fn line(&self) -> String;
}

impl MessageText for Message {
    fn sender_id(&self) -> &str {
        &self.sender.as_ref().expect("a message has a sender").id
    }

    fn line(&self) -> String {
        format!("{} {}: {}", self.number, self.sender_id(), self.content)
    }
}

/// The ids of users.
pub(crate) fn user_ids(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.id.as_str()).collect()
}

/// The subjects of a page's threads.
pub(crate) fn subjects(page: &ListInboxResponse) -> Vec<String> {
    let threads = page.threads.iter();
    threads.map(|view| view.subject().to_owned()).collect()
}

/// A request id that no other request of this process has.
pub(crate) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128(0x4aaa_bbbb_cccc_4ddd_8eee_0000_0000_0000 + u128::from(count)).to_string()
}

/// A well-formed id that nothing has.
pub(crate) fn unused_id() -> String {
    "0190a3c4-7b1e-7000-8000-00000000abcd".to_owned()
}
