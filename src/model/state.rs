//! The rows that a batch of commands touches, and what it has changed in them so far.

use std::collections::{BTreeSet, HashMap};

use super::{
    Event, LogPosition, Mailbox, Message, MessageId, MessageView, Participant, PastRequest,
    ProfileChange, ProfileClaim, Refusal, RequestId, Revision, Sizes, ThreadId, ThreadState,
    ThreadSummary, ThreadView, Time, User, UserId, UserRecord,
};

/// The rows that a batch of commands touches, as the store holds them.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where the tenant's log ends.
    pub head: LogPosition,
    /// What marks the last change that no event tells of, such as of a user's name: it grows.
    pub unlogged: i64,
    /// How much the tenant holds.
    pub sizes: Sizes,
    /// The users that the commands name, and all participants of the threads.
    pub users: HashMap<UserId, UserRecord>,
    /// The counts of these users.
    pub mailboxes: HashMap<UserId, Mailbox>,
    /// The threads that the commands name, and those of the messages.
    pub threads: HashMap<ThreadId, ThreadState>,
    /// The messages that the commands name, and those of the requests.
    pub messages: HashMap<MessageId, Message>,
    /// The requests that were carried out before.
    pub requests: HashMap<(UserId, RequestId), PastRequest>,
    /// How many messages a user had sent in a thread up to a number.
    pub sent_up_to: HashMap<(UserId, ThreadId, i32), i32>,
}

impl Default for Loaded {
    fn default() -> Self {
        Self {
            head: LogPosition::START,
            unlogged: 0,
            sizes: Sizes::default(),
            users: HashMap::new(),
            mailboxes: HashMap::new(),
            threads: HashMap::new(),
            messages: HashMap::new(),
            requests: HashMap::new(),
            sent_up_to: HashMap::new(),
        }
    }
}

/// A batch's working copy: commands are decided on it one by one, each seeing those before it.
#[derive(Debug)]
pub struct State {
    pub(super) rows: Loaded,
    /// The messages that this batch appended, by thread: number and sender, in order.
    pub(super) appended: HashMap<ThreadId, Vec<(i32, UserId)>>,
    pub(super) changed: Changed,
}

/// Which rows differ from what was loaded, and which are new.
///
/// In the order of their keys, in which a database writes them fastest.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// When, if anything was decided.
    pub(super) time: Option<Time>,
    pub(super) users: BTreeSet<UserId>,
    pub(super) new_users: BTreeSet<UserId>,
    /// Whether the profile of somebody who was there before has changed.
    pub(super) profiles: bool,
    pub(super) new_threads: BTreeSet<ThreadId>,
    pub(super) threads: BTreeSet<ThreadId>,
    pub(super) participants: BTreeSet<(ThreadId, usize)>,
    pub(super) new_messages: BTreeSet<MessageId>,
    pub(super) messages: BTreeSet<MessageId>,
    pub(super) revisions: Vec<Revision>,
    pub(super) requests: Vec<(UserId, RequestId)>,
    pub(super) events: Vec<Event>,
}

/// What a batch has to save: each row once, as it is in the end.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// Users, new or changed.
    pub users: Vec<&'a UserRecord>,
    /// Threads, new.
    pub new_threads: Vec<&'a ThreadState>,
    /// Threads, changed.
    pub threads: Vec<&'a ThreadState>,
    /// The participants of new threads.
    pub new_participants: Vec<(ThreadId, &'a Participant)>,
    /// Participants, changed.
    pub participants: Vec<(ThreadId, &'a Participant)>,
    /// Messages, new.
    pub new_messages: Vec<&'a Message>,
    /// Messages, edited.
    pub messages: Vec<&'a Message>,
    /// Former contents.
    pub revisions: &'a [Revision],
    /// Requests carried out.
    pub requests: Vec<&'a PastRequest>,
    /// The counts of everybody whom an event tells of something, changed or not.
    pub mailboxes: Vec<(&'a UserId, Mailbox)>,
    /// Events, in their order.
    pub events: &'a [Event],
    /// How much the tenant holds after the last of them.
    pub sizes: Sizes,
    /// What then marks the last change that no event tells of; none: there is no other than before.
    ///
    /// Its time, and more than before. A mere count could come to the same number again, by another
    /// change, where a failover has lost the first one. (`check --repair` counts: what it changes follows
    /// from the other rows.)
    pub unlogged: Option<i64>,
    /// Whether it is one that pages show: of the profile of somebody who was there before.
    pub profiles: bool,
}

impl Changes<'_> {
    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        // Whatever else changes, a user becomes known with it or an event tells of it.
        self.users.is_empty() && self.events.is_empty()
    }
}

