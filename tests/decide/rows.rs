//! A store in memory: loads exactly the rows that are needed, and saves what was changed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Debug,
    hash::Hash,
};

use letterbox::model::{
    Changes, Event, LastMessage, Loaded, LogPosition, Mailbox, Message, MessageId, Needs,
    Participant, PastRequest, RequestId, Revision, Sizes, Thread, ThreadId, ThreadState, UserId,
    UserRecord, snippet,
};

/// A tenant's rows.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) users: HashMap<UserId, UserRecord>,
    pub(crate) mailboxes: HashMap<UserId, Mailbox>,
    pub(crate) threads: HashMap<ThreadId, Thread>,
    /// What stands with a thread, as it was last saved.
    shown: HashMap<ThreadId, ThreadState>,
    /// By thread and place.
    pub(crate) participants: BTreeMap<(ThreadId, i32), Participant>,
    pub(crate) messages: HashMap<MessageId, Message>,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) requests: HashMap<(UserId, RequestId), PastRequest>,
    pub(crate) events: Vec<Event>,
}

impl Rows {
    /// What an identity provider has told of every user by the time the user is stored.
    pub(crate) fn first_name(user: &UserId) -> String {
        user.as_str().repeat(2)
    }

    /// The rows that are needed, and no others.
    pub(crate) fn load(&self, needs: &Needs) -> Loaded {
        let requests = pick(&self.requests, &needs.requests);
        let mut messages = needs.messages.clone();
        messages.extend(requests.values().map(|past| past.message));
        let messages = pick(&self.messages, &messages);
        let mut threads = needs.threads.clone();
        threads.extend(messages.values().map(|message| message.thread));
        let threads: HashMap<ThreadId, ThreadState> = threads
            .into_iter()
            .filter_map(|id| Some((id, self.thread_state(id)?)))
            .collect();
        let mut users = needs.users.clone();
        for state in threads.values() {
            users.extend(state.participants.iter().map(|part| part.user.clone()));
        }
        Loaded {
            head: self
                .events
                .last()
                .map_or(LogPosition::START, Event::log_position),
            unlogged: 0,
            sizes: self.sizes(),
            users: pick(&self.users, &users),
            mailboxes: pick(&self.mailboxes, &users),
            threads,
            messages,
            requests,
            sent_up_to: needs
                .sent_up_to
                .iter()
                .map(|key| (key.clone(), self.sent_up_to(key)))
                .collect(),
        }
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            threads: self.threads.len().try_into().expect("not that many"),
            messages: self.messages.len().try_into().expect("not that many"),
        }
    }

    fn thread_state(&self, id: ThreadId) -> Option<ThreadState> {
        let thread = self.threads.get(&id)?.clone();
        let message = |number| {
            let mut messages = self.messages.values();
            messages.find(|message| message.thread == id && message.number == number)
        };
        let last = message(thread.message_count).expect("a thread's newest message");
        Some(ThreadState {
            first_message_time: message(1).expect("a thread's first message").send_time,
            last_message: LastMessage {
                sender: last.sender.clone(),
                send_time: last.send_time,
                snippet: snippet(&last.content).to_owned(),
            },
            participants: self.participants_of(id).cloned().collect(),
            thread,
        })
    }

    /// A thread's participants in their order.
    pub(crate) fn participants_of(&self, thread: ThreadId) -> impl Iterator<Item = &Participant> {
        let range = (thread, i32::MIN)..=(thread, i32::MAX);
        self.participants.range(range).map(|(_, part)| part)
    }

    fn sent_up_to(&self, (user, thread, number): &(UserId, ThreadId, i32)) -> i32 {
        let mut count = 0;
        for message in self.messages.values() {
            let sent = message.sender == *user && message.thread == *thread;
            count += i32::from(sent && message.number <= *number);
        }
        count
    }

    /// Saves what a batch changed, as a database would that is told each row once.
    pub(crate) fn save(&mut self, changes: &Changes<'_>) {
        for user in each_once(changes.users.iter().copied(), |user| user.user.id.clone()) {
            let mut record = user.clone();
            let stored = self.users.get(&record.user.id);
            let told = stored.map(|stored| stored.user.profile.first_name.as_str());
            assert_eq!(record.user.profile.first_name, told.unwrap_or_default());
            record.user.profile.first_name = Self::first_name(&record.user.id);
            self.users.insert(record.user.id.clone(), record);
        }
        let threads = changes.new_threads.iter().chain(&changes.threads);
        let threads = each_once(threads.copied(), |state| state.thread.id);
        for (index, state) in threads.enumerate() {
            let id = state.thread.id;
            let former = self.threads.insert(id, state.thread.clone());
            assert_eq!(former.is_none(), index < changes.new_threads.len());
            self.shown.insert(id, state.clone());
        }
        let participants = changes.new_participants.iter().chain(&changes.participants);
        let participants = each_once(participants.copied(), |(thread, participant)| {
            (*thread, participant.user.clone())
        });
        for (index, (thread, participant)) in participants.enumerate() {
            let key = (thread, participant.place);
            let former = self.participants.insert(key, participant.clone());
            assert_eq!(former.is_none(), index < changes.new_participants.len());
            assert!(former.is_none_or(|former| former.user == participant.user));
        }
        let messages = changes.new_messages.iter().chain(&changes.messages);
        for (index, message) in each_once(messages.copied(), |message| message.id).enumerate() {
            let former = self.messages.insert(message.id, message.clone());
            assert_eq!(former.is_none(), index < changes.new_messages.len());
        }
        self.revisions.extend_from_slice(changes.revisions);
        for request in &changes.requests {
            let key = (request.user.clone(), request.id);
            let former = self.requests.insert(key, (*request).clone());
            assert_eq!(former, None, "a request id belongs to one request");
        }
        for (user, mailbox) in each_once(changes.mailboxes.iter().copied(), |row| row.0.clone()) {
            self.mailboxes.insert(user.clone(), mailbox);
        }
        self.events.extend_from_slice(changes.events);
        assert_eq!(changes.sizes, self.sizes());
        self.check_references();
        for message in changes.new_messages.iter().chain(&changes.messages) {
            self.check_what_is_shown(message.thread);
        }
    }

    /// What stands with a thread must be what its newest message and its participants say.
    fn check_what_is_shown(&self, thread: ThreadId) {
        let (shown, state) = (&self.shown[&thread], self.thread_state(thread));
        let state = state.expect("a thread that was saved");
        assert_eq!(shown.last_message, state.last_message);
        let people = |state: &ThreadState| -> Vec<UserId> {
            let participants = state.participants.iter();
            participants.map(|part| part.user.clone()).collect()
        };
        assert_eq!(people(shown), people(&state));
    }

    /// Every user that a row names must have a row: databases keep a number for the id.
    fn check_references(&self) {
        let starters = self.threads.values().map(|thread| &thread.starter);
        let participants = self.participants.values().map(|part| &part.user);
        let told = self.events.iter().flat_map(|event| &event.audience);
        for user in starters.chain(participants).chain(told) {
            assert!(self.users.contains_key(user), "{user} has no row");
        }
    }
}

fn pick<K: Clone + Eq + Hash, V: Clone>(rows: &HashMap<K, V>, keys: &HashSet<K>) -> HashMap<K, V> {
    let found = keys.iter().filter_map(|key| rows.get_key_value(key));
    found.map(|(key, row)| (key.clone(), row.clone())).collect()
}

/// The rows, none of which may come twice.
fn each_once<Row, K: Debug + Eq + Hash>(
    rows: impl Iterator<Item = Row> + Clone,
    key: impl Fn(&Row) -> K,
) -> impl Iterator<Item = Row> {
    let mut keys = HashSet::new();
    for row in rows.clone() {
        let key = key(&row);
        assert!(!keys.contains(&key), "{key:?} is saved twice");
        keys.insert(key);
    }
    rows
}

/// Checks that a batch without news has nothing to save.
pub(crate) fn check_that_nothing_changes(changes: &Changes<'_>) {
    assert!(changes.new_threads.is_empty() && changes.threads.is_empty());
    assert!(changes.new_participants.is_empty() && changes.participants.is_empty());
    assert!(changes.new_messages.is_empty() && changes.messages.is_empty());
    assert!(changes.revisions.is_empty());
    assert!(changes.requests.is_empty());
    assert!(changes.mailboxes.is_empty());
}
