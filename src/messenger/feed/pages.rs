//! Pages of the log, for watchers who catch up.
//!
//! Many watchers of one user fall behind together, and then want the same page. Whoever wants a
//! page that somebody already waits to read waits with them; a read that has begun is nobody
//! else's, since what has happened after it began would be missing. So the busier the database,
//! the more share a read, and nobody sees less than a read of their own would have shown.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OnceCell, Semaphore};

use crate::{
    messenger::Error,
    model::{LogPage, LogPosition, LogReader, TenantId},
    store::Store,
};

/// How many such reads run at the same time; tails have connections left.
const READS: usize = 2;

/// Reads of pages, shared where that changes nothing.
pub(super) struct Pages {
    store: Arc<dyn Store>,
    reads: Semaphore,
    /// What somebody waits to read.
    waiting: Mutex<HashMap<Wanted, Arc<Page>>>,
}

/// A page, once it is read.
pub(super) type Page = OnceCell<LogPage>;

/// What to read.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted {
    tenant: TenantId,
    reader: LogReader,
    after: LogPosition,
}

impl Pages {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            reads: Semaphore::new(READS),
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
            wait.is_over();
            self.store.log_page(tenant, after, reader).await
        });
        read.await?;
        Ok(Arc::clone(&wait.page))
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
    fn is_over(&self) {
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
