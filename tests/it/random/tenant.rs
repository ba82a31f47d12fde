//! One tenant of the service beside the model of it, compared at each step.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tonic::Status;

use super::{
    moves::Flaw,
    pages::{Page, Pages, walk},
    words,
};
use crate::{
    reference::{
        Action, Folder, MessageSeen, Names, Order, PEOPLE, Reading, Step, Summary, Tenant, View,
        Watch, Watcher,
    },
    support::{Client, GetThreadRequest, GetThreadResponse, ListInboxRequest},
};

/// The service that watches all users, and only ever writes to itself.
pub(super) const NOTIFIER: &str = "notifier";

/// A tenant of the service and the model of it.
pub(super) struct Pair {
    pub(super) model: Tenant,
    pub(super) names: Names,
    /// The model after each event; the first is the one before all.
    pub(super) history: Vec<Tenant>,
    pub(super) clients: BTreeMap<&'static str, Client>,
    /// Tokens to resume from, each with the position that it stands for.
    pub(super) tokens: Vec<(String, usize)>,
}

impl Pair {
    /// A tenant without anything, and a client for each of the people.
    pub(super) fn new(model: Tenant, client: impl Fn(&str) -> Client) -> Self {
        Self {
            history: vec![model.clone()],
            model,
            names: Names::default(),
            clients: PEOPLE
                .into_iter()
                .map(|name| (name, client(name)))
                .collect(),
            tokens: Vec::new(),
        }
    }

    /// Takes a step, and compares the answer or the refusal.
    pub(super) async fn take(&mut self, step: &Step, flaw: Option<Flaw>, now: i64) {
        let mut action = step.action(&self.model);
        if let Some(flaw) = flaw {
            flaw.spoil(&mut action);
        }
        self.make(step.caller, &action, now).await;
    }

    /// Does what an action says, and compares the answer or the refusal.
    pub(super) async fn make(&mut self, caller: &str, action: &Action, now: i64) {
        let expected = self.model.act(caller, now, action);
        let reply = words::call(&self.clients[caller], &self.names, action).await;
        let answer = words::answer(&self.names, reply);
        assert_eq!(answer, expected, "{caller}: {action:?}");
        self.remember();
    }

    /// Takes steps of several people, each of whom is known, at the same time.
    ///
    /// In which order they were carried out is what somebody hears who watches all users.
    pub(super) async fn take_at_once(&mut self, steps: &[Step], now: i64, notifier: &Client) {
        let mut watch = notifier.watch_all().await;
        let calls = steps.iter().map(async |step| {
            let action = step.action(&self.model);
            let reply = words::call(&self.clients[step.caller], &self.names, &action).await;
            (step.caller, (action, reply))
        });
        let mut calls: BTreeMap<_, _> = join_all(calls).await.into_iter().collect();
        let last = Action::Send {
            recipients: vec![NOTIFIER.to_owned()],
            subject: "So far".to_owned(),
            content: "So far".to_owned(),
            request: None,
        };
        let reply = words::call(notifier, &self.names, &last).await;
        calls.insert(NOTIFIER, (last, reply));

        let before = self.position();
        loop {
            let actor = words::actor(&watch.event().await);
            let (action, reply) = calls.remove(actor.as_str()).expect("one event of each");
            let expected = self.model.act(&actor, now, &action);
            let answer = words::answer(&self.names, reply);
            assert_eq!(answer, expected, "{actor}, among others: {action:?}");
            self.remember();
            if actor == NOTIFIER {
                break;
            }
        }
        // Whatever made no event was carried out between two of the others, and changed nothing.
        for (caller, (action, reply)) in calls {
            let answer = words::answer(&self.names, reply);
            let mut states = self.history[before..].iter();
            let explained = states.any(|state| {
                let mut after = state.clone();
                after.act(caller, now, &action) == answer && after.log.len() == state.log.len()
            });
            assert!(
                explained,
                "{caller}, among others: {action:?} came to {answer:?}"
            );
        }
    }

    /// How many events there are.
    pub(super) fn position(&self) -> usize {
        self.model.log.len()
    }

    /// Whether a watch asks for nothing that its caller may not see; the call makes it known.
    pub(super) fn may_watch(&mut self, asked: &Watch) -> bool {
        if let Watcher::Own(user) = &asked.watcher {
            self.model.meet(user);
        }
        match (asked.thread, &asked.watcher) {
            (None, _) => true,
            (Some(thread), Watcher::Own(user)) => self.model.place_of(user, thread).is_ok(),
            (Some(thread), Watcher::AllUsers) => thread < self.model.threads.len(),
        }
    }

    fn remember(&mut self) {
        if self.history.len() <= self.position() {
            self.history.push(self.model.clone());
        }
        assert_eq!(
            self.history.len(),
            self.position() + 1,
            "a call makes one event at most"
        );
    }

    /// Compares a user's counts.
    pub(super) async fn check_summary(&mut self, user: &'static str) {
        self.model.meet(user);
        let answer = self.clients[user].summary().await;
        let count = |number: i32| usize::try_from(number).expect("no count is negative");
        let counts = Summary {
            inbox_threads: count(answer.inbox_thread_count),
            unread_threads: count(answer.unread_thread_count),
            deleted_threads: count(answer.deleted_thread_count),
            unread_messages: answer.unread_message_count,
        };
        assert_eq!(counts, self.model.summary(user), "{user}'s summary");
        assert_eq!(words::user(answer.user), user);
        self.tokens.push((answer.resume_token, self.position()));
    }

