//! A transaction that writes: load what a batch touches, save what it changed.

use async_trait::async_trait;

use super::{Backend, Param, rows::parse, session::Session};
use crate::{
    metrics::Removed,
    model::{Changes, Loaded, LogPosition, Needs, TenantId},
    store::{Error, Expiry, Result, Transaction},
};

/// How many events, or request ids, one turn removes at most.
const EXPIRE_ROWS: i64 = 1_000;

/// A transaction over one connection. Dropped, it closes the connection, and so is rolled back.
pub(crate) struct SqlTransaction<DB: Backend>(pub(super) Session<DB>);

#[async_trait]
impl<DB: Backend> Transaction for SqlTransaction<DB> {
    async fn take_turn(&mut self, tenant: &TenantId) -> Result<()> {
        let params = [Param::Text(tenant.as_str())];
        if self.0.fetch(|sql| &sql.take_turn, &params).await?.is_some() {
            return Ok(());
        }
        self.0.execute(|sql| &sql.create_head, &params).await?;
        match self.0.fetch(|sql| &sql.take_turn, &params).await? {
            Some(_) => Ok(()),
            None => Err(Error::defect("a tenant without a head")),
        }
    }

    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        self.0.load(tenant, needs).await
    }

    async fn save(&mut self, tenant: &TenantId, changes: &Changes<'_>) -> Result<()> {
        self.0.save(tenant, changes).await
    }

    async fn expire(&mut self, tenant: &TenantId, expiry: Expiry) -> Result<bool> {
        let name = Param::Text(tenant.as_str());
        let before = Param::Int(expiry.events_before.0);
        let params = [name, before, Param::Int(EXPIRE_ROWS + 1)];
        let json = self.0.fetch(|sql| &sql.first_kept, &params).await?;
        let (first_kept, oldest): (Option<i64>, Option<i64>) = parse(&json.unwrap_or_default())?;
        let mut more = false;
        if let (Some(first_kept), Some(oldest)) = (first_kept, oldest)
            && first_kept > oldest
        {
            let name = Param::Text(tenant.as_str());
            let params = [name, Param::Int(first_kept), Param::Int(oldest)];
            self.0.execute(|sql| &sql.rest_mailboxes, &params).await?;
            let audience = self.0.execute(|sql| &sql.expire_audience, &params).await?;
            let events = self.0.execute(|sql| &sql.expire_events, &params).await?;
            let metrics = &self.0.shared.metrics.database;
            metrics.removed(Removed::Audience, audience);
            metrics.removed(Removed::Events, events);
            more = first_kept - oldest >= EXPIRE_ROWS;
        }
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(expiry.requests_before.0),
            Param::Int(EXPIRE_ROWS),
        ];
        let requests = self.0.execute(|sql| &sql.expire_requests, &params).await?;
        let metrics = &self.0.shared.metrics.database;
        metrics.removed(Removed::Requests, requests);
        Ok(more || i64::try_from(requests).unwrap_or(0) >= EXPIRE_ROWS)
    }

    async fn holds_event(
        &mut self,
        tenant: &TenantId,
        position: LogPosition,
    ) -> Result<Option<bool>> {
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(position.number),
            Param::Id(position.event.0),
        ];
        let json = self.0.fetch(|sql| &sql.holds_event, &params).await?;
        let (held, oldest): (i64, Option<i64>) = parse(&json.unwrap_or_default())?;
        let removed = oldest.is_some_and(|oldest| oldest > position.number);
        Ok((!removed).then_some(held > 0))
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.0.commit().await
    }

    async fn roll_back(mut self: Box<Self>) {
        // A connection that has not answered is not asked again: closed, it rolls back as well.
        if !self.0.unanswered && self.0.run("ROLLBACK").await.is_ok() {
            self.0.writer.keep();
        }
    }
}
