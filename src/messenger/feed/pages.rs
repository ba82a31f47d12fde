//! Pages of the log, for watchers who catch up.
//!
//! Many watchers of one user fall behind together, and then want the same page. Whoever wants a
//! page that somebody already waits to read waits with them. Nobody joins a read that has begun,
//! which would miss what was written since. So the busier the database, the more share a read, and
//! nobody sees less than a read of their own would have shown.
//!
//! All pages together have so much memory, however many catch up: a read waits until there is some
//! for its page. Nobody holds a page for long (see [`watcher`](super::watcher)), so it comes back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::{
    messenger::Error,
    metrics::{Limit, Metrics},
    model::{LogPage, LogPosition, LogReader, TenantId},
    store::Store,
};

/// How many such reads run at the same time; tails have connections left.
const READS: usize = 2;

/// What a page may take in memory before it is known what it takes.
const PAGE_KIB_MAX: u32 = LogPage::KIB_MAX;

/// Reads of pages, shared where that changes nothing.
pub(super) struct Pages {
    store: Arc<dyn Store>,
    reads: Semaphore,
    /// What pages may still take, in KiB.
    memory: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    /// What somebody waits to read.
    waiting: Mutex<HashMap<Wanted, Arc<Page>>>,
}

/// A page, once it is read.
pub(super) type Page = OnceCell<Held>;

/// What was read, and the memory that it takes.
pub(super) struct Held {
    pub(super) log: LogPage,
    _memory: OwnedSemaphorePermit,
}

/// What to read.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted {
    tenant: TenantId,
    reader: LogReader,
    after: LogPosition,
}

impl Pages {
    /// Pages that take `bytes` of memory together, at least as many as one takes.
    pub(super) fn new(store: Arc<dyn Store>, bytes: usize, metrics: Arc<Metrics>) -> Self {
        let kib = (bytes / 1024).clamp(PAGE_KIB_MAX as usize, Semaphore::MAX_PERMITS);
        Self {
            store,
            reads: Semaphore::new(READS),
            memory: Arc::new(Semaphore::new(kib)),
            metrics,
            waiting: Mutex::default(),
        }
    }

    /// Reads a page of the log; it is there when this returns.
    pub(super) async fn read(
        &self,
        tenant: &TenantId,
        after: LogPosition,
        reader: &LogReader,
    ) -> Result<Arc<Page>, Error> {
        let wanted = Wanted {
            tenant: tenant.clone(),
            reader: reader.clone(),
            after,
        };
        let page = Arc::clone(self.waiting().entry(wanted.clone()).or_default());
        let wait = Wait {
            pages: self,
            wanted,
            page,
        };
        let read = wait.page.get_or_try_init(|| async {
            let _permit = self.reads.acquire().await;
            let mut memory = self.memory().await?;
            wait.close();
            let log = self.store.log_page(tenant, after, reader).await?;
            let kib = u32::try_from(log.weight() / 1024).unwrap_or(u32::MAX);
            drop(memory.split(memory.num_permits().saturating_sub(kib as usize)));
            Ok::<_, Error>(Held {
                log,
                _memory: memory,
            })
        });
        read.await?;
        Ok(Arc::clone(&wait.page))
    }

    /// Memory for any page.
    async fn memory(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(memory) = Arc::clone(&self.memory).try_acquire_many_owned(PAGE_KIB_MAX) {
            return Ok(memory);
        }
        self.metrics.limits.hit(Limit::CatchUpBytes);
        let memory = Arc::clone(&self.memory).acquire_many_owned(PAGE_KIB_MAX);
        memory.await.map_err(Error::internal)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Wanted, Arc<Page>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for a page.
struct Wait<'a> {
    pages: &'a Pages,
    wanted: Wanted,
    page: Arc<Page>,
}

impl Wait<'_> {
    /// From now on it is too late to join those who wait.
    fn close(&self) {
        self.leave(|_| true);
    }

    fn leave(&self, nobody_is_left: impl Fn(&Arc<Page>) -> bool) {
        let mut waiting = self.pages.waiting();
        let ours = waiting.get(&self.wanted);
        if ours.is_some_and(|page| Arc::ptr_eq(page, &self.page) && nobody_is_left(page)) {
            waiting.remove(&self.wanted);
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        // Given up before the read began: this one and the list have the page.
        self.leave(|page| Arc::strong_count(page) <= 2);
    }
}
