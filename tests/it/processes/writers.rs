//! Writers who go on until all that they wanted to write is acknowledged.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

use super::{
    caller::{Caller, to_reply, to_send},
    record::Seen,
};
use crate::support::prelude::*;

/// Who writes.
pub(crate) const USERS: [&str; 4] = ["ana", "ben", "cleo", "dan"];

/// A message as its sender was last told that it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written {
    pub(crate) thread: String,
    pub(crate) number: i32,
    pub(crate) id: String,
    pub(crate) sender: String,
    pub(crate) content: String,
    pub(crate) revision: i32,
}

impl From<&Message> for Written {
    fn from(message: &Message) -> Self {
        Self {
            thread: message.thread_id.clone(),
            number: message.number,
            id: message.id.clone(),
            sender: message.sender_id().to_owned(),
            content: message.content.clone(),
            revision: message.revision,
        }
    }
}

/// What the writers know together.
#[derive(Default)]
pub(crate) struct Threads {
    /// Each thread with who takes part.
    all: Mutex<Vec<(String, Vec<String>)>>,
}

impl Threads {
    /// All threads, each with its starter.
    pub(crate) fn starters(&self) -> Vec<(String, String)> {
        let threads = self.all.lock().expect("nobody panics with it");
        let threads = threads.iter();
        threads
            .map(|(thread, users)| (thread.clone(), users[0].clone()))
            .collect()
    }

    /// How many threads a user takes part in.
    pub(crate) fn count_of(&self, user: &str) -> usize {
        let threads = self.all.lock().expect("nobody panics with it");
        let of_user = |(_, users): &&(String, Vec<String>)| users.iter().any(|one| one == user);
        threads.iter().filter(of_user).count()
    }

    fn add(&self, thread: &str, users: Vec<String>) {
        let mut threads = self.all.lock().expect("nobody panics with it");
        threads.push((thread.to_owned(), users));
    }

    /// One of a user's threads.
    fn one_of(&self, user: &str, chance: usize) -> Option<String> {
        let threads = self.all.lock().expect("nobody panics with it");
        let of_user = |(_, users): &&(String, Vec<String>)| users.iter().any(|one| one == user);
        let of_user: Vec<_> = threads.iter().filter(of_user).collect();
        let (thread, _) = of_user.get(chance % of_user.len().max(1))?;
        Some(thread.clone())
    }
}

/// A user who writes.
pub(crate) struct Writer {
    caller: Caller,
    name: String,
    threads: Arc<Threads>,
    /// How much has been acknowledged, by all writers.
    acknowledged: Arc<watch::Sender<usize>>,
    written: Vec<Written>,
}

/// What a writer leaves.
pub(crate) struct Wrote {
    /// Every message, as it was last acknowledged.
    pub(crate) written: Vec<Written>,
    /// How many calls went unanswered.
    pub(crate) unanswered: usize,
}

impl Writer {
    /// A writer with a name of its own, among several of the same user.
    pub(crate) fn new(
        number: usize,
        place: &watch::Receiver<SocketAddr>,
        threads: &Arc<Threads>,
        acknowledged: &Arc<watch::Sender<usize>>,
    ) -> Self {
        let user = USERS[number % USERS.len()];
        Self {
            caller: Caller::new(place, user),
            name: format!("{user}-{number}"),
            threads: Arc::clone(threads),
            acknowledged: Arc::clone(acknowledged),
            written: Vec::new(),
        }
    }

    /// Writes until told to stop; then everything that it began is acknowledged.
    pub(crate) async fn write(mut self, finish: watch::Receiver<bool>) -> Wrote {
        let mut step = 0;
        while !*finish.borrow() {
            match step % 7 {
                0 => self.start(step).await,
                3 => self.edit(step).await,
                5 => self.mark_read(step).await,
                _ => self.reply(step).await,
            }
            self.acknowledged.send_modify(|count| *count += 1);
            step += 1;
        }
        Wrote {
            written: self.written,
            unanswered: self.caller.unanswered,
        }
    }

    async fn start(&mut self, step: usize) {
        let user = self.caller.user().to_owned();
        let others = USERS.into_iter().filter(|other| *other != user);
        // Now all others, now one.
        let recipients: Vec<&str> = match step % 2 {
            0 => others.collect(),
            _ => others.skip(step % 3).take(1).collect(),
        };
        let content = format!("{} {step}", self.name);
        let request = to_send(&recipients, &content, &content);
        let answer = self.caller.insist(|mut client| {
            let request = request.clone();
            async move { client.send_message(request).await }
        });
        let message = answer.await.message.expect("a message");
        assert_eq!((&message.content, message.number), (&content, 1));
        let users = std::iter::once(user.as_str()).chain(recipients);
        self.threads
            .add(&message.thread_id, users.map(str::to_owned).collect());
        self.written.push(Written::from(&message));
    }

    async fn reply(&mut self, step: usize) {
        let thread = self.threads.one_of(self.caller.user(), step * 31);
        let thread = thread.expect("everybody begins with a thread");
        let content = format!("{} {step}", self.name);
        let request = to_reply(&thread, &content);
        let mut answers = Vec::new();
        // Some are retried though they were answered.
        for _ in 0..=usize::from(step % 7 == 6) {
            let answer = self.caller.insist(|mut client| {
                let request = request.clone();
                async move { client.reply_thread(request).await }
            });
            answers.push(answer.await.message.expect("a message"));
        }
        let message = answers.pop().expect("an answer");
        assert_eq!((&message.content, &message.thread_id), (&content, &thread));
        assert!(answers.iter().all(|earlier| *earlier == message));
        self.written.push(Written::from(&message));
    }

    async fn edit(&mut self, step: usize) {
        let place = step * 17 % self.written.len();
        let before = self.written[place].clone();
        let request = EditMessageRequest {
            message_id: before.id.clone(),
            content: format!("{} edited in {step}", self.name),
            expected_revision: None,
        };
        let answer = self.caller.insist(|mut client| {
            let request = request.clone();
            async move { client.edit_message(request).await }
        });
        let message = answer.await.message.expect("a message");
        let expected = Written {
            content: request.content,
            revision: before.revision + 1,
            ..before
        };
        self.written[place] = Written::from(&message);
        assert_eq!(self.written[place], expected);
    }

    async fn mark_read(&mut self, step: usize) {
        let thread = self.threads.one_of(self.caller.user(), step * 13);
        let request = MarkThreadReadRequest {
            thread_id: thread.expect("everybody begins with a thread"),
            up_to_number: None,
        };
        self.caller
            .insist(|mut client| {
                let request = request.clone();
                async move { client.mark_thread_read(request).await }
            })
            .await;
    }
}

/// Checks that exactly this was stored and told: every message once, every edit once.
pub(crate) fn assert_told(written: &[Written], seen: &[Seen]) {
    let told = |kind: EventKind| {
        let told = seen.iter().filter(|event| event.kind == kind);
        let mut told: Vec<(&str, i32)> = told
            .map(|event| (event.thread.as_str(), event.number))
            .collect();
        told.sort_unstable();
        told
    };
    let messages = written.iter();
    let mut sent: Vec<(&str, i32)> = messages
        .map(|message| (message.thread.as_str(), message.number))
        .collect();
    sent.sort_unstable();
    assert_eq!(told(EventKind::MessageSent), sent);

    let mut edited: Vec<(&str, i32)> = Vec::new();
    for message in written {
        for _ in 1..message.revision {
            edited.push((&message.thread, message.number));
        }
    }
    edited.sort_unstable();
    assert_eq!(told(EventKind::MessageEdited), edited);
}
