//! The rules of writing, held against a naive model: random commands of people and admins, cut into
//! random batches, under a clock that jumps.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicU64, Ordering},
};

use letterbox::model::{
    Context, EventKind, Folder, Ids, Mailbox, MessageId, Needs, Participant, Placement, Policy,
    State, ThreadId, Time, UserId,
};
use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

use admin::Registry;
use moves::{Asked, Move, moves};
use reference::{
    Delivery, MessageNo, Names, Order, PEOPLE, Reading, Tenant, Watcher, steps_in_one_thread,
};
use rows::{Rows, check_that_nothing_changes};
use words::Words;

#[path = "decide/admin.rs"]
mod admin;
#[path = "decide/moves.rs"]
mod moves;
#[path = "it/reference/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "part of it serves tests of the whole service"
)]
mod reference;
#[path = "decide/rows.rs"]
mod rows;
#[path = "decide/words.rs"]
mod words;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn batches_of_commands_do_what_the_naive_model_does(
        policy in policies(),
        batches in vec(
            (
                option::weighted(0.05, policies()),
                -40..60i64,
                prop_oneof![
                    3 => vec((moves(), prop::bool::weighted(0.1)), 1..10),
                    1 => vec((steps_in_one_thread().prop_map(Move::Step), Just(false)), 1..16),
                ],
            ),
            1..20,
        ),
    ) {
        let mut bench = Bench::new();
        bench.set_policy(policy);
        for (other_policy, jump, batch) in batches {
            bench.set_policy(other_policy.unwrap_or(bench.policy));
            bench.now += jump;
            bench.carry_out(&batch);
        }
        bench.check_folders();
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    any::<(bool, bool)>().prop_map(|(known_users_only, show_started_threads)| Policy {
        known_users_only,
        show_started_threads,
    })
}

/// The model, the rows that the rules have made, and what is needed to hold one against the other.
struct Bench {
    policy: Policy,
    now: i64,
    ids: CountedIds,
    rows: Rows,
    tenant: Tenant,
    registry: Registry,
    names: Names,
}

