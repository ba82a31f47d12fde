//! A write that takes no turn: two statements, each of which commits by itself.

use async_trait::async_trait;

use super::{Backend, session::Session};
use crate::{
    model::{Changes, Loaded, Needs, TenantId},
    store::{Error, Optimistic, Result},
};

/// A write over one connection, which is outside of any transaction between its statements.
pub(crate) struct SqlOptimistic<DB: Backend> {
    session: Session<DB>,
    /// Whose memory it has, to be given back where nothing comes of it.
    loaded: Option<TenantId>,
}

impl<DB: Backend> SqlOptimistic<DB> {
    pub(super) fn new(session: Session<DB>) -> Self {
        Self {
            session,
            loaded: None,
        }
    }
}

impl<DB: Backend> Drop for SqlOptimistic<DB> {
    fn drop(&mut self) {
        if let Some(tenant) = self.loaded.take() {
            self.session.give_back(tenant);
        }
        if !self.session.unanswered {
            self.session.writer.keep();
        }
    }
}

#[async_trait]
impl<DB: Backend> Optimistic for SqlOptimistic<DB> {
    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let loaded = self.session.load_or_remember(tenant, needs).await;
        if matches!(loaded, Err(Error::Unavailable(_))) {
            // What broke one connection breaks all, and the turn is to be asked for on another one.
            self.session.writer.discard_all();
        }
        self.loaded = loaded.is_ok().then(|| tenant.clone());
        loaded
    }

    async fn holds(&mut self, tenant: &TenantId) -> Result<bool> {
        self.loaded = None;
        self.session.holds(tenant).await
    }

    async fn save(mut self: Box<Self>, tenant: &TenantId, changes: &Changes<'_>) -> Result<bool> {
        self.loaded = None;
        self.session.save_and_commit(tenant, changes).await
    }
}
