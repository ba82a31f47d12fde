//! What happened, and what each watcher is told of it.

use super::{MessageNo, MessageSeen, Tenant, ThreadSeen, View};

/// An event, as it was when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) happening: Happening,
    /// Whose doing it was.
    pub(crate) actor: String,
    /// Who is told, in the order of the participants.
    pub(crate) audience: Vec<String>,
    pub(crate) request: Option<u32>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    Sent(MessageNo),
    Edited(MessageNo),
    /// The actor's own view of a thread changed.
    Changed(usize),
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sent,
    Edited,
    Changed,
}

/// Whose events to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watcher {
    Own(String),
    AllUsers,
}

/// What a watch asks for.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) watcher: Watcher,
    pub(crate) thread: Option<usize>,
    /// Empty: every kind.
    pub(crate) kinds: Vec<Kind>,
}

/// An event, as a watcher receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Sent {
        message: MessageSeen,
        thread: ThreadSeen,
        reply: bool,
        recipients: Vec<String>,
        request: Option<u32>,
    },
    Edited {
        message: MessageSeen,
        thread: ThreadSeen,
    },
    Changed {
        view: View,
        user: String,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> Kind {
        match self.happening {
            Happening::Sent(_) => Kind::Sent,
            Happening::Edited(_) => Kind::Edited,
            Happening::Changed(_) => Kind::Changed,
        }
    }

    pub(crate) fn thread(&self) -> usize {
        match self.happening {
            Happening::Sent(message) | Happening::Edited(message) => message.thread,
            Happening::Changed(thread) => thread,
        }
    }

    pub(crate) fn message(&self) -> Option<MessageNo> {
        match self.happening {
            Happening::Sent(message) | Happening::Edited(message) => Some(message),
            Happening::Changed(_) => None,
        }
    }
}

impl Watch {
    fn takes(&self, event: &Event) -> bool {
        let concerned = match &self.watcher {
            Watcher::Own(user) => event.audience.contains(user),
            Watcher::AllUsers => true,
        };
        concerned
            && self.thread.is_none_or(|thread| thread == event.thread())
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind()))
    }
}

impl Tenant {
    /// The positions of the events that a watch delivers after a position.
    pub(crate) fn watched(&self, watch: &Watch, after: usize) -> Vec<usize> {
        let positioned = (1..).zip(&self.log);
        positioned
            .filter(|(position, event)| *position > after && watch.takes(event))
            .map(|(position, _)| position)
            .collect()
    }

    /// What a watcher receives for an event, where it is delivered in this state.
    pub(crate) fn delivery(&self, position: usize, watcher: &Watcher) -> Delivery {
        let event = &self.log[position - 1];
        match event.happening {
            Happening::Sent(message) => Delivery::Sent {
                message: self.message(message),
                thread: self.thread(message.thread),
                reply: message.number > 1,
                recipients: event
                    .audience
                    .iter()
                    .filter(|user| **user != event.actor)
                    .cloned()
                    .collect(),
                request: event
                    .request
                    .filter(|_| *watcher == Watcher::Own(event.actor.clone())),
            },
            Happening::Edited(message) => Delivery::Edited {
                message: self.message(message),
                thread: self.thread(message.thread),
            },
            Happening::Changed(thread) => Delivery::Changed {
                view: self
                    .view(&event.actor, thread)
                    .expect("whose view changes takes part in the thread"),
                user: event.actor.clone(),
            },
        }
    }
}