/// Ids in the order of making.
#[derive(Default)]
struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(1, self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            policy: Policy::default(),
            now: 1_000_000,
            ids: CountedIds::default(),
            rows: Rows::default(),
            tenant: Tenant::default(),
            registry: Registry::default(),
            names: Names::default(),
        }
    }

    /// What the deployment settles from here on: settings can change at a restart.
    fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.tenant.policy = reference::Policy {
            known_users_only: policy.known_users_only,
            show_started_threads: policy.show_started_threads,
        };
    }

    /// Carries out a batch, some of its steps twice, and compares all that it has made.
    fn carry_out(&mut self, batch: &[(Move, bool)]) {
        let mut asked = Vec::new();
        for (what, twice) in batch {
            // Chosen among what there was before the batch: nobody has the ids of what it makes.
            let what = match what {
                Move::Step(step) => Asked::Action(step.caller, step.action(&self.tenant)),
                Move::Admin(step) => Asked::Admin(step.clone()),
            };
            asked.extend(twice.then(|| what.clone()));
            asked.push(what);
        }
        let mut needs = Needs::default();
        let commands: Vec<_> = asked
            .iter()
            .map(|what| match what {
                Asked::Action(caller, action) => words::command(&self.names, caller, action),
                Asked::Admin(step) => step.command(self.now),
            })
            .collect();
        for command in &commands {
            needs.add(command);
        }

        let shown = PEOPLE.map(|name| self.shown_to(name));
        let mut state = State::new(self.rows.load(&needs));
        let logged = self.tenant.log.len();
        let mut news = false;
        for (what, command) in asked.iter().zip(&commands) {
            let context = Context {
                now: Time(self.now),
                ids: &self.ids,
                policy: self.policy,
            };
            let decided = state.decide(command, &context);
            // What is changed and changed back within a batch is saved all the same.
            let before = (self.tenant.known.clone(), self.tenant.deactivated.clone());
            let registry = self.registry.clone();
            match what {
                Asked::Action(caller, action) => {
                    let mut words = Words {
                        names: &mut self.names,
                        rows: &self.rows,
                    };
                    let answer = decided
                        .map(|outcome| words.answer(outcome))
                        .map_err(|refusal| words::refusal(command, refusal));
                    let expected = self.tenant.act(caller, self.now, action);
                    assert_eq!(answer, expected, "{caller}: {action:?}");
                }
                Asked::Admin(step) => {
                    let expected = self.registry.act(&mut self.tenant, self.now, step);
                    assert_eq!(admin::answer(decided), expected, "{step:?}");
                }
            }
            let after = (&self.tenant.known, &self.tenant.deactivated);
            news |= (&before.0, &before.1) != after || registry != self.registry;
        }
        news |= logged != self.tenant.log.len();

        let changes = state.changes();
        assert_eq!(
            changes.is_empty(),
            !news,
            "whether there is something to save"
        );
        if changes.is_empty() {
            check_that_nothing_changes(&changes);
        }
        let saved = changes.new_participants.len() + changes.participants.len();
        assert_eq!(state.participants_changed(), saved);
        let update_times = self.update_times();
        self.rows.save(&changes);
        for (before, after) in update_times.iter().zip(self.update_times()) {
            assert!(*before <= after, "an update time went back");
        }
        for (name, before) in PEOPLE.into_iter().zip(shown) {
            let mut events = self.tenant.log[logged..].iter();
            let told = events.any(|event| event.audience.iter().any(|user| user == name));
            let marked = told || changes.profiles;
            assert!(
                marked || self.shown_to(name) == before,
                "what {name} is shown changed, and neither an event nor a mark tells of it"
            );
        }
        self.check_users();
        self.check_threads();
        self.check_messages();
        self.check_log(logged);
    }

    /// All that somebody's pages show: threads, messages, and of whoever takes part, the profile.
    fn shown_to(&self, name: &str) -> impl PartialEq + use<> {
        let views = self.tenant.list(name, reference::Folder::All);
        let shown = views.into_iter().map(|view| {
            let reading = Reading {
                thread: view.thread.name,
                order: Order::OldestFirst,
                exclude_sender: None,
            };
            let people = view.thread.participants.iter().map(|participant| {
                let record = self.rows.users.get(&words::user_id(participant));
                record.map(|record| record.user.profile.clone())
            });
            let people: Vec<_> = people.collect();
            (self.tenant.read(name, &reading), people, view)
        });
        shown.collect::<Vec<_>>()
    }

    fn update_times(&self) -> Vec<Time> {
        let threads = (0..self.tenant.threads.len()).filter_map(|thread| {
            let id = ThreadId(self.names.thread_id(thread));
            self.rows.threads.get(&id)
        });
        threads.map(|thread| thread.update_time).collect()
    }

    fn check_users(&self) {
        for name in PEOPLE {
            let user = words::user_id(name);
            let record = self.rows.users.get(&user);
            let expected = self.registry.find(&self.tenant, name);
            assert_eq!(record.map(admin::seen), expected, "what is kept of {name}");
            let mailbox = self.rows.mailboxes.get(&user).copied();
            let mailbox = mailbox.unwrap_or_default();
            let count = |folder| to_i32(self.tenant.list(name, folder).len());
            let expected = Mailbox {
                inbox: count(reference::Folder::Inbox),
                unread: count(reference::Folder::Unread),
                sent: count(reference::Folder::Sent),
                deleted: count(reference::Folder::Deleted),
                all: count(reference::Folder::All),
                unread_messages: self.tenant.summary(name).unread_messages,
            };
            assert_eq!(mailbox, expected, "{name}'s counts");
            for (folder, counted) in FOLDERS.iter().zip(reference::Folder::EVERY) {
                assert_eq!(mailbox.of(*folder), count(counted), "{name}'s {folder:?}");
            }
        }
    }

    fn check_threads(&self) {
        assert_eq!(self.rows.threads.len(), self.tenant.threads.len());
        for (name, thread) in self.tenant.threads.iter().enumerate() {
            let id = ThreadId(self.names.thread_id(name));
            let seen = self.tenant.thread(name);
            let row = &self.rows.threads[&id];
            assert_eq!(row.subject, seen.subject);
            assert_eq!(row.create_time, Time(seen.create_time));
            assert_eq!(row.update_time, Time(seen.update_time));
            assert_eq!(row.starter.as_str(), seen.participants[0]);
            assert_eq!(row.message_count, seen.message_count);

            let rows: Vec<_> = self.rows.participants_of(id).collect();
            assert_eq!(rows.len(), thread.participants.len());
            for (row, part) in rows.into_iter().zip(&thread.participants) {
                let of_others = thread.numbers_of_others(&part.user);
                let own: Vec<_> = (1..=seen.message_count)
                    .filter(|number| !of_others.contains(number))
                    .collect();
                assert_eq!(row.user.as_str(), part.user);
                assert_eq!(words::placement(row.placement), part.placement);
                assert_eq!(row.placement_time, Time(part.placement_time));
                assert_eq!(row.read_number, part.read_number);
                let unread = self.tenant.unread_numbers(&part.user, name);
                assert_eq!(row.unread_count, to_i32(unread.len()));
                assert_eq!(row.is_unread(), !unread.is_empty());
                assert_eq!(row.sent_count, to_i32(own.len()));
                assert_eq!(row.has_sent(), !own.is_empty());
                assert_eq!(row.last_sent_number, own.last().copied().unwrap_or(0));
                assert_eq!(
                    row.position,
                    to_i64(self.tenant.newest_message_position(name))
                );
            }
        }
    }

    fn check_messages(&self) {
        let mut messages = 0;
        let mut revisions = 0;
        for (thread, state) in self.tenant.threads.iter().enumerate() {
            let mut last_send_time = i64::MIN;
            for (number, message) in (1..).zip(&state.messages) {
                let name = MessageNo { thread, number };
                let seen = self.tenant.message(name);
                let id = MessageId(self.names.message_id(name));
                let row = &self.rows.messages[&id];
                assert_eq!(row.thread, ThreadId(self.names.thread_id(thread)));
                assert_eq!(row.number, number);
                assert_eq!(row.sender.as_str(), seen.sender);
                let up_to_here = (1..=number).zip(&state.messages);
                let own = up_to_here.filter(|(_, other)| other.sender == seen.sender);
                assert_eq!(row.sender_count, to_i32(own.count()));
                assert_eq!(row.content, seen.content);
                assert_eq!(row.send_time, Time(seen.send_time));
                assert!(seen.send_time >= last_send_time, "a send time went back");
                last_send_time = seen.send_time;
                assert_eq!(row.edit_time, seen.edit_time.map(Time));
                assert_eq!(row.revision, seen.revision);

                let event = &self.rows.events[usize::try_from(row.position - 1).unwrap()];
                assert_eq!(
                    (event.kind, event.message),
                    (EventKind::MessageSent, Some(id))
                );
                for (revision, version) in (1..seen.revision).zip(&message.versions) {
                    let mut former = self.rows.revisions.iter();
                    let former = former.find(|row| (row.message, row.revision) == (id, revision));
                    let former = former.expect("a former version");
                    assert_eq!(former.content, *version.content);
                    let next = &message.versions[usize::try_from(revision).unwrap()];
                    assert_eq!(former.replace_time, Time(next.time));
                    revisions += 1;
                }
                messages += 1;
            }
        }
        assert_eq!(self.rows.messages.len(), messages);
        assert_eq!(self.rows.revisions.len(), revisions);
        assert_eq!(self.rows.requests.len(), self.tenant.requests.len());
        for request in &self.tenant.requests {
            let key = (words::user_id(&request.user), words::request_id(request.id));
            let made = self.names.message_id(request.message);
            assert_eq!(self.rows.requests[&key].message, MessageId(made));
        }
    }

    /// Compares the log, of which so much was there before the batch.
    fn check_log(&self, logged_before: usize) {
        let events = &self.rows.events;
        assert_eq!(events.len(), self.tenant.log.len());
        let ids: HashSet<_> = events.iter().map(|event| event.id).collect();
        assert_eq!(
            ids.len(),
            events.len(),
            "an event's id belongs to one event"
        );
        for (index, (event, expected)) in events.iter().zip(&self.tenant.log).enumerate() {
            assert_eq!(event.position, to_i64(index + 1), "positions have no gaps");
            let (kind, message) = match self.tenant.delivery(index + 1, &Watcher::AllUsers) {
                Delivery::Sent { message, .. } => (EventKind::MessageSent, Some(message)),
                Delivery::Edited { message, .. } => (EventKind::MessageEdited, Some(message)),
                Delivery::Changed { .. } => (EventKind::ThreadChanged, None),
            };
            assert_eq!(event.kind, kind);
            let message = message.map(|message| MessageId(self.names.message_id(message.name)));
            assert_eq!(event.message, message);
            assert_eq!(
                event.thread,
                ThreadId(self.names.thread_id(expected.thread()))
            );
            assert_eq!(event.actor.as_str(), expected.actor);
            assert_eq!(event.request_id, expected.request.map(words::request_id));
            let audience: Vec<_> = event.audience.iter().map(UserId::as_str).collect();
            assert_eq!(audience, expected.audience);
            if index >= logged_before {
                assert_eq!(event.time, Time(self.now), "a batch has one time");
            }
        }
    }

    /// Compares what a reader would list, in which order, if it went by the participants' rows.
    fn check_folders(&self) {
        for name in PEOPLE {
            for (folder, expected) in FOLDERS.into_iter().zip(reference::Folder::EVERY) {
                let mut listed: Vec<_> = self
                    .rows
                    .participants
                    .iter()
                    .filter(|(_, part)| part.user.as_str() == name && lists(folder, part))
                    .map(|((thread, _), part)| (part.position, thread.0))
                    .collect();
                listed.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
                let listed: Vec<_> = listed.into_iter().map(|(_, thread)| thread).collect();
                let expected = self.tenant.list(name, expected);
                let expected: Vec<_> = expected
                    .iter()
                    .map(|view| self.names.thread_id(view.thread.name))
                    .collect();
                assert_eq!(listed, expected, "{name}'s {folder:?}");
            }
        }
    }
}

const FOLDERS: [Folder; 5] = [
    Folder::Inbox,
    Folder::Unread,
    Folder::Sent,
    Folder::Deleted,
    Folder::All,
];

fn lists(folder: Folder, part: &Participant) -> bool {
    match folder {
        Folder::Inbox => part.placement == Placement::Inbox,
        Folder::Unread => part.placement == Placement::Inbox && part.is_unread(),
        Folder::Sent => part.placement != Placement::Deleted && part.has_sent(),
        Folder::Deleted => part.placement == Placement::Deleted,
        Folder::All => true,
    }
}

fn to_i32(count: usize) -> i32 {
    i32::try_from(count).unwrap()
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}
