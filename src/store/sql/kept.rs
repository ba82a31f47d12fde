//! Connections that are kept between uses.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection, Pool, pool::PoolConnection};
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::Backend;
use crate::{
    metrics::{self, Metrics},
    store::{Error, Result},
};

/// How long an answer may take. Postgres ends a statement of its own after 5 s, and SQLite a wait
/// for a lock; what then has not come is not going to: a connection that was cut without a word
/// stays silent for ever.
const ANSWER_MAX: Duration = Duration::from_secs(7);

/// A pool's connections, kept aside while they are idle: the pool itself asks each connection that
/// comes back whether it lives, which is one more round trip for every use.
pub(crate) struct Kept<DB: Backend> {
    pool: Pool<DB>,
    purpose: metrics::Pool,
    metrics: Arc<Metrics>,
    idle: Mutex<Vec<Idle<DB>>>,
    permits: Arc<Semaphore>,
}

struct Idle<DB: Backend> {
    connection: PoolConnection<DB>,
    born: Instant,
}

/// A connection in use. Dropped, it is asked whether it lives, and kept if it does.
pub(crate) struct InUse<DB: Backend> {
    /// None once it has been kept or closed.
    held: Option<(Idle<DB>, OwnedSemaphorePermit)>,
    /// Whether it has been used before.
    pub(super) reused: bool,
    kept: Arc<Kept<DB>>,
}

/// Waits for a database's answer, as long as it can take.
pub(super) async fn answer<DB: Backend, T>(
    answer: impl Future<Output = sqlx::Result<T>>,
) -> Result<T> {
    match timeout(ANSWER_MAX, answer).await {
        Ok(answer) => answer.map_err(DB::classify),
        Err(elapsed) => Err(Error::Unavailable(elapsed.into())),
    }
}

impl<DB: Backend> Kept<DB> {
    pub(super) fn new(pool: Pool<DB>, purpose: metrics::Pool, metrics: &Arc<Metrics>) -> Arc<Self> {
        let connections = pool.options().get_max_connections();
        Arc::new(Self {
            pool,
            purpose,
            metrics: Arc::clone(metrics),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(connections as usize)),
        })
    }

    /// Waits for a connection.
    pub(super) async fn acquire(self: &Arc<Self>) -> sqlx::Result<InUse<DB>> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        let idle = self.take_idle();
        let reused = idle.is_some();
        let idle = if let Some(idle) = idle {
            idle
        } else {
            Idle {
                connection: self.pool.acquire().await?,
                born: Instant::now(),
            }
        };
        Ok(InUse {
            held: Some((idle, permit)),
            reused,
            kept: Arc::clone(self),
        })
    }

    async fn wait(&self) -> sqlx::Result<OwnedSemaphorePermit> {
        let since = Instant::now();
        let waiting = Arc::clone(&self.permits).acquire_owned();
        let waited = timeout(self.patience(), waiting).await;
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

    /// How many connections there are at most.
    pub(super) fn size(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// How long a connection is waited for at most.
    pub(super) fn patience(&self) -> Duration {
        self.pool.options().get_acquire_timeout()
    }

    /// One that is idle; those that have grown old are closed instead.
    fn take_idle(&self) -> Option<Idle<DB>> {
        let mut idle = self.lock();
        loop {
            let mut taken = idle.pop()?;
            let lifetime = self.pool.options().get_max_lifetime();
            if lifetime.is_none_or(|lifetime| taken.born.elapsed() < lifetime) {
                return Some(taken);
            }
            taken.connection.close_on_drop();
        }
    }

    fn keep(&self, idle: Idle<DB>) {
        let mut kept = self.lock();
        // Under the lock: what is kept after the closing has cleared it would hold the pool open.
        if !self.permits.is_closed() {
            kept.push(idle);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Backend> InUse<DB> {
    /// The connection.
    pub(super) fn connection(&mut self) -> sqlx::Result<&mut DB::Connection> {
        let held = self.held.as_mut();
        held.map(|(idle, _)| &mut *idle.connection)
            .ok_or(sqlx::Error::PoolClosed)
    }

    /// Keeps the connection, which has answered well, for the next one.
    pub(super) fn keep(&mut self) {
        if let Some((idle, _permit)) = self.held.take() {
            self.kept.keep(idle);
        }
    }

    /// Closes the connection, without a word to a database that may not be there.
    pub(super) fn discard(&mut self) {
        if let Some((idle, _permit)) = self.held.take() {
            drop(idle.connection.detach());
        }
    }

    /// Closes the connection, which is broken, and those that are idle: what broke one breaks all.
    pub(super) fn discard_all(&mut self) {
        self.discard();
        for idle in self.kept.lock().drain(..) {
            drop(idle.connection.detach());
        }
    }
}

impl<DB: Backend> Drop for InUse<DB> {
    fn drop(&mut self) {
        let Some((mut idle, permit)) = self.held.take() else {
            return;
        };
        // Whoever used it went away amid an answer, which has to be taken first.
        let kept = Arc::clone(&self.kept);
        tokio::spawn(async move {
            match answer::<DB, _>(idle.connection.ping()).await {
                Ok(()) => kept.keep(idle),
                Err(_) => drop(idle.connection.detach()),
            }
            drop(permit);
        });
    }
}
