//! How a database can fail, by what there is to be done about it.

/// The cause of a failure, for the log alone.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What a database answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rows themselves are what it cannot take: the same again fails again.
    #[error("the database refuses the data")]
    Data(#[source] Source),
    /// A wait for the turn took too long; nothing has happened, wait anew.
    #[error("the turn did not come in time")]
    TurnTimedOut,
    /// It has no room left: nothing has happened, even where that was to be committed.
    #[error("the database is full")]
    Full(#[source] Source),
    /// It could not answer; it may later.
    #[error("the database is unavailable")]
    Unavailable(#[source] Source),
    /// A statement is wrong, or an answer is not what was asked for.
    #[error("the database answered what it should not")]
    Defect(#[source] Source),
}

impl Error {
    pub(super) fn defect(source: impl Into<Source>) -> Self {
        Self::Defect(source.into())
    }
}
