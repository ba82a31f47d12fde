//! What the service calls the model's threads and messages.

use uuid::Uuid;

use super::MessageNo;

/// The ids that the service has given, as far as its answers have told them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    threads: Vec<Uuid>,
    messages: Vec<(Uuid, MessageNo)>,
}

impl Names {
    /// A thread's id; one that was never given to a thread which the model does not have.
    pub(crate) fn thread_id(&self, thread: usize) -> Uuid {
        self.threads.get(thread).copied().unwrap_or(Uuid::max())
    }

    /// A message's id; one that was never given to a message which the model does not have.
    pub(crate) fn message_id(&self, message: MessageNo) -> Uuid {
        let mut messages = self.messages.iter();
        let found = messages.find(|(_, name)| *name == message);
        found.map_or(Uuid::max(), |(id, _)| *id)
    }

    /// The thread with an id; an id that was never seen is the next thread's.
    pub(crate) fn thread(&mut self, id: Uuid) -> usize {
        let known = self.threads.iter().position(|thread| *thread == id);
        known.unwrap_or_else(|| {
            self.threads.push(id);
            self.threads.len() - 1
        })
    }

    /// The message with an id, which must be the same one each time.
    pub(crate) fn message(&mut self, id: Uuid, thread: Uuid, number: i32) -> MessageNo {
        let name = MessageNo {
            thread: self.thread(thread),
            number,
        };
        let mut messages = self.messages.iter();
        match messages.find(|(given, known)| *given == id || *known == name) {
            Some(known) => assert_eq!(*known, (id, name), "a message keeps its id and its place"),
            None => self.messages.push((id, name)),
        }
        name
    }
}