    /// Compares the newest of a user's threads, and the thread's messages: pages that are asked for
    /// again and again, of which most have been sent before.
    pub(super) async fn check_newest(&mut self, user: &'static str) {
        let Some(newest) = self.model.list(user, Folder::All).first().cloned() else {
            return;
        };
        let request = ListInboxRequest {
            page_size: 1,
            folder: words::folder(Folder::All).into(),
            ..Default::default()
        };
        let answer = self.clients[user].list_inbox(request).await;
        let answer = answer.expect("a folder is listed");
        let view = words::view(&self.names, answer.threads.into_iter().next());
        assert_eq!(view, newest, "{user}'s newest thread");
        self.tokens.push((answer.resume_token, self.position()));
        let reading = Reading {
            thread: newest.thread.name,
            order: Order::NewestFirst,
            exclude_sender: None,
        };
        self.check_thread(user, &reading, 0, None, &[200]).await;
    }

    /// Walks through a folder.
    pub(super) async fn check_folder(
        &mut self,
        user: &'static str,
        folder: Folder,
        skip: usize,
        sizes: &[usize],
    ) {
        self.model.meet(user);
        let all = self.model.list(user, folder);
        let mut pages = FolderPages {
            pair: self,
            user,
            folder,
            skip,
            total_size: all.len(),
        };
        walk(&mut pages, &all, skip, sizes).await;
    }

    /// Walks through a thread, marking what is returned as read or not.
    pub(super) async fn check_thread(
        &mut self,
        user: &'static str,
        reading: &Reading,
        start_number: i32,
        mark_at: Option<i64>,
        sizes: &[usize],
    ) {
        self.model.meet(user);
        let all = self.model.read(user, reading);
        let first = reading.place_of(start_number, all.as_deref().unwrap_or_default());
        let mut pages = ThreadPages {
            pair: self,
            user,
            reading,
            start_number,
            mark_at,
        };
        match all {
            Ok(all) => walk(&mut pages, &all, first, sizes).await,
            Err(expected) => {
                let refused = pages.ask("", 1).await;
                let refused = refused.expect_err("a thread that is not the user's");
                assert_eq!(words::refusal(&refused), expected);
            }
        }
    }
}

struct FolderPages<'a> {
    pair: &'a mut Pair,
    user: &'static str,
    folder: Folder,
    skip: usize,
    total_size: usize,
}

impl Pages for FolderPages<'_> {
    type Item = View;

    async fn page(&mut self, token: &str, size: usize) -> Page<View> {
        let skip = if token.is_empty() { self.skip } else { 0 };
        let request = ListInboxRequest {
            page_size: number(size),
            page_token: token.to_owned(),
            folder: words::folder(self.folder).into(),
            skip: number(skip),
        };
        let answer = self.pair.clients[self.user].list_inbox(request).await;
        let answer = answer.expect("a folder is listed");
        assert_eq!(
            answer.total_size,
            number(self.total_size),
            "{:?}",
            self.folder
        );
        let position = self.pair.position();
        self.pair.tokens.push((answer.resume_token, position));
        let names = &self.pair.names;
        let views = answer.threads.into_iter();
        Page {
            items: views.map(|view| words::view(names, Some(view))).collect(),
            next: answer.next_page_token,
            previous: answer.previous_page_token,
        }
    }
}

struct ThreadPages<'a> {
    pair: &'a mut Pair,
    user: &'static str,
    reading: &'a Reading,
    start_number: i32,
    mark_at: Option<i64>,
}

impl ThreadPages<'_> {
    async fn ask(&self, token: &str, size: usize) -> Result<GetThreadResponse, Status> {
        let request = GetThreadRequest {
            thread_id: words::thread_id(&self.pair.names, self.reading.thread),
            page_size: number(size),
            page_token: token.to_owned(),
            order: words::order(self.reading.order).into(),
            exclude_sender_id: self.reading.exclude_sender.clone().unwrap_or_default(),
            mark_read: self.mark_at.is_some(),
            start_number: if token.is_empty() {
                self.start_number
            } else {
                0
            },
        };
        self.pair.clients[self.user].get_thread(request).await
    }
}

impl Pages for ThreadPages<'_> {
    type Item = MessageSeen;

    async fn page(&mut self, token: &str, size: usize) -> Page<MessageSeen> {
        let answer = self.ask(token, size).await.expect("a thread is read");
        let Pair {
            model,
            names,
            tokens,
            ..
        } = &mut *self.pair;
        // The token is from before the marking.
        tokens.push((answer.resume_token, model.log.len()));
        let messages = answer.messages.into_iter();
        let items: Vec<_> = messages
            .map(|message| words::message_seen(names, Some(message)))
            .collect();
        let thread = self.reading.thread;
        let expected = match self.mark_at {
            Some(now) => model.mark_page_read(self.user, now, thread, &items),
            None => model.view(self.user, thread),
        };
        assert_eq!(Some(words::view(names, answer.view)), expected);
        self.pair.remember();
        Page {
            items,
            next: answer.next_page_token,
            previous: answer.previous_page_token,
        }
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).expect("tests stay small")
}
