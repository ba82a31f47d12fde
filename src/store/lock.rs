//! One process at a time serves an SQLite file.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Held for as long as a process may write to a database file; the system lets go of it when the
/// process ends, however it ends.
#[derive(Debug)]
pub(super) struct FileLock(#[expect(dead_code, reason = "holding it is its use")] File);

/// Why a file could not be locked.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// Another process serves it.
    #[error("another process is using the database (it holds {0})")]
    Held(String),
    /// The lock file cannot be made.
    #[error("cannot lock {0}: {1}")]
    Io(String, #[source] io::Error),
}

impl FileLock {
    /// Takes the lock that goes with a database file, beside it.
    pub(super) fn take(database: &Path) -> Result<Self, LockError> {
        let path = lock_path(database);
        let named = || path.display().to_string();
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| LockError::Io(named(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(named())),
            Err(TryLockError::Error(error)) => Err(LockError::Io(named(), error)),
        }
    }
}

fn lock_path(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(".lock");
    name.into()
}
