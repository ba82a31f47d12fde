//! Whether the calls of each thread have an order that explains all of their answers.
//!
//! The search is that of Wing and Gong, with states remembered as Lowe does: a call can come next
//! where none that is left was answered before it began; the naive model says what it has to
//! answer in that place. A call that changes something has to be the log's next event of the
//! thread; a read that is answered rightly here need not be tried later.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    Rule, Violation,
    alone::{STILL, alone, kept_alone},
};
use crate::{
    faults::accounts::{Accounts, Asked, Call, KeptThread, Moment, PAGE, Saw, Told},
    reference::{Action, Delivery, Kind, MessageNo, Order, Reading, Tenant},
};

/// After so many states a search is given up, which counts as a violation: runs are small.
const STATES_MAX: usize = 200_000;

pub(super) fn check(accounts: &Accounts, log: Option<&[Saw]>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut threads: BTreeMap<usize, Vec<Call>> = BTreeMap::new();
    for call in &accounts.calls {
        let thread = call.thread().or_else(|| started_by(accounts, call));
        if let Some(thread) = thread {
            threads.entry(thread).or_default().push(alone(call));
        }
    }
    for (thread, calls) in &threads {
        let log = log.map(|log| {
            let events = log.iter().filter(|saw| saw.thread() == *thread);
            events.map(Event::seen).collect()
        });
        let kept = accounts.kept.threads.get(thread);
        if let Err(why) = Search::new(calls, log, kept).run() {
            let what = format!("thread {thread}: {why}");
            violations.push(Violation::new(Rule::Linearizable, what));
        }
    }
    if let Some(log) = log {
        violations.extend(in_real_time(accounts, log));
    }
    violations
}

/// The thread that an unanswered call has started, as the content of its first message tells.
fn started_by(accounts: &Accounts, call: &Call) -> Option<usize> {
    let Asked::Act(Action::Send {
        content, request, ..
    }) = &call.asked
    else {
        return None;
    };
    let answered = accounts.calls.iter().find(|other| {
        other.caller == call.caller && other.request() == *request && other.sent().is_some()
    });
    answered.and_then(Call::thread).or_else(|| {
        let mut threads = accounts.kept.threads.iter();
        let found = threads.find(|(_, thread)| {
            thread.messages.first().map(|first| &first.content) == Some(content)
        });
        found.map(|(name, _)| *name)
    })
}

/// Across threads: the log has a message after those that were acknowledged before it was sent.
fn in_real_time(accounts: &Accounts, log: &[Saw]) -> Vec<Violation> {
    let positions: BTreeMap<MessageNo, usize> = log
        .iter()
        .enumerate()
        .filter_map(|(position, saw)| Some((saw.sent()?, position)))
        .collect();
    // Of a message that was retried: the first attempt's begin, the first acknowledgement.
    let mut begun: BTreeMap<(&str, u32), Moment> = BTreeMap::new();
    for call in &accounts.calls {
        if let Some(request) = call.request() {
            let first = begun.entry((&call.caller, request)).or_insert(call.begun);
            *first = call.begun.min(*first);
        }
    }
    let begun_of = |call: &Call| {
        let request = call.request();
        let first = request.and_then(|request| begun.get(&(call.caller.as_str(), request)));
        first.copied().unwrap_or(call.begun)
    };
    let mut sent: Vec<(Moment, Moment, usize)> = accounts
        .calls
        .iter()
        .filter_map(|call| {
            let position = positions.get(&call.sent()?.name)?;
            Some((begun_of(call), call.answered.as_ref()?.0, *position))
        })
        .collect();
    sent.sort_unstable();
    let mut answered: Vec<(Moment, usize)> = sent.iter().map(|one| (one.1, one.2)).collect();
    answered.sort_unstable();
    let mut answered = answered.into_iter().peekable();
    let mut newest = None;
    let mut violations = Vec::new();
    for (begun, _, position) in sent {
        while let Some((_, earlier)) = answered.next_if(|(moment, _)| *moment < begun) {
            newest = newest.max(Some(earlier));
        }
        if newest.is_some_and(|newest| newest > position) {
            let what = format!("event {position} was begun after event {newest:?} was answered");
            violations.push(Violation::new(Rule::Linearizable, what));
        }
    }
    violations
}

