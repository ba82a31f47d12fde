//! How a use case can end, other than well.

use std::sync::Arc;

use crate::{model::Refusal, store};

/// The cause of a failure, for the log alone.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a use case was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The rules turned it down.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The log no longer goes back to where the caller wants to resume.
    #[error("the resume token has expired: list again, and watch from the list's token")]
    ResumeTokenExpired,
    /// A watcher took nothing for too long.
    #[error("the watch was cut off, because nothing was taken from it for too long: resume it")]
    Stalled,
    /// A queue is full.
    #[error("the server is busy: try again shortly")]
    Overloaded,
    /// The database did not answer; the outcome of a change may be unknown.
    #[error("the database is unavailable: try again shortly")]
    DatabaseUnavailable(#[source] Source),
    /// The server is about to end.
    #[error("the server is shutting down: try again, and another one will answer")]
    ShuttingDown,
    /// A defect of ours.
    #[error("internal error")]
    Internal(#[source] Source),
}

impl Error {
    /// A defect of ours.
    pub(super) fn internal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(source))
    }

    /// Nobody knows any more whether a change was made.
    pub(super) fn forgotten() -> Self {
        Self::DatabaseUnavailable(Arc::new(Forgotten))
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Full(_) | store::Error::TurnTimedOut => {
                Self::DatabaseUnavailable(Arc::new(error))
            }
            store::Error::Data(_) | store::Error::Defect(_) => Self::Internal(Arc::new(error)),
        }
    }
}

/// Something that never should has panicked.
#[derive(Debug, thiserror::Error)]
#[error("a task panicked")]
pub(super) struct Panicked;

/// What would tell whether a commit was done is no longer kept.
#[derive(Debug, thiserror::Error)]
#[error("a commit lost its answer, and the event that would prove it was removed meanwhile")]
struct Forgotten;
