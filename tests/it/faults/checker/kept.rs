//! What clients were told beside what is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Violation};
use crate::{
    faults::accounts::{Accounts, Asked, Call, KeptThread},
    reference::{Action, MessageNo, MessageSeen, Placement, Summary, View},
};

pub(super) fn check(accounts: &Accounts) -> Vec<Violation> {
    let mut violations = Vec::new();
    acknowledged(accounts, &mut violations);
    once(accounts, &mut violations);
    for (name, thread) in &accounts.kept.threads {
        numbered(*name, thread, &mut violations);
        timed(*name, thread, &mut violations);
    }
    counted(accounts, &mut violations);
    violations
}

/// Every message that was acknowledged is there, and of whom it was acknowledged.
fn acknowledged(accounts: &Accounts, violations: &mut Vec<Violation>) {
    for call in &accounts.calls {
        let Some(told) = call.sent() else { continue };
        let kept = kept_message(accounts, told.name);
        if kept.is_none_or(|kept| kept.sender != call.caller || kept.revision < told.revision) {
            let what = format!("{call} was acknowledged; kept is {kept:?}");
            violations.push(Violation::new(Rule::Kept, what));
        }
    }
}

fn kept_message(accounts: &Accounts, name: MessageNo) -> Option<&MessageSeen> {
    let thread = accounts.kept.threads.get(&name.thread)?;
    let mut messages = thread.messages.iter();
    messages.find(|message| message.name == name)
}

/// A request and the message that it has made belong to each other; and what is kept of a content
/// that one request has brought is kept once.
fn once(accounts: &Accounts, violations: &mut Vec<Violation>) {
    let mut messages: BTreeMap<(&str, u32), BTreeSet<MessageNo>> = BTreeMap::new();
    let mut requests: BTreeMap<MessageNo, BTreeSet<(&str, u32)>> = BTreeMap::new();
    for call in &accounts.calls {
        if let (Some(told), Some(request)) = (call.sent(), call.request()) {
            let request = (call.caller.as_str(), request);
            messages.entry(request).or_default().insert(told.name);
            requests.entry(told.name).or_default().insert(request);
        }
    }
    for (request, messages) in messages.iter().filter(|(_, messages)| messages.len() > 1) {
        let what = format!("request {request:?} was told that it has made {messages:?}");
        violations.push(Violation::new(Rule::Once, what));
    }
    for (message, requests) in requests.iter().filter(|(_, requests)| requests.len() > 1) {
        let what = format!("{message:?} was told to have been made by {requests:?}");
        violations.push(Violation::new(Rule::Once, what));
    }

    let brought: BTreeSet<&str> = accounts.calls.iter().filter_map(content).collect();
    let mut kept: BTreeMap<&str, Vec<MessageNo>> = BTreeMap::new();
    for message in all_messages(accounts) {
        kept.entry(&message.content).or_default().push(message.name);
    }
    for (content, messages) in kept {
        // Contents are unique to a request.
        if messages.len() > 1 {
            let what = format!("{content:?} is kept as {messages:?}");
            violations.push(Violation::new(Rule::Once, what));
        }
        if !brought.contains(content) {
            let what = format!("{content:?}, kept as {messages:?}, was sent by nobody");
            violations.push(Violation::new(Rule::Once, what));
        }
    }
}

fn all_messages(accounts: &Accounts) -> impl Iterator<Item = &MessageSeen> {
    let threads = accounts.kept.threads.values();
    threads.flat_map(|thread| &thread.messages)
}

/// What a call brings.
fn content(call: &Call) -> Option<&str> {
    match &call.asked {
        Asked::Act(
            Action::Send { content, .. }
            | Action::Reply { content, .. }
            | Action::Edit { content, .. },
        ) => Some(content),
        _ => None,
    }
}

fn numbered(name: usize, thread: &KeptThread, violations: &mut Vec<Violation>) {
    let numbers = thread.messages.iter().map(|message| message.name.number);
    let numbers: Vec<i32> = numbers.collect();
    let counts: BTreeSet<i32> = thread
        .views
        .values()
        .map(|view| view.thread.message_count)
        .collect();
    let gapless = (1..).zip(&numbers).all(|(number, kept)| number == *kept);
    if !gapless || counts.iter().any(|count| count_of(&numbers) != *count) {
        let what = format!("thread {name} has messages {numbers:?}, and counts {counts:?}");
        violations.push(Violation::new(Rule::Numbered, what));
    }
}

fn timed(name: usize, thread: &KeptThread, violations: &mut Vec<Violation>) {
    let mut latest = i64::MIN;
    for message in &thread.messages {
        let edited = message.edit_time.unwrap_or(message.send_time);
        if message.send_time <= latest || edited < message.send_time {
            let what = format!("thread {name} has, after {latest}, {message:?}");
            violations.push(Violation::new(Rule::Timed, what));
        }
        latest = message.send_time;
    }
}

/// Summaries count what the views say, and `letterbox check` has found nothing.
fn counted(accounts: &Accounts, violations: &mut Vec<Violation>) {
    for (user, summary) in &accounts.kept.summaries {
        let views = accounts.kept.threads.values();
        let views: Vec<&View> = views.filter_map(|thread| thread.views.get(user)).collect();
        let inbox = || {
            let views = views.iter();
            views.filter(|view| view.placement == Placement::Inbox)
        };
        let deleted = views.iter();
        let counted = Summary {
            inbox_threads: inbox().count(),
            unread_threads: inbox().filter(|view| view.unread).count(),
            deleted_threads: deleted
                .filter(|view| view.placement == Placement::Deleted)
                .count(),
            unread_messages: inbox().map(|view| view.unread_count).sum(),
        };
        if counted != *summary {
            let what = format!("{user} is told {summary:?}, and has {counted:?}");
            violations.push(Violation::new(Rule::Counted, what));
        }
    }
    for thread in accounts.kept.threads.values() {
        for (user, view) in &thread.views {
            let messages = thread.messages.iter();
            let unread = messages.filter(|message| {
                message.name.number > view.read_number && message.sender != *user
            });
            let unread = unread.count();
            if count_of(&vec![(); unread]) != view.unread_count || view.unread != (unread > 0) {
                let what = format!("{user} has {unread} unread, and is told {view:?}");
                violations.push(Violation::new(Rule::Counted, what));
            }
        }
    }
    let found = accounts.kept.disagreements.iter();
    violations.extend(found.map(|line| Violation::new(Rule::Counted, line)));
}

fn count_of<T>(all: &[T]) -> i32 {
    i32::try_from(all.len()).expect("tests stay small")
}
