//! What was last read and written of a tenant, so that it is not loaded again.
//!
//! It holds at one event of the tenant's log, and is good for as long as this is the newest one, and
//! no change has been made that no event tells of (`log_heads.unlogged` marks the last one). Whoever relies on it learns
//! from the database whether that is so: by the statement that saves, or by asking. It is in use by
//! one batch at a time, and what came of a batch is only remembered where its commit was answered.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::numbers::UserNumbers;
use crate::model::{
    Changes, Event, Loaded, LogPosition, Needs, Participant, TenantId, ThreadId, ThreadState,
};

/// How many users and participants are remembered in all: some 30 MiB.
const ROWS_MAX: usize = 65_536;

/// What a tenant counts for besides.
const ROWS_OF_A_TENANT: usize = 4;

/// What a process remembers of its tenants.
#[derive(Default)]
pub(crate) struct Memories(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    tenants: HashMap<TenantId, Memory>,
    rows: usize,
}

impl Memories {
    /// What is remembered of a tenant, for one batch alone.
    pub(super) fn take(&self, tenant: &TenantId) -> Option<Memory> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = remembered.tenants.remove(tenant)?;
        remembered.rows -= memory.rows;
        Some(memory)
    }

    /// Remembers what a batch has left; beyond the limit that is all that is remembered.
    pub(super) fn keep(&self, tenant: TenantId, memory: Memory) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.rows + memory.rows > ROWS_MAX {
            *remembered = Remembered::default();
        }
        if memory.rows <= ROWS_MAX {
            remembered.rows += memory.rows;
            let former = remembered.tenants.insert(tenant, memory);
            remembered.rows -= former.map_or(0, |former| former.rows);
        }
    }
}

/// Rows of a tenant, as they were after an event.
#[derive(Default)]
pub(super) struct Memory {
    /// Users, their counts and threads: rows that there are. That something is missing is never remembered.
    known: Loaded,
    pub(super) numbers: UserNumbers,
    /// How many users and participants these are.
    rows: usize,
}

impl Memory {
    /// What was loaded; where that is as of the same event, added to what was remembered.
    pub(super) fn of(loaded: &Loaded, numbers: UserNumbers, former: Option<Self>) -> Self {
        let former = former.filter(|former| former.holds_at(loaded));
        let mut memory = former.unwrap_or_else(|| Self {
            known: Loaded {
                head: loaded.head,
                unlogged: loaded.unlogged,
                sizes: loaded.sizes,
                ..Loaded::default()
            },
            rows: ROWS_OF_A_TENANT,
            ..Self::default()
        });
        memory.numbers.extend(numbers);
        for (id, record) in &loaded.users {
            let former = memory.known.users.insert(id.clone(), record.clone());
            memory.rows += usize::from(former.is_none());
        }
        for (id, mailbox) in &loaded.mailboxes {
            memory.known.mailboxes.insert(id.clone(), *mailbox);
        }
        for state in loaded.threads.values() {
            memory.remember_thread(state);
        }
        memory
    }

    /// Whether it is as of the event that this was loaded at.
    pub(super) fn holds_at(&self, loaded: &Loaded) -> bool {
        self.known.head == loaded.head && self.known.unlogged == loaded.unlogged
    }

    pub(super) fn head(&self) -> LogPosition {
        self.known.head
    }

    pub(super) fn unlogged(&self) -> i64 {
        self.known.unlogged
    }

    /// What of these needs is not remembered.
    pub(super) fn lacks(&self, needs: &Needs) -> Needs {
        let users = needs.users.iter();
        let threads = needs.threads.iter();
        Needs {
            users: users
                .filter(|user| !self.known.users.contains_key(user))
                .cloned()
                .collect(),
            threads: threads
                .filter(|thread| !self.known.threads.contains_key(thread))
                .copied()
                .collect(),
            ..needs.clone()
        }
    }

    /// What of these needs is remembered, added to what was loaded for the rest.
    pub(super) fn fill(&self, needs: &Needs, mut loaded: Loaded) -> Loaded {
        for thread in &needs.threads {
            if let Some(state) = self.known.threads.get(thread) {
                loaded.threads.insert(*thread, state.clone());
            }
        }
        let participants = loaded
            .threads
            .values()
            .flat_map(|state| &state.participants);
        let users = participants.map(|participant| &participant.user);
        for user in users.chain(&needs.users) {
            if let Some(record) = self.known.users.get(user) {
                loaded.users.insert(user.clone(), record.clone());
            }
            if let Some(mailbox) = self.known.mailboxes.get(user) {
                loaded.mailboxes.insert(user.clone(), *mailbox);
            }
        }
        Loaded {
            head: self.known.head,
            unlogged: self.known.unlogged,
            sizes: self.known.sizes,
            ..loaded
        }
    }

    /// Goes on to what a batch has written.
    ///
    /// New threads are not remembered: most are not answered soon.
    pub(super) fn go_on(&mut self, changes: &Changes<'_>) {
        let known = &mut self.known;
        known.head = changes
            .events
            .last()
            .map_or(known.head, Event::log_position);
        known.unlogged = changes.unlogged.unwrap_or(known.unlogged);
        known.sizes = changes.sizes;
        for record in &changes.users {
            let id = record.user.id.clone();
            let former = known.users.insert(id, (*record).clone());
            self.rows += usize::from(former.is_none());
        }
        for (user, mailbox) in &changes.mailboxes {
            known.mailboxes.insert((*user).clone(), *mailbox);
        }
        for (thread, participant) in &changes.participants {
            self.change_participant(*thread, participant);
        }
        for state in &changes.threads {
            self.remember_thread(state);
        }
    }

    fn change_participant(&mut self, thread: ThreadId, participant: &Participant) {
        let state = self.known.threads.get_mut(&thread);
        let participants = state.into_iter().flat_map(|state| &mut state.participants);
        for known in participants {
            if known.place == participant.place {
                known.clone_from(participant);
            }
        }
    }

    fn remember_thread(&mut self, state: &ThreadState) {
        let id = state.thread.id;
        let former = self.known.threads.insert(id, state.clone());
        if former.is_none() {
            self.rows += 1 + state.participants.len();
        }
    }
}
