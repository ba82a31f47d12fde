//! What a store and its transactions share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    Backend, Param, Statements,
    gathered::Gathered,
    insert::{Commit, Insert, Rows},
    kept::{InUse, Kept, answer},
    memory::Memories,
    together::Texts,
};
use crate::{
    metrics::Metrics,
    store::{Error, Result},
};

/// What the store and its transactions share.
pub(crate) struct Shared<DB: Backend> {
    pub(super) statements: Statements,
    pub(super) inserts: Inserts,
    pub(super) pools: Pools<DB>,
    pub(super) gathered: Gathered,
    pub(super) together: Texts,
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

    /// Reads one snapshot: one statement on one connection.
    pub(super) async fn read(
        &self,
        pool: &Arc<Kept<DB>>,
        sql: &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<Option<String>> {
        let _permit = DB::read_permit(&self.extras).await;
        loop {
            let mut reader = pool.acquire().await.map_err(DB::classify)?;
            match fetch(&mut reader, sql, params).await {
                Ok(answer) => {
                    reader.keep();
                    return Ok(answer);
                }
                Err(error) => go_on_after(error, &mut reader)?,
            }
        }
    }
}

/// Runs a read on a connection.
pub(super) async fn fetch<DB: Backend>(
    reader: &mut InUse<DB>,
    sql: &Arc<str>,
    params: &[Param<'_>],
) -> Result<Option<String>> {
    let connection = reader.connection().map_err(DB::classify)?;
    answer::<DB, _>(DB::fetch(connection, sql, params)).await
}

/// Whether to try again on another connection: after an outage those that were idle are broken.
pub(super) fn go_on_after<DB: Backend>(error: Error, failed: &mut InUse<DB>) -> Result<()> {
    if matches!(error, Error::Unavailable(_)) {
        failed.discard_all();
        if failed.reused {
            return Ok(());
        }
    }
    Err(error)
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
