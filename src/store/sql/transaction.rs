//! A transaction that writes: load what a batch touches, save what it changed.

use std::sync::Arc;

use super::{
    Backend, Param, Statements,
    insert::Rows,
    kept::{InUse, answer},
    load,
    numbers::UserNumbers,
    rows::parse,
    save,
    shared::Shared,
    statements::Asked,
};
use crate::{
    metrics::Removed,
    model::{Changes, Loaded, LogPosition, Needs, TenantId},
    store::{Error, Expiry, Result, Transaction},
};
use async_trait::async_trait;

/// How many events, or request ids, one turn removes at most.
const EXPIRE_ROWS: i64 = 1_000;

/// A transaction over one connection. Dropped, it closes the connection, and so is rolled back.
pub(crate) struct SqlTransaction<DB: Backend> {
    shared: Arc<Shared<DB>>,
    pub(super) writer: InUse<DB>,
    /// Whether a statement has been sent that was not answered.
    unanswered: bool,
    /// Of the tenant that was loaded last.
    numbers: UserNumbers,
}

impl<DB: Backend> SqlTransaction<DB> {
    /// A transaction that is yet to be begun.
    pub(super) fn new(shared: Arc<Shared<DB>>, writer: InUse<DB>) -> Self {
        Self {
            shared,
            writer,
            unanswered: false,
            numbers: UserNumbers::default(),
        }
    }

    /// Runs a statement that has neither parameters nor an answer.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<()> {
        let done = answer::<DB, _>(DB::run(self.connection()?, sql)).await;
        self.answered(done)
    }

    async fn fetch(
        &mut self,
        statement: impl Fn(&Statements) -> &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<Option<String>> {
        let sql = Arc::clone(statement(&self.shared.statements));
        let found = answer::<DB, _>(DB::fetch(self.connection()?, &sql, params)).await;
        self.answered(found)
    }

    async fn execute(
        &mut self,
        statement: impl Fn(&Statements) -> &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<u64> {
        let sql = Arc::clone(statement(&self.shared.statements));
        let done = answer::<DB, _>(DB::execute(self.connection()?, &sql, params)).await;
        self.answered(done)
    }

    async fn insert(&mut self, tenant: &TenantId, rows: &[&Rows<'_>]) -> Result<u64> {
        let sql = self.shared.inserts.text::<DB>(rows);
        let done = answer::<DB, _>(DB::insert(self.connection()?, &sql, tenant, rows)).await;
        self.answered(done)
    }

    /// The connection, on which something is about to be asked.
    fn connection(&mut self) -> Result<&mut DB::Connection> {
        self.unanswered = true;
        self.writer.connection().map_err(DB::classify)
    }

    fn answered<T>(&mut self, answer: Result<T>) -> Result<T> {
        self.unanswered = matches!(answer, Err(Error::Unavailable(_)));
        answer
    }
}

impl<DB: Backend> Drop for SqlTransaction<DB> {
    fn drop(&mut self) {
        self.writer.discard();
    }
}

#[async_trait]
impl<DB: Backend> Transaction for SqlTransaction<DB> {
    async fn take_turn(&mut self, tenant: &TenantId) -> Result<()> {
        let params = [Param::Text(tenant.as_str())];
        if self.fetch(|sql| &sql.take_turn, &params).await?.is_some() {
            return Ok(());
        }
        self.execute(|sql| &sql.create_head, &params).await?;
        match self.fetch(|sql| &sql.take_turn, &params).await? {
            Some(_) => Ok(()),
            None => Err(Error::defect("a tenant without a head")),
        }
    }

    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let [users, threads, messages, requests, marks] = load::params(needs)?;
        let tenant = Param::Text(tenant.as_str());
        let params = [tenant, users, threads, messages, requests, marks];
        let asked = Asked {
            threads: !needs.threads.is_empty(),
            messages: !needs.messages.is_empty(),
            requests: !needs.requests.is_empty(),
            marks: !needs.sent_up_to.is_empty(),
        };
        let json = self.fetch(|sql| sql.load(asked), &params).await?;
        let (loaded, numbers) = load::answer(&json.unwrap_or_default())?;
        self.numbers = numbers;
        Ok(loaded)
    }

    async fn save(&mut self, tenant: &TenantId, changes: &Changes<'_>) -> Result<()> {
        for record in &changes.users {
            self.numbers.number(&record.user.id);
        }
        let rows = save::rows(&self.numbers, changes)?;
        // No row, no INSERT.
        let rows: Vec<&Rows<'_>> = rows.iter().filter(|rows| rows.count() > 0).collect();
        let wanted: usize = rows.iter().map(|rows| rows.count()).sum();
        let together = if DB::inserts_together(&self.shared.extras) {
            rows.len()
        } else {
            1
        };
        let mut written = 0;
        for rows in rows.chunks(together.max(1)) {
            written += self.insert(tenant, rows).await?;
        }
        // The tenant comes from the head row: without one nothing would be written, silently.
        if written == wanted as u64 {
            Ok(())
        } else {
            let defect = format!("{written} rows written instead of {wanted}");
            Err(Error::defect(defect))
        }
    }

    async fn expire(&mut self, tenant: &TenantId, expiry: Expiry) -> Result<bool> {
        let name = Param::Text(tenant.as_str());
        let before = Param::Int(expiry.events_before.0);
        let params = [name, before, Param::Int(EXPIRE_ROWS + 1)];
        let json = self.fetch(|sql| &sql.first_kept, &params).await?;
        let (first_kept, oldest): (Option<i64>, Option<i64>) = parse(&json.unwrap_or_default())?;
        let mut more = false;
        if let (Some(first_kept), Some(oldest)) = (first_kept, oldest)
            && first_kept > oldest
        {
            let params = [Param::Text(tenant.as_str()), Param::Int(first_kept)];
            self.execute(|sql| &sql.rest_mailboxes, &params).await?;
            let audience = self.execute(|sql| &sql.expire_audience, &params).await?;
            let events = self.execute(|sql| &sql.expire_events, &params).await?;
            let metrics = &self.shared.metrics.database;
            metrics.removed(Removed::Audience, audience);
            metrics.removed(Removed::Events, events);
            more = first_kept - oldest >= EXPIRE_ROWS;
        }
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(expiry.requests_before.0),
            Param::Int(EXPIRE_ROWS),
        ];
        let requests = self.execute(|sql| &sql.expire_requests, &params).await?;
        let metrics = &self.shared.metrics.database;
        metrics.removed(Removed::Requests, requests);
        Ok(more || i64::try_from(requests).unwrap_or(0) >= EXPIRE_ROWS)
    }

    async fn holds_event(&mut self, tenant: &TenantId, position: LogPosition) -> Result<bool> {
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(position.number),
            Param::Id(position.event.0),
        ];
        Ok(self.fetch(|sql| &sql.holds_event, &params).await?.is_some())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        // Not bounded here: it may wait for a standby for as long as the writer is patient.
        let connection = self.writer.connection().map_err(DB::classify)?;
        DB::run(connection, "COMMIT").await.map_err(DB::classify)?;
        DB::committed(&self.shared.extras, connection).await;
        self.writer.keep();
        Ok(())
    }

    async fn roll_back(mut self: Box<Self>) {
        // A connection that has not answered is not asked again: closed, it rolls back as well.
        if !self.unanswered && self.run("ROLLBACK").await.is_ok() {
            self.writer.keep();
        }
    }
}
