//! What watchers saw beside the log, and the log beside what is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Violation};
use crate::{
    faults::accounts::{Accounts, Saw, Watched},
    reference::{Delivery, MessageNo},
};

pub(super) fn check(accounts: &Accounts, log: Option<&[Saw]>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for watched in &accounts.watched {
        if watched.stretches.len() > 1 && !accounts.may_expire {
            let what = format!("a token of {:?} has expired", watched.watcher);
            violations.push(Violation::new(Rule::NotExpired, what));
        }
        let difference = match log {
            Some(log) => differs(watched, log),
            None => repeats(watched),
        };
        if let Some(difference) = difference {
            let what = format!("{:?} {difference}", watched.watcher);
            violations.push(Violation::new(Rule::Watched, what));
        }
    }
    requests(accounts, &mut violations);
    if let Some(log) = log {
        logged(accounts, log, &mut violations);
    }
    violations
}

/// How what a watcher saw differs from its part of the log.
fn differs(watched: &Watched, log: &[Saw]) -> Option<String> {
    let mut expected = log.iter().filter(|event| event.concerns(&watched.watcher));
    for (index, stretch) in watched.stretches.iter().enumerate() {
        for (place, saw) in stretch.iter().enumerate() {
            let next = if index > 0 && place == 0 {
                // What has expired is not seen.
                expected.find(|event| event.token == saw.token)
            } else {
                expected.next()
            };
            if next.is_none_or(|next| !is_same(next, saw)) {
                return Some(format!("saw {saw:?} where the log has {next:?}"));
            }
        }
    }
    if let [_, .., last] = watched.stretches.as_slice()
        && last.is_empty()
    {
        // All that was left has expired.
        return None;
    }
    let next = expected.next()?;
    Some(format!("did not see {next:?}"))
}

/// Whether two deliveries are of the same event; what they say may have changed between them.
fn is_same(one: &Saw, other: &Saw) -> bool {
    std::mem::discriminant(&one.delivery) == std::mem::discriminant(&other.delivery)
        && (&one.token, one.thread(), one.sent(), &one.actor)
            == (&other.token, other.thread(), other.sent(), &other.actor)
}

/// What a watcher saw twice.
fn repeats(watched: &Watched) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut all = watched.stretches.iter().flatten();
    let again = all.find(|saw| !seen.insert(&saw.token))?;
    Some(format!("saw {again:?} twice"))
}

/// No request has made two messages: a sender's own watch says which message is of which request.
fn requests(accounts: &Accounts, violations: &mut Vec<Violation>) {
    let mut made: BTreeMap<(&str, u32), BTreeSet<MessageNo>> = BTreeMap::new();
    let watches = accounts.watched.iter();
    for saw in watches.flat_map(|watched| watched.stretches.iter().flatten()) {
        if let Delivery::Sent {
            message,
            request: Some(request),
            ..
        } = &saw.delivery
        {
            let made = made.entry((&saw.actor, *request)).or_default();
            made.insert(message.name);
        }
    }
    for (request, messages) in made.iter().filter(|(_, messages)| messages.len() > 1) {
        let what = format!("request {request:?} has made {messages:?}");
        violations.push(Violation::new(Rule::Once, what));
    }
}

/// The log has each message that is kept, in the order of the numbers, and as many edits as it has
/// had; and what it delivers is not older than the event.
fn logged(accounts: &Accounts, log: &[Saw], violations: &mut Vec<Violation>) {
    let mut counts: BTreeMap<usize, i32> = BTreeMap::new();
    let mut revisions: BTreeMap<MessageNo, i32> = BTreeMap::new();
    let mut fail = |what: String| violations.push(Violation::new(Rule::Logged, what));
    for saw in log {
        match &saw.delivery {
            Delivery::Sent { message, .. } => {
                let count = counts.entry(message.name.thread).or_default();
                *count += 1;
                if message.name.number != *count {
                    fail(format!("message {count} was to come, and not {saw:?}"));
                    *count = message.name.number;
                }
                revisions.insert(message.name, 1);
            }
            Delivery::Edited { message, .. } => {
                let revision = revisions.entry(message.name).or_default();
                *revision += 1;
                if message.revision < *revision {
                    fail(format!("of an edit to revision {revision}: {saw:?}"));
                }
            }
            Delivery::Changed { view, .. } => {
                let count = counts.get(&view.thread.name).copied();
                if count.unwrap_or_default() > view.thread.message_count {
                    fail(format!("as it was before {count:?} messages: {saw:?}"));
                }
            }
        }
    }
    let threads = accounts.kept.threads.values();
    let kept: BTreeMap<MessageNo, i32> = threads
        .flat_map(|thread| &thread.messages)
        .map(|message| (message.name, message.revision))
        .collect();
    for (name, revision) in &kept {
        let told = revisions.get(name);
        if told != Some(revision) {
            let revision = Some(revision);
            fail(format!(
                "{name:?} is kept in revision {revision:?}, the log has {told:?}"
            ));
        }
    }
    for (name, told) in revisions
        .iter()
        .filter(|(name, _)| !kept.contains_key(name))
    {
        fail(format!(
            "{name:?} is in the log in revision {told}, and not kept"
        ));
    }
}