impl State {
    /// A working copy of what was loaded.
    pub fn new(rows: Loaded) -> Self {
        Self {
            rows,
            appended: HashMap::new(),
            changed: Changed::default(),
        }
    }

    /// Where the log ended before this batch.
    pub fn head(&self) -> LogPosition {
        self.rows.head
    }

    /// How many participants' rows the batch has to write so far.
    pub fn participants_changed(&self) -> usize {
        self.changed.participants.len()
    }

    /// What has to be saved.
    pub fn changes(&self) -> Changes<'_> {
        let Self { rows, changed, .. } = self;
        let is_new = |id: &ThreadId| changed.new_threads.contains(id);
        let thread = |id| &rows.threads[id];
        let message = |id| &rows.messages[id];
        let (new_participants, participants) = changed
            .participants
            .iter()
            .map(|&(id, index)| (id, &rows.threads[&id].participants[index]))
            .partition(|(id, _)| is_new(id));
        let known_threads = changed.threads.iter().filter(|id| !is_new(id));
        let known_messages = changed.messages.difference(&changed.new_messages);
        Changes {
            users: changed.users.iter().map(|id| &rows.users[id]).collect(),
            new_threads: changed.new_threads.iter().map(thread).collect(),
            threads: known_threads.map(thread).collect(),
            new_participants,
            participants,
            new_messages: changed.new_messages.iter().map(message).collect(),
            messages: known_messages.map(message).collect(),
            revisions: &changed.revisions,
            requests: changed
                .requests
                .iter()
                .map(|key| &rows.requests[key])
                .collect(),
            mailboxes: self.mailboxes(),
            events: &changed.events,
            sizes: Sizes {
                threads: rows.sizes.threads + count(&changed.new_threads),
                messages: rows.sizes.messages + count(&changed.new_messages),
            },
            unlogged: (!changed.users.is_empty())
                .then_some(changed.time.map_or(0, |time| time.0).max(rows.unlogged + 1)),
            profiles: changed.profiles,
        }
    }

    /// The counts of everybody whom an event tells of something.
    fn mailboxes(&self) -> Vec<(&UserId, Mailbox)> {
        let events = self.changed.events.iter();
        let told: BTreeSet<&UserId> = events.flat_map(|event| &event.audience).collect();
        let mailbox = |user| self.rows.mailboxes.get(user).copied().unwrap_or_default();
        told.into_iter().map(|user| (user, mailbox(user))).collect()
    }

    /// A thread and the caller's place in its list of participants; to an outsider there is none.
    pub(super) fn participation(
        &self,
        thread: ThreadId,
        caller: &UserId,
    ) -> Result<(&ThreadState, usize), Refusal> {
        let state = self.rows.threads.get(&thread);
        let state = state.ok_or(Refusal::ThreadNotFound(thread))?;
        let mut participants = state.participants.iter();
        let index = participants.position(|participant| participant.user == *caller);
        Ok((state, index.ok_or(Refusal::ThreadNotFound(thread))?))
    }

    /// Changes a participant's row and, with it, that user's counts.
    pub(super) fn change_participant(
        &mut self,
        thread: ThreadId,
        index: usize,
        change: impl FnOnce(&mut Participant),
    ) {
        let state = self.rows.threads.get_mut(&thread);
        let Some(participant) = state.and_then(|state| state.participants.get_mut(index)) else {
            return;
        };
        let user = participant.user.clone();
        let mailbox = self.rows.mailboxes.entry(user).or_default();
        mailbox.remove(participant);
        change(participant);
        mailbox.add(participant);
        self.changed.participants.insert((thread, index));
    }

    /// Adds a thread and its participants.
    pub(super) fn add_thread(&mut self, state: ThreadState) {
        let id = state.thread.id;
        for (index, participant) in state.participants.iter().enumerate() {
            let user = &participant.user;
            let mailbox = self.rows.mailboxes.entry(user.clone()).or_default();
            mailbox.add(participant);
            self.changed.participants.insert((id, index));
        }
        self.changed.new_threads.insert(id);
        self.rows.threads.insert(id, state);
    }

    /// How many messages a user has sent in a thread up to a number, this batch's among them.
    pub(super) fn sent_up_to(&self, user: &UserId, thread: ThreadId, number: i32) -> i32 {
        let key = (user.clone(), thread, number);
        let stored = self.rows.sent_up_to.get(&key).copied().unwrap_or(0);
        let appended = self.appended.get(&thread).map_or(0, |messages| {
            messages
                .iter()
                .filter(|(appended, sender)| *appended <= number && sender == user)
                .count()
        });
        stored + i32::try_from(appended).unwrap_or(i32::MAX)
    }

    /// A user as others see them.
    fn user(&self, id: &UserId) -> User {
        match self.rows.users.get(id) {
            Some(record) => record.user.clone(),
            None => UserRecord::unknown(id.clone()).user,
        }
    }

    /// A thread as one of its participants sees it.
    pub(super) fn view(&self, state: &ThreadState, viewer: usize) -> ThreadView {
        let participant = &state.participants[viewer];
        let thread = &state.thread;
        ThreadView {
            thread: ThreadSummary {
                id: thread.id,
                subject: thread.subject.clone(),
                create_time: thread.create_time,
                update_time: thread.update_time,
                participants: state
                    .participants
                    .iter()
                    .map(|participant| self.user(&participant.user))
                    .collect(),
                message_count: thread.message_count,
            },
            placement: participant.placement,
            read_number: participant.read_number,
            unread_count: participant.unread_count,
            first_message_time: state.first_message_time,
            last_message_time: state.last_message.send_time,
            last_sender: self.user(&state.last_message.sender),
            snippet: state.last_message.snippet.clone(),
            started_by_viewer: thread.starter == participant.user,
        }
    }

    /// A message as its readers see it.
    pub(super) fn message_view(&self, message: &Message) -> MessageView {
        MessageView {
            id: message.id,
            thread: message.thread,
            number: message.number,
            sender: self.user(&message.sender),
            content: message.content.clone(),
            send_time: message.send_time,
            edit_time: message.edit_time,
            revision: message.revision,
        }
    }

    /// Makes sure that there is a record of a user, known or not.
    pub(super) fn mention(&mut self, id: &UserId) {
        if !self.rows.users.contains_key(id) {
            let record = UserRecord::unknown(id.clone());
            self.rows.users.insert(id.clone(), record);
            self.changed.users.insert(id.clone());
            self.changed.new_users.insert(id.clone());
        }
    }

    /// Changes what is kept of a user, if there is one.
    pub(super) fn change_user(&mut self, id: &UserId, change: impl FnOnce(&mut UserRecord)) {
        let Some(record) = self.rows.users.get_mut(id) else {
            return;
        };
        let before = record.clone();
        change(record);
        if *record != before {
            let renamed = record.user.profile != before.user.profile;
            self.changed.profiles |= renamed && !self.changed.new_users.contains(id);
            self.changed.users.insert(id.clone());
        }
    }

    /// Notes that a user has made a call.
    pub(super) fn meet(&mut self, id: &UserId, now: Time) {
        self.mention(id);
        self.change_user(id, |record| {
            record.known_time.get_or_insert(now);
        });
    }

    /// Keeps a user's profile current; an older token than the one it is from changes nothing. Of two that
    /// were issued in the same second the one that is seen last counts.
    pub(super) fn learn(&mut self, id: &UserId, claim: &ProfileClaim) {
        self.change_user(id, |record| {
            if record.profile_time.is_none_or(|time| time <= claim.time) {
                record.user.profile = claim.change.applied_to(&record.user.profile);
                record.profile_time = Some(claim.time);
            }
        });
    }

    /// Keeps what is told of a user of whom neither a token nor an admin has told anything.
    pub(super) fn learn_what_nobody_told(&mut self, id: &UserId, change: &ProfileChange) {
        self.change_user(id, |record| {
            if record.profile_time.is_none() {
                record.user.profile = change.applied_to(&record.user.profile);
            }
        });
    }

    /// What is kept of a user.
    pub(super) fn record(&self, id: &UserId) -> UserRecord {
        let record = self.rows.users.get(id).cloned();
        record.unwrap_or_else(|| UserRecord::unknown(id.clone()))
    }
}

fn count<T>(rows: &BTreeSet<T>) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}
