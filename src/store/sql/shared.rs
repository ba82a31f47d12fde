//! What a store and its transactions share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Backend, Statements,
    insert::{Commit, Insert, Rows},
    kept::Kept,
    memory::Memories,
};
use crate::metrics::Metrics;

/// What the store and its transactions share.
pub(crate) struct Shared<DB: Backend> {
    pub(super) statements: Statements,
    pub(super) inserts: Inserts,
    pub(super) pools: Pools<DB>,
    pub(super) memories: Memories,
    pub(super) extras: DB::Extras,
    pub(super) metrics: Arc<Metrics>,
}

/// The connections of a store: some of their own for each use, so that none starves another.
pub(crate) struct Pools<DB: Backend> {
    pub(crate) writers: Arc<Kept<DB>>,
    pub(crate) readers: Arc<Kept<DB>>,
    pub(crate) feed: Arc<Kept<DB>>,
}

impl<DB: Backend> Shared<DB> {
    /// Notes how the database is used.
    pub(super) fn measure(&self) {
        let Pools {
            writers,
            readers,
            feed,
        } = &self.pools;
        for pool in [writers, readers, feed] {
            pool.measure();
        }
        let log_bytes = i64::try_from(DB::log_bytes(&self.extras));
        let wal_bytes = &self.metrics.database.wal_bytes;
        wal_bytes.set(log_bytes.unwrap_or(i64::MAX));
    }
}

/// The texts of INSERTs that are run together, made when they are first needed.
///
/// Which tables a batch has rows for follows from what its commands are, so there are few.
#[derive(Default)]
pub(crate) struct Inserts(Mutex<HashMap<Kinds, Arc<str>>>);

/// Which rows there are, and when they are committed.
type Kinds = (Commit, Vec<&'static str>);

impl Inserts {
    /// The text that writes these rows.
    pub(super) fn text<DB: Backend>(&self, rows: &[&Rows<'_>], commit: Commit) -> Arc<str> {
        let inserts: Vec<&Insert> = rows.iter().map(|rows| rows.insert).collect();
        let names = inserts.iter().map(|insert| insert.name).collect();
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts.entry((commit, names));
        Arc::clone(text.or_insert_with(|| DB::inserts(&inserts, commit).into()))
    }
}
