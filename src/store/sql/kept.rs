//! Connections that are kept between reads.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use sqlx::{Pool, pool::PoolConnection};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::Backend;
use crate::metrics::{self, Metrics};

/// After so many uses a connection goes back to the pool, which replaces what has become old.
const USES: u32 = 1_000;

/// A pool's connections, kept aside while they are idle: the pool itself asks each connection that
/// comes back whether it lives, which is one more round trip for every read.
pub(crate) struct Kept<DB: Backend> {
    pool: Pool<DB>,
    purpose: metrics::Pool,
    metrics: Arc<Metrics>,
    idle: Mutex<Vec<(PoolConnection<DB>, u32)>>,
    permits: Semaphore,
}

/// A connection in use. Dropped, it goes back to the pool.
pub(crate) struct InUse<'a, DB: Backend> {
    pub(super) connection: PoolConnection<DB>,
    uses: u32,
    kept: &'a Kept<DB>,
    _permit: SemaphorePermit<'a>,
}

impl<DB: Backend> Kept<DB> {
    pub(super) fn new(pool: Pool<DB>, purpose: metrics::Pool, metrics: &Arc<Metrics>) -> Self {
        let connections = pool.options().get_max_connections();
        Self {
            pool,
            purpose,
            metrics: Arc::clone(metrics),
            idle: Mutex::default(),
            permits: Semaphore::new(connections as usize),
        }
    }

    /// How many connections there are at most.
    pub(super) fn size(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// Waits for a connection.
    pub(super) async fn acquire(&self) -> sqlx::Result<InUse<'_, DB>> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        let idle = self.lock().pop();
        let (connection, uses) = match idle {
            Some(idle) => idle,
            None => (self.pool.acquire().await?, 0),
        };
        Ok(InUse {
            connection,
            uses: uses + 1,
            kept: self,
            _permit: permit,
        })
    }

    async fn wait(&self) -> sqlx::Result<SemaphorePermit<'_>> {
        let since = Instant::now();
        let waiting = self.permits.acquire();
        let waited = tokio::time::timeout(self.pool.options().get_acquire_timeout(), waiting).await;
        self.metrics.database.waited(self.purpose, since.elapsed());
        let permit = waited.map_err(|_| sqlx::Error::PoolTimedOut)?;
        permit.map_err(|_: AcquireError| sqlx::Error::PoolClosed)
    }

    /// Notes how the connections are used.
    pub(super) fn measure(&self) {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        let open = self.pool.size();
        let in_use = self.size().saturating_sub(free).min(open);
        let database = &self.metrics.database;
        database.pool(self.purpose, in_use, open - in_use, self.size());
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        self.permits.close();
        self.lock().clear();
        self.pool.close().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(PoolConnection<DB>, u32)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Backend> InUse<'_, DB> {
    /// Keeps the connection, whose read has ended well, for the next one.
    pub(super) fn keep(self) {
        let mut idle = self.kept.lock();
        // Under the lock: what is kept after the closing has cleared it would hold the pool open.
        if self.uses < USES && !self.kept.permits.is_closed() {
            idle.push((self.connection, self.uses));
        }
    }

    /// Gives up the connection, which is broken.
    pub(super) fn discard(self) {
        drop(self.connection.detach());
    }
}