/// What an event of one thread is, in the log and in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    kind: Kind,
    number: Option<i32>,
    actor: String,
}

impl Event {
    fn seen(saw: &Saw) -> Self {
        let (kind, number) = match &saw.delivery {
            Delivery::Sent { message, .. } => (Kind::Sent, Some(message.name.number)),
            Delivery::Edited { message, .. } => (Kind::Edited, Some(message.name.number)),
            Delivery::Changed { .. } => (Kind::Changed, None),
        };
        Self {
            kind,
            number,
            actor: saw.actor.clone(),
        }
    }
}

/// A place in a search.
#[derive(Clone)]
struct Place {
    model: Tenant,
    /// Which calls have been put in order.
    done: Vec<bool>,
}

struct Search<'a> {
    calls: &'a [Call],
    log: Option<Vec<Event>>,
    kept: Option<KeptThread>,
    /// The calls that were in order when the search had come farthest, for whoever reads why.
    farthest: (usize, Vec<bool>, String),
}

impl<'a> Search<'a> {
    fn new(calls: &'a [Call], log: Option<Vec<Event>>, kept: Option<&KeptThread>) -> Self {
        Self {
            calls,
            log,
            kept: kept.map(kept_alone),
            farthest: (0, vec![false; calls.len()], String::new()),
        }
    }

    fn run(mut self) -> Result<(), String> {
        let mut visited = HashSet::new();
        let mut places = vec![Place {
            model: Tenant::default(),
            done: vec![false; self.calls.len()],
        }];
        while let Some(mut place) = places.pop() {
            self.put_reads(&mut place);
            if self.is_end(&place) {
                return Ok(());
            }
            if !visited.insert(key(&place)) {
                continue;
            }
            if visited.len() > STATES_MAX {
                return Err("given up after too many states".to_owned());
            }
            let count = place.done.iter().filter(|done| **done).count();
            if count >= self.farthest.0 {
                let state = format!("{:?}", place.model.threads);
                self.farthest = (count, place.done.clone(), state);
            }
            places.extend(self.next(&place));
        }
        Err(self.why())
    }

    /// Puts each read that is answered rightly where it is possible.
    ///
    /// Not so what writes and would change nothing here: later it may change something.
    fn put_reads(&self, place: &mut Place) {
        while let Some(index) = self.possible(place).into_iter().find(|index| {
            matches!(self.calls[*index].asked, Asked::Read(_)) && self.put(place, *index).is_some()
        }) {
            place.done[index] = true;
        }
    }

    /// The places that follow, the likeliest last.
    fn next(&self, place: &Place) -> Vec<Place> {
        let mut possible = self.possible(place);
        possible.sort_by_key(|index| {
            let answered = self.calls[*index].answered.as_ref();
            std::cmp::Reverse(answered.map_or(Moment::MAX, |(moment, _)| *moment))
        });
        let next = possible.into_iter().filter_map(|index| {
            if self.has_a_twin(place, index) {
                return None;
            }
            let model = self.put(place, index)?;
            let changed = model.log.len() > place.model.log.len();
            if !changed && self.calls[index].answered.is_none() {
                // As good as never carried out.
                return None;
            }
            let mut done = place.done.clone();
            done[index] = true;
            Some(Place { model, done })
        });
        next.collect()
    }

    /// Whether somebody asked for the same before, and has not been answered either: which of the
    /// two it was makes no difference, and after an outage there are many.
    fn has_a_twin(&self, place: &Place, index: usize) -> bool {
        let call = &self.calls[index];
        let mut others = self.calls.iter().zip(&place.done).enumerate();
        call.answered.is_none()
            && others.any(|(place, (other, done))| {
                !done
                    && other.answered.is_none()
                    && (other.begun, place) < (call.begun, index)
                    && (&other.caller, &other.asked) == (&call.caller, &call.asked)
            })
    }

    /// The calls that can come next: none that is left was answered before they began.
    fn possible(&self, place: &Place) -> Vec<usize> {
        let left = || (0..self.calls.len()).filter(|index| !place.done[*index]);
        let answered = left().filter_map(|index| self.calls[index].answered.as_ref());
        let horizon = answered.map(|(moment, _)| *moment).min();
        left()
            .filter(|index| horizon.is_none_or(|horizon| self.calls[*index].begun <= horizon))
            .collect()
    }

