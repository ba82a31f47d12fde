//! A write that takes no turn: two statements, each of which commits by itself.

use async_trait::async_trait;

use super::{Backend, session::Session};
use crate::{
    model::{Changes, Loaded, Needs, TenantId},
    store::{Error, Optimistic, Result},
};

/// A write over one connection, which is outside of any transaction between its statements.
pub(crate) struct SqlOptimistic<DB: Backend>(pub(super) Session<DB>);

impl<DB: Backend> Drop for SqlOptimistic<DB> {
    fn drop(&mut self) {
        if self.0.unanswered {
            self.0.writer.discard();
        } else {
            self.0.writer.keep();
        }
    }
}

#[async_trait]
impl<DB: Backend> Optimistic for SqlOptimistic<DB> {
    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let loaded = self.0.load_or_remember(tenant, needs).await;
        if matches!(loaded, Err(Error::Unavailable(_))) {
            // What broke one connection breaks all, and the turn is to be asked for on another one.
            self.0.writer.discard_all();
        }
        loaded
    }

    async fn holds(&mut self, tenant: &TenantId) -> Result<bool> {
        self.0.holds(tenant).await
    }

    async fn save(mut self: Box<Self>, tenant: &TenantId, changes: &Changes<'_>) -> Result<bool> {
        self.0.save_and_commit(tenant, changes).await
    }
}
