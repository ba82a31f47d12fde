//! Compares the three accounts of a run. A pure function: forged accounts test it.

mod alone;
mod kept;
mod order;
mod tests;
mod watched;

use std::fmt;

use super::accounts::{Accounts, Saw};
use crate::reference::Watcher;

/// What the accounts have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Every acknowledged message is there, as it was acknowledged.
    Kept,
    /// No request has made two messages, and no message is of two requests.
    Once,
    /// A thread's messages are numbered 1, 2, 3 …
    Numbered,
    /// Times follow the numbers, whatever the clocks do.
    Timed,
    /// The log tells of exactly what is kept.
    Logged,
    /// A watcher sees its part of the log: all of it, in order, each event once.
    Watched,
    /// A token expires only where events are not kept for long enough.
    NotExpired,
    /// Each thread's calls have an order that explains every answer, that the log has too, and in
    /// which a call that began after another was answered comes after it.
    Linearizable,
    /// Every count agrees.
    Counted,
    /// Nothing fails in a way that no fault explains.
    Explained,
}

/// Something that the accounts do not agree on.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    what: String,
}

impl Violation {
    fn new(rule: Rule, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { rule, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.rule, self.what)
    }
}

/// All that the accounts do not agree on.
pub(crate) fn check(accounts: &Accounts) -> Vec<Violation> {
    let log = log(accounts);
    let mut violations = kept::check(accounts);
    violations.extend(watched::check(accounts, log));
    violations.extend(order::check(accounts, log));
    let unexplained = accounts.unexplained.iter();
    violations.extend(unexplained.map(|what| Violation::new(Rule::Explained, what)));
    violations
}

/// The log, as somebody has seen it who watches all users and whose token never expired.
fn log(accounts: &Accounts) -> Option<&[Saw]> {
    accounts.watched.iter().find_map(|watched| {
        match (&watched.watcher, watched.stretches.as_slice()) {
            (Watcher::AllUsers, [all]) => Some(all.as_slice()),
            _ => None,
        }
    })
}