    /// The model after a call; none where it would have been answered otherwise.
    fn put(&self, place: &Place, index: usize) -> Option<Tenant> {
        let call = &self.calls[index];
        let mut model = place.model.clone();
        let told = match &call.asked {
            Asked::Act(action) => match model.act(&call.caller, STILL, action) {
                Ok(answer) => Told::Answer(answer),
                Err(refusal) => Told::Refused(refusal),
            },
            Asked::Read(thread) => read(&model, &call.caller, *thread),
        };
        if let Some((_, answered)) = &call.answered
            && *answered != told
        {
            return None;
        }
        let position = place.model.log.len();
        if let (Some(log), Some(_)) = (&self.log, model.log.get(position)) {
            let event = Event::happened(&model, position);
            (log.get(position) == Some(&event)).then_some(())?;
        }
        self.may_stay(&model, position).then_some(model)
    }

    /// Whether an event leaves a message as it is kept, where it is kept in that revision.
    fn may_stay(&self, model: &Tenant, position: usize) -> bool {
        let (Some(kept), Some(event)) = (&self.kept, model.log.get(position)) else {
            return true;
        };
        let Some(name) = event.message() else {
            return true;
        };
        let message = model.message(name);
        let mut kept = kept.messages.iter();
        kept.find(|kept| kept.name == message.name)
            .is_none_or(|kept| kept.revision != message.revision || *kept == message)
    }

    fn is_end(&self, place: &Place) -> bool {
        let mut calls = self.calls.iter().zip(&place.done);
        let all_answered = calls.all(|(call, done)| *done || call.answered.is_none());
        let all_logged = self
            .log
            .as_ref()
            .is_none_or(|log| log.len() == place.model.log.len());
        all_answered && all_logged && self.is_kept(&place.model)
    }

    fn is_kept(&self, model: &Tenant) -> bool {
        let (Some(kept), Some(thread)) = (&self.kept, model.threads.first()) else {
            return self.kept.is_none() && model.threads.is_empty();
        };
        let numbers = 1..=thread.newest_number();
        let messages = numbers.map(|number| model.message(MessageNo { thread: 0, number }));
        let mut views = kept.views.iter();
        messages.eq(kept.messages.iter().cloned())
            && views.all(|(user, view)| model.view(user, 0).as_ref() == Some(view))
    }

    fn why(&self) -> String {
        let (_, done, state) = &self.farthest;
        let mut calls: Vec<(&Call, &bool)> = self.calls.iter().zip(done).collect();
        calls.sort_by_key(|(call, _)| call.begun);
        let calls: Vec<String> = calls
            .into_iter()
            .map(|(call, done)| format!("  {} {call}", if *done { "put " } else { "left" }))
            .collect();
        let log: Vec<String> = self.log.iter().flatten().map(Event::to_string).collect();
        format!(
            "no order explains the answers\n{}\nlog: {}\nthe best attempt comes to {state}",
            calls.join("\n"),
            log.join(", "),
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            number,
            actor,
        } = self;
        write!(formatter, "{actor} {kind:?}")?;
        number.map_or(Ok(()), |number| write!(formatter, " {number}"))
    }
}

impl Event {
    fn happened(model: &Tenant, position: usize) -> Self {
        let event = &model.log[position];
        Self {
            kind: event.kind(),
            number: event.message().map(|message| message.number),
            actor: event.actor.clone(),
        }
    }
}

fn read(model: &Tenant, caller: &str, thread: usize) -> Told {
    let reading = Reading {
        thread,
        order: Order::NewestFirst,
        exclude_sender: None,
    };
    match (model.view(caller, thread), model.read(caller, &reading)) {
        (Some(view), Ok(mut messages)) => {
            messages.truncate(PAGE);
            Told::Read(view, messages)
        }
        (_, Err(refusal)) => Told::Refused(refusal),
        (None, Ok(_)) => unreachable!("who can read a thread has a view of it"),
    }
}

/// The same calls may come to the same threads in orders of which only one is the log's: what
/// changes nothing in one has an event in another.
fn key(place: &Place) -> (Vec<bool>, usize, u64) {
    let mut hasher = DefaultHasher::new();
    format!("{:?}", place.model.threads).hash(&mut hasher);
    (place.done.clone(), place.model.log.len(), hasher.finish())
}
