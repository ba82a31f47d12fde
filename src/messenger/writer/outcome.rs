//! What comes of a batch, and of an attempt at it.

use std::sync::Arc;

use super::{Error, Written, queue::Answer};
use crate::{messenger::error::Panicked, model::Refusal, store};

/// What became of one tenant's batch.
#[derive(Default)]
pub(super) struct Decided {
    /// The answers of the commands that were carried out, in order; the rest is left over.
    pub(super) answers: Vec<Result<Answer, Refusal>>,
    /// What it wrote to the log.
    pub(super) written: Option<Written>,
}

/// Why a round was not carried out.
pub(super) enum Failure {
    /// The turn did not come: wait anew.
    TurnTimedOut,
    /// The data itself made it fail, before the commit: alone each command may succeed.
    Poisoned(Error),
    /// All are told.
    Failed(Error),
}

/// What came of one attempt.
pub(super) enum Attempt {
    /// Committed, or there was nothing to commit.
    Done(Vec<Decided>),
    /// One of those whose outcomes were unknown had been committed.
    WasDone(usize),
    /// None of those whose outcomes were unknown had been committed, and to do it again failed.
    NotDone(Error),
    /// A commit was sent, and its outcome is unknown.
    Unknown(Vec<Decided>, Error),
    /// An earlier commit's outcome will stay unknown: what would prove it is no longer kept.
    Forgotten,
    /// It failed before any commit was sent.
    Failed(Failure),
}

/// What became of earlier attempts whose outcomes were unknown.
pub(super) enum Settled {
    /// None of them was done.
    NotDone,
    /// This one was.
    Done(usize),
    /// That can no longer be learned.
    Forgotten,
}

/// What came of an attempt of which it is known that nothing was done; nor was by those before, if
/// some were in doubt.
pub(super) fn undone(failure: Failure, was_in_doubt: bool) -> Attempt {
    match failure {
        Failure::Failed(error) if was_in_doubt => Attempt::NotDone(error),
        failure => Attempt::Failed(failure),
    }
}

/// What callers are told of something that may have been committed: by `INTERNAL` they would learn that
/// nothing was done.
pub(super) fn unavailable(error: Error) -> Error {
    match error {
        Error::DatabaseUnavailable(_) => error,
        other => Error::DatabaseUnavailable(Arc::new(other)),
    }
}

impl Failure {
    /// A command that panics is one that its own data makes fail.
    pub(super) fn panicked() -> Self {
        Self::Poisoned(Error::internal(Panicked))
    }

    pub(super) fn of(error: store::Error) -> Self {
        match error {
            store::Error::Data(_) => Self::Poisoned(error.into()),
            // Only a wait for the turn can be repeated as it is.
            other => Self::Failed(other.into()),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::of(error)
    }
}
