//! What a store and its transactions share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use sqlx::{Pool, Transaction, pool::PoolConnection};

use super::{
    Backend, Statements,
    insert::{Insert, Rows},
    kept::Kept,
};
use crate::{
    metrics::{self, Metrics},
    store::Result,
};

/// What the store and its transactions share.
pub(crate) struct Shared<DB: Backend> {
    pub(super) statements: Statements,
    pub(super) inserts: Inserts,
    pub(super) pools: Pools<DB>,
    pub(super) extras: DB::Extras,
    pub(super) metrics: Arc<Metrics>,
}

/// The connections of a store: some of their own for each use, so that none starves another.
pub(crate) struct Pools<DB: Backend> {
    pub(crate) writers: Pool<DB>,
    pub(crate) readers: Kept<DB>,
    pub(crate) feed: Kept<DB>,
}

impl<DB: Backend> Shared<DB> {
    /// Waits for a connection that writes.
    pub(super) async fn writer(&self) -> Result<PoolConnection<DB>> {
        let writers = &self.pools.writers;
        let since = Instant::now();
        let waits = writers.num_idle() == 0;
        let connection = writers.acquire().await;
        if waits {
            let wait = since.elapsed();
            self.metrics.database.waited(metrics::Pool::Writers, wait);
        }
        connection.map_err(DB::classify)
    }

    /// Notes how the database is used.
    pub(super) fn measure(&self) {
        let Pools {
            writers,
            readers,
            feed,
        } = &self.pools;
        let database = &self.metrics.database;
        let open = writers.size();
        let idle = u32::try_from(writers.num_idle()).map_or(open, |idle| idle.min(open));
        let max = writers.options().get_max_connections();
        database.pool(metrics::Pool::Writers, open - idle, idle, max);
        readers.measure();
        feed.measure();
        let log_bytes = i64::try_from(DB::log_bytes(&self.extras));
        database.wal_bytes.set(log_bytes.unwrap_or(i64::MAX));
    }

    pub(super) async fn commit(&self, transaction: Transaction<'static, DB>) -> Result<()> {
        transaction.commit().await.map_err(DB::classify)?;
        DB::committed(&self.extras, &self.pools.writers).await;
        Ok(())
    }
}

/// The texts of INSERTs that are run together, made when they are first needed.
///
/// Which tables a batch has rows for follows from what its commands are, so there are few.
#[derive(Default)]
pub(crate) struct Inserts(Mutex<HashMap<Vec<&'static str>, Arc<str>>>);

impl Inserts {
    /// The text that writes these rows.
    pub(super) fn text<DB: Backend>(&self, rows: &[&Rows<'_>]) -> Arc<str> {
        let inserts: Vec<&Insert> = rows.iter().map(|rows| rows.insert).collect();
        let names = inserts.iter().map(|insert| insert.name).collect();
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = texts.entry(names);
        Arc::clone(text.or_insert_with(|| DB::inserts(&inserts).into()))
    }
}
