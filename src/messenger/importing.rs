//! The use cases of importers.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Error, Messenger};
use crate::model::{Import, Imported, Sizes, TenantId, TenantPage, ThreadId};

/// How many threads are looked for side by side.
const LOOKS: usize = 16;

impl Messenger {
    /// Writes a piece of an import, all of it or nothing; what is there already stays as it is.
    pub async fn import(&self, tenant: &TenantId, import: Import) -> Result<Imported, Error> {
        self.writer.import(tenant, import).await
    }

    /// How much a tenant holds.
    pub async fn sizes(&self, tenant: &TenantId) -> Result<Sizes, Error> {
        let (found, _) = self.store.tenants(&TenantPage::One(tenant.clone())).await?;
        Ok(found.first().map(|found| found.sizes).unwrap_or_default())
    }

    /// How many of these threads are there.
    pub async fn count_threads(&self, tenant: &TenantId, ids: &[ThreadId]) -> Result<i64, Error> {
        let looks = ids
            .iter()
            .map(|id| self.store.has_thread(tenant, *id, None));
        let found = stream::iter(looks).buffer_unordered(LOOKS);
        let count = found.try_fold(0, async |count, found| Ok(count + i64::from(found)));
        Ok(count.await?)
    }
}
