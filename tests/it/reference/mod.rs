//! A naive model of what the contract promises, to hold the service against.
//!
//! It is one plain vector of threads, each with its participants and messages, and one of events.
//! It keeps nothing that can be worked out: every count, total, summary, list and order is found
//! by going through all of it each time. It is slow, it shares no code with the service, and it
//! must never learn how the service does anything.
//!
//! Things are named by their place here: the thread that was started first is 0. What the service
//! calls them is in [`Names`].

use std::sync::Arc;

mod log;
mod names;
mod reading;
mod steps;
mod words;
mod writing;

pub(crate) use log::{Delivery, Event, Kind, Watch, Watcher};
pub(crate) use names::Names;
pub(crate) use reading::{Reading, Summary};
pub(crate) use steps::{PEOPLE, Step, steps, steps_in_one_thread};
pub(crate) use words::{
    Action, Answer, Folder, MessageNo, MessageSeen, Order, Placement, Policy, Refusal, ThreadSeen,
    View,
};

/// All that one tenant holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tenant {
    pub(crate) policy: Policy,
    /// Who has made a call.
    pub(crate) known: Vec<String>,
    /// Whom an admin has deactivated, and when.
    pub(crate) deactivated: Vec<(String, i64)>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) requests: Vec<Request>,
    /// What happened, in order: the first event has position 1.
    pub(crate) log: Vec<Event>,
}

/// A thread; who started it is its first participant.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) subject: String,
    pub(crate) participants: Vec<Participant>,
    /// Number 1 first.
    pub(crate) messages: Vec<Message>,
}

/// One user's part in a thread.
#[derive(Clone, Debug)]
pub(crate) struct Participant {
    pub(crate) user: String,
    pub(crate) placement: Placement,
    pub(crate) placement_time: i64,
    pub(crate) read_number: i32,
}

/// A message with all that it has ever said; the first version is the one that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) sender: String,
    pub(crate) versions: Vec<Version>,
}

/// What a message said from some time on.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// Shared, since tests keep many copies of a tenant.
    pub(crate) content: Arc<str>,
    pub(crate) time: i64,
}

/// A request that was carried out under an id.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) user: String,
    pub(crate) id: u32,
    /// What was asked for, in the form in which equal requests are equal.
    pub(crate) asked: Action,
    pub(crate) message: MessageNo,
}
