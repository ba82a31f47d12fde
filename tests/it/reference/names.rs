//! What the service calls the model's threads and messages.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use uuid::Uuid;

use super::MessageNo;

/// The ids that the service has given, as far as its answers have told them.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    threads: Vec<Uuid>,
    threads_by_id: HashMap<Uuid, usize>,
    messages: HashMap<MessageNo, Uuid>,
    messages_by_id: HashMap<Uuid, MessageNo>,
}

impl Names {
    /// A thread's id; one that was never given to a thread which the model does not have.
    pub(crate) fn thread_id(&self, thread: usize) -> Uuid {
        let threads = &self.given().threads;
        threads.get(thread).copied().unwrap_or(Uuid::max())
    }

    /// A message's id; one that was never given to a message which the model does not have.
    pub(crate) fn message_id(&self, message: MessageNo) -> Uuid {
        let messages = &self.given().messages;
        messages.get(&message).copied().unwrap_or(Uuid::max())
    }

    /// The thread with an id; an id that was never seen is the next thread's.
    pub(crate) fn thread(&self, id: Uuid) -> usize {
        self.given().thread(id)
    }

    /// The message with an id, which must be the same one each time.
    pub(crate) fn message(&self, id: Uuid, thread: Uuid, number: i32) -> MessageNo {
        let mut given = self.given();
        let name = MessageNo {
            thread: given.thread(thread),
            number,
        };
        let known_id = *given.messages.entry(name).or_insert(id);
        let known_name = *given.messages_by_id.entry(id).or_insert(name);
        assert_eq!(
            (known_id, known_name),
            (id, name),
            "a message keeps its id and its place"
        );
        name
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.0.lock().expect("no id has changed")
    }
}

impl Given {
    fn thread(&mut self, id: Uuid) -> usize {
        let Self {
            threads,
            threads_by_id,
            ..
        } = self;
        *threads_by_id.entry(id).or_insert_with(|| {
            threads.push(id);
            threads.len() - 1
        })
    }
}
