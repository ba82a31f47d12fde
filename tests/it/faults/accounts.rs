//! The three accounts of a run: what clients were told, what is kept, what each watcher saw.
//!
//! They are in the words of the [`reference`](crate::reference) model, and of one tenant.

use std::{collections::BTreeMap, fmt};

use crate::reference::{
    Action, Answer, Delivery, MessageNo, MessageSeen, Refusal, Summary, View, Watcher,
};

/// Microseconds since the run began.
pub(crate) type Moment = u64;

/// All three.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// In any order; each attempt of a retry is a call.
    pub(crate) calls: Vec<Call>,
    pub(crate) kept: Kept,
    /// Each from before the first event.
    pub(crate) watched: Vec<Watched>,
    /// Whether a token could expire: events were not kept for longer than anybody was away.
    pub(crate) may_expire: bool,
    /// Ends of calls and watches that no fault explains, such as INTERNAL.
    pub(crate) unexplained: Vec<String>,
}

/// A call, as its caller knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) caller: String,
    pub(crate) asked: Asked,
    pub(crate) begun: Moment,
    /// When it was answered, and what; none: it may have been carried out, or may yet be.
    pub(crate) answered: Option<(Moment, Told)>,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Act(Action),
    /// The newest [`PAGE`] messages of a thread, and the view.
    Read(usize),
}

/// How many messages a reader asks for.
pub(crate) const PAGE: usize = 10;

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Answer(Answer),
    Read(View, Vec<MessageSeen>),
    Refused(Refusal),
}

/// What is kept, read when nothing happened any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) threads: BTreeMap<usize, KeptThread>,
    pub(crate) summaries: BTreeMap<String, Summary>,
    /// What `letterbox check` found to disagree.
    pub(crate) disagreements: Vec<String>,
}

/// A thread that is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptThread {
    pub(crate) messages: Vec<MessageSeen>,
    /// Each participant's.
    pub(crate) views: BTreeMap<String, View>,
}

/// What a watcher saw.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) watcher: Watcher,
    /// A new one begins where its token had expired, and it began anew.
    pub(crate) stretches: Vec<Vec<Saw>>,
}

/// An event that a watcher saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saw {
    /// The token to resume after it, which is the event's own.
    pub(crate) token: String,
    /// Whose doing it was.
    pub(crate) actor: String,
    pub(crate) delivery: Delivery,
}

impl Accounts {
    /// How much there is.
    pub(crate) fn summary(&self) -> String {
        let unanswered = self.calls.iter().filter(|call| call.answered.is_none());
        let watched = self.watched.iter();
        let seen = watched.flat_map(|watched| watched.stretches.iter().flatten());
        let expired = self.watched.iter();
        let expired: usize = expired.map(|watched| watched.stretches.len() - 1).sum();
        format!(
            "{} calls ({} unanswered), {} threads, {} events seen, {expired} tokens expired",
            self.calls.len(),
            unanswered.count(),
            self.kept.threads.len(),
            seen.count(),
        )
    }
}

impl Call {
    /// The message that the call was told it has sent.
    pub(crate) fn sent(&self) -> Option<&MessageSeen> {
        match &self.answered {
            Some((_, Told::Answer(Answer::Sent(message, _)))) => Some(message),
            _ => None,
        }
    }

    /// The request's id.
    pub(crate) fn request(&self) -> Option<u32> {
        match &self.asked {
            Asked::Act(Action::Send { request, .. } | Action::Reply { request, .. }) => *request,
            _ => None,
        }
    }

    /// The thread that it is about, where that is known.
    pub(crate) fn thread(&self) -> Option<usize> {
        match &self.asked {
            Asked::Act(Action::Meet | Action::Send { .. }) => {
                self.sent().map(|message| message.name.thread)
            }
            Asked::Act(
                Action::Reply { thread, .. }
                | Action::MarkRead { thread, .. }
                | Action::MarkUnread(thread)
                | Action::Delete(thread)
                | Action::Restore(thread),
            )
            | Asked::Read(thread) => Some(*thread),
            Asked::Act(Action::Edit { message, .. }) => Some(message.thread),
        }
    }
}

impl Saw {
    /// The thread that it is about.
    pub(crate) fn thread(&self) -> usize {
        match &self.delivery {
            Delivery::Sent { message, .. } | Delivery::Edited { message, .. } => {
                message.name.thread
            }
            Delivery::Changed { view, .. } => view.thread.name,
        }
    }

    /// The message that was sent.
    pub(crate) fn sent(&self) -> Option<MessageNo> {
        match &self.delivery {
            Delivery::Sent { message, .. } => Some(message.name),
            _ => None,
        }
    }

    /// Whether a watcher is to see it.
    pub(crate) fn concerns(&self, watcher: &Watcher) -> bool {
        match (watcher, &self.delivery) {
            (Watcher::AllUsers, _) => true,
            (Watcher::Own(watcher), Delivery::Changed { user, .. }) => user == watcher,
            (
                Watcher::Own(watcher),
                Delivery::Sent { thread, .. } | Delivery::Edited { thread, .. },
            ) => thread.participants.contains(watcher),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            caller,
            asked,
            begun,
            answered,
        } = self;
        write!(formatter, "{begun} {caller} {asked:?}")?;
        let Some((moment, told)) = answered else {
            return write!(formatter, " -> unanswered");
        };
        write!(formatter, " -> {moment}")?;
        let view = |view: &View| {
            format!(
                "{:?}, {} messages, {} read, {} unread",
                view.placement, view.thread.message_count, view.read_number, view.unread_count
            )
        };
        let message = |message: &MessageSeen| {
            let (number, revision) = (message.name.number, message.revision);
            format!("message {number} in revision {revision}")
        };
        match told {
            Told::Answer(Answer::Met) => Ok(()),
            Told::Answer(Answer::Sent(sent, seen)) => {
                write!(formatter, " {}; {}", message(sent), view(seen))
            }
            Told::Answer(Answer::Edited(edited)) => write!(formatter, " {}", message(edited)),
            Told::Answer(Answer::Viewed(seen)) => write!(formatter, " {}", view(seen)),
            Told::Read(seen, messages) => {
                let messages: Vec<String> = messages.iter().map(message).collect();
                write!(formatter, " {}; {}", view(seen), messages.join(", "))
            }
            Told::Refused(refusal) => write!(formatter, " {refusal:?}"),
        }
    }
}
