//! What a store and its transactions share.

use sqlx::{Pool, Transaction};

use super::{Backend, Statements, insert::Inserts, kept::Kept};
use crate::store::Result;

/// What the store and its transactions share.
pub(crate) struct Shared<DB: Backend> {
    pub(super) statements: Statements,
    pub(super) inserts: Inserts,
    pub(super) pools: Pools<DB>,
    pub(super) extras: DB::Extras,
}

/// The connections of a store: some of their own for each use, so that none starves another.
pub(crate) struct Pools<DB: Backend> {
    pub(crate) writers: Pool<DB>,
    pub(crate) readers: Kept<DB>,
    pub(crate) feed: Kept<DB>,
}

impl<DB: Backend> Shared<DB> {
    pub(super) async fn commit(&self, transaction: Transaction<'static, DB>) -> Result<()> {
        transaction.commit().await.map_err(DB::classify)?;
        DB::committed(&self.extras, &self.pools.writers).await;
        Ok(())
    }
}
