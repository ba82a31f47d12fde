//! One process at a time serves an SQLite file, and nobody but its owner reads it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
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
        let path = beside(database, LOCK);
        let named = || path.display().to_string();
        let file = owners_alone()
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| LockError::Io(named(), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Held(named())),
            Err(TryLockError::Error(error)) => Err(LockError::Io(named(), error)),
        }
    }
}

/// Makes a database file that does not exist for its owner alone; SQLite gives the files beside it
/// the same mode. Where it cannot be made, opening it says why.
pub(super) fn make_private(database: &Path) {
    let _ = owners_alone().create_new(true).open(database);
}

/// What others than its owner may read or write of a database, if anything: a file that was there
/// before stays as it was made.
pub(super) fn open_to_others(database: &Path) -> Option<String> {
    let files = ["", "-wal", "-shm", LOCK].map(|suffix| beside(database, suffix));
    let open: Vec<String> = files
        .iter()
        .filter(|file| file.metadata().is_ok_and(|found| found.mode() & 0o077 != 0))
        .map(|file| file.display().to_string())
        .collect();
    (!open.is_empty()).then(|| {
        format!(
            "others than their owner can read or write {}, which hold what people write to each \
             other: chmod 600",
            open.join(", ")
        )
    })
}

/// The file that a symbolic link leads to, beside which SQLite puts its own; so two processes that name it
/// differently meet at one lock.
pub(super) fn followed(database: &Path) -> PathBuf {
    let real = database.is_symlink().then(|| database.canonicalize().ok());
    real.flatten().unwrap_or_else(|| database.to_owned())
}

/// A file that goes with a database file.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(suffix);
    name.into()
}

/// The end of the lock file's name.
const LOCK: &str = ".lock";

fn owners_alone() -> OpenOptions {
    let mut options = File::options();
    options.write(true).mode(0o600);
    options
}
