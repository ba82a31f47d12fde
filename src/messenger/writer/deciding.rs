//! Deciding a batch, in memory, on what was loaded for it.

use std::time::{Duration, Instant};

use super::{
    Shared, Written,
    outcome::Decided,
    queue::{Answer, Job, Work},
};
use crate::model::{
    Changes, Command, Context, Import, Loaded, LogPosition, Needs, Outcome, Refusal, State,
};

/// How many participants' rows a batch writes at most, before its last command.
const BATCH_PARTICIPANTS: usize = 4_096;

/// A batch that is being decided, one command after the other.
pub(super) struct Deciding<'a> {
    state: State,
    context: Context<'a>,
    since: Instant,
    pub(super) answers: Vec<Result<Answer, Refusal>>,
}

/// What a batch touches.
pub(super) fn needs(jobs: &[Job]) -> Needs {
    let mut needs = Needs::default();
    for job in jobs {
        match &job.work {
            Work::Command(command) => needs.add(command),
            Work::Import(import) => needs.add_import(import),
            Work::Expire(_) => {}
        }
    }
    needs
}

impl Shared {
    /// Begins to decide a batch.
    pub(super) fn decide(&self, loaded: Loaded) -> Deciding<'_> {
        Deciding {
            state: State::new(loaded),
            context: Context {
                now: self.clock.now(),
                ids: &*self.ids,
                policy: self.policy,
            },
            since: Instant::now(),
            answers: Vec::new(),
        }
    }
}

impl Deciding<'_> {
    /// Whether the rest is for the next batch.
    pub(super) fn is_full(&self) -> bool {
        self.state.participants_changed() >= BATCH_PARTICIPANTS
    }

    pub(super) fn command(&mut self, command: &Command) {
        let outcome = self.state.decide(command, &self.context);
        self.answers.push(outcome.map(Answer::Outcome));
    }

    pub(super) fn import(&mut self, import: &Import) {
        let imported = self.state.import(import, &self.context);
        self.answers.push(Ok(Answer::Imported(imported)));
    }

    /// What is to be saved, now that all is decided.
    pub(super) fn changes(&self) -> Changes<'_> {
        self.state.changes()
    }

    /// How long it has taken.
    pub(super) fn took(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether somebody is told that all is as they want it: they rely on what others have written,
    /// and so on its being durable.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.answers.iter().any(|answer| match answer {
            Ok(Answer::Outcome(outcome)) => !matches!(outcome, Outcome::Met),
            Ok(Answer::Imported(_)) => true,
            _ => false,
        })
    }

    /// Where the log ended before this batch.
    pub(super) fn head(&self) -> LogPosition {
        self.state.head()
    }

    /// What is written to the log.
    pub(super) fn written(&self, changes: &Changes<'_>) -> Option<Written> {
        let told = changes.events.iter().flat_map(|event| &event.audience);
        changes.events.last().map(|last| Written {
            after: self.state.head(),
            through: last.log_position(),
            told: told.cloned().collect(),
        })
    }

    pub(super) fn done(self, written: Option<Written>) -> Decided {
        Decided {
            answers: self.answers,
            written,
        }
    }
}
