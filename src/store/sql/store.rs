//! [`Store`] over a database's connections.

use std::sync::Arc;

use super::{
    Backend, Param, Statements,
    gathered::Gathered,
    json_rows,
    kept::{Kept, answer},
    memory::Memories,
    optimistic::SqlOptimistic,
    reads::{self, LOG_PAGE_ROWS},
    rows::{HeadRow, head, parse},
    session::Session,
    shared::{Inserts, Pools, Shared, fetch, go_on_after},
    together::Texts,
    transaction::SqlTransaction,
};
use crate::{
    metrics::Metrics,
    model::{
        Direction, Edition, InboxPage, InboxRows, LogPage, LogPosition, LogReader, PageRead,
        Summary, TenantId, TenantPage, TenantSummary, ThreadId, ThreadPage, ThreadRows, Time,
        UserId, UserRows,
    },
    store::{Error, Expiry, Optimistic, Result, Store, Transaction, Writing},
};
use async_trait::async_trait;

/// How many tenants are looked at in one statement: there may be so many that looking at all would take
/// longer than a statement may.
const TENANTS_AT_ONCE: i64 = 10_000;

/// A store over one of the two databases.
pub(crate) struct SqlStore<DB: Backend> {
    shared: Arc<Shared<DB>>,
    secret: [u8; 32],
}

impl<DB: Backend> SqlStore<DB> {
    /// A store over a database whose tables are up to date.
    pub(crate) async fn new(
        pools: Pools<DB>,
        extras: DB::Extras,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let shared = Shared {
            statements: Statements::of::<DB>(),
            inserts: Inserts::default(),
            pools,
            gathered: Gathered::default(),
            together: Texts::default(),
            memories: Memories::default(),
            extras,
            metrics,
        };
        let secret = {
            let mut reader = shared.pools.readers.acquire().await.map_err(DB::classify)?;
            fetch(&mut reader, &shared.statements.secret, &[]).await?
        };
        let shared = Arc::new(shared);
        let measured = Arc::downgrade(&shared);
        shared.metrics.on_scrape(move || {
            if let Some(shared) = measured.upgrade() {
                shared.measure();
            }
        });
        Ok(Self {
            secret: secret_bytes(secret.as_deref().unwrap_or_default())?,
            shared,
        })
    }

    /// A read whose answer is JSON. Of no rows SQLite makes an empty list, and Postgres NULL.
    async fn answer(
        &self,
        pool: &Arc<Kept<DB>>,
        sql: &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<String> {
        let answer = self.shared.read(pool, sql, params).await?;
        Ok(answer.unwrap_or_else(|| "null".to_owned()))
    }

    /// The same, and maybe together with others of the tenant.
    async fn page(
        &self,
        tenant: &TenantId,
        sql: &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<String> {
        let answer = self.shared.read_page(tenant, sql, params).await?;
        Ok(answer.unwrap_or_else(|| "null".to_owned()))
    }
}

#[async_trait]
impl<DB: Backend> Store for SqlStore<DB>
where
    SqlTransaction<DB>: Transaction,
{
    fn secret(&self) -> [u8; 32] {
        self.secret
    }

    fn concern(&self) -> Option<String> {
        DB::concern(&self.shared.extras)
    }

    fn writing(&self) -> Writing {
        DB::WRITING
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>> {
        loop {
            let writer = self.shared.pools.writers.acquire().await;
            let writer = writer.map_err(DB::classify)?;
            let session = Session::new(Arc::clone(&self.shared), writer);
            let mut transaction = SqlTransaction(session);
            match transaction.0.run(DB::BEGIN).await {
                Ok(()) => return Ok(Box::new(transaction)),
                Err(error) => go_on_after(error, &mut transaction.0.writer)?,
            }
        }
    }

    async fn optimistic(&self) -> Result<Option<Box<dyn Optimistic>>> {
        if !DB::inserts_together(&self.shared.extras) {
            return Ok(None);
        }
        let writer = self.shared.pools.writers.acquire().await;
        let writer = writer.map_err(DB::classify)?;
        let session = Session::new(Arc::clone(&self.shared), writer);
        Ok(Some(Box::new(SqlOptimistic::new(session))))
    }

    async fn take_in(&self) {
        if !DB::has_much_to_take_in(&self.shared.extras) {
            return;
        }
        // Whoever writes next is told why there is no connection.
        let Ok(mut writer) = self.shared.pools.writers.acquire().await else {
            return;
        };
        if let Ok(connection) = writer.connection() {
            DB::take_in(&self.shared.extras, connection).await;
        }
        writer.keep();
    }

    async fn inbox_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: InboxPage,
        known: Option<Edition>,
    ) -> Result<PageRead<InboxRows>> {
        let start = match page.direction {
            Direction::Forward => i64::MAX,
            Direction::Backward => 0,
        };
        let sql = self.shared.statements.page_of_inbox(page);
        let [event, profiles] = edition(known);
        let params = [
            Param::Text(tenant.as_str()),
            Param::Text(user.as_str()),
            Param::Int(page.from.unwrap_or(start)),
            Param::Int(i64::from(page.size) + 1),
            Param::Int(i64::from(page.skip)),
            event,
            profiles,
        ];
        let answer = self.page(tenant, sql, &params).await?;
        reads::inbox(&answer, page, known)
    }

    async fn summary(&self, tenant: &TenantId, user: &UserId) -> Result<Summary> {
        let params = [Param::Text(tenant.as_str()), Param::Text(user.as_str())];
        let sql = &self.shared.statements.summary;
        let json = self.page(tenant, sql, &params).await?;
        reads::summary(&json, user)
    }

    async fn users(&self, tenant: &TenantId, after: i64, size: u32) -> Result<UserRows> {
        let params = [
            Param::Text(tenant.as_str()),
            Param::Int(after),
            Param::Int(i64::from(size) + 1),
        ];
        let sql = &self.shared.statements.users;
        let json = self
            .answer(&self.shared.pools.readers, sql, &params)
            .await?;
        reads::users(&json, size)
    }

    async fn tenants(&self, page: &TenantPage) -> Result<(Vec<TenantSummary>, bool)> {
        let statements = &self.shared.statements;
        let readers = &self.shared.pools.readers;
        match page {
            TenantPage::One(tenant) => {
                let params = [Param::Text(tenant.as_str())];
                let json = self
                    .shared
                    .read(readers, &statements.size_of_tenant, &params)
                    .await?;
                reads::tenants(json.as_deref().unwrap_or("[]"), 1)
            }
            TenantPage::After(after, size) => {
                let after = after.as_ref().map_or("", TenantId::as_str);
                let params = [Param::Text(after), Param::Int(i64::from(*size) + 1)];
                let json = self
                    .answer(readers, &statements.sizes_of_tenants, &params)
                    .await?;
                reads::tenants(&json, *size)
            }
        }
    }

    async fn thread_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &ThreadPage,
        known: Option<Edition>,
    ) -> Result<Option<PageRead<ThreadRows>>> {
        let statements = &self.shared.statements;
        let (sql, start) = match (page.is_upwards(), &page.exclude_sender) {
            (true, None) => (&statements.thread_ascending, 0),
            (true, Some(_)) => (&statements.thread_ascending_of_others, 0),
            (false, None) => (&statements.thread_descending, i64::from(i32::MAX)),
            (false, Some(_)) => (&statements.thread_descending_of_others, i64::from(i32::MAX)),
        };
        let [event, profiles] = edition(known);
        let mut params = vec![
            Param::Text(tenant.as_str()),
            Param::Text(user.as_str()),
            Param::Id(page.thread.0),
            Param::Int(page.from.map_or(start, i64::from)),
            Param::Int(i64::from(page.size) + 1),
            event,
            profiles,
        ];
        if let Some(sender) = &page.exclude_sender {
            params.push(Param::Text(sender.as_str()));
        }
        let answer = self.page(tenant, sql, &params).await?;
        reads::thread(&answer, page, known)
    }

    async fn has_thread(
        &self,
        tenant: &TenantId,
        thread: ThreadId,
        participant: Option<&UserId>,
    ) -> Result<bool> {
        let statements = &self.shared.statements;
        let tenant = Param::Text(tenant.as_str());
        let thread = Param::Id(thread.0);
        let found = match participant {
            None => {
                let params = [tenant, thread];
                self.shared
                    .read(&self.shared.pools.readers, &statements.has_thread, &params)
                    .await?
            }
            Some(user) => {
                let params = [tenant, Param::Text(user.as_str()), thread];
                self.shared
                    .read(&self.shared.pools.readers, &statements.takes_part, &params)
                    .await?
            }
        };
        Ok(found.is_some())
    }

    async fn log_goes_on(
        &self,
        tenant: &TenantId,
        from: LogPosition,
        oldest: Time,
    ) -> Result<bool> {
        let params = [Param::Text(tenant.as_str()), Param::Int(from.number)];
        let sql = &self.shared.statements.log_point;
        let json = self.answer(&self.shared.pools.feed, sql, &params).await?;
        reads::goes_on(&json, from, oldest)
    }

    async fn log_page(
        &self,
        tenant: &TenantId,
        after: LogPosition,
        reader: &LogReader,
    ) -> Result<LogPage> {
        let statements = &self.shared.statements;
        let (sql, user) = match reader {
            LogReader::Everyone => (&statements.log_of_everyone, ""),
            LogReader::User(user) => (&statements.log_of_user, user.as_str()),
        };
        let params = [
            Param::Text(tenant.as_str()),
            Param::Text(user),
            Param::Int(after.number),
            Param::Int(i64::try_from(LOG_PAGE_ROWS).unwrap_or(i64::MAX)),
        ];
        let json = self.answer(&self.shared.pools.feed, sql, &params).await?;
        reads::log(&json, after)
    }

    async fn log_heads(&self, tenants: &[TenantId]) -> Result<Vec<(TenantId, LogPosition)>> {
        let rows: Vec<_> = tenants.iter().map(|tenant| (tenant,)).collect();
        let params = [json_rows(&rows)?];
        let sql = &self.shared.statements.log_heads;
        let json = self.answer(&self.shared.pools.feed, sql, &params).await?;
        let found: Option<Vec<(TenantId, Option<HeadRow>)>> = parse(&json)?;
        let found = found.unwrap_or_default();
        Ok(found
            .into_iter()
            .map(|(tenant, row)| (tenant, head(row)))
            .collect())
    }

    async fn tenants_to_expire(
        &self,
        after: Option<&TenantId>,
        expiry: Expiry,
    ) -> Result<(Vec<TenantId>, Option<TenantId>)> {
        let (pool, statements) = (&self.shared.pools.feed, &self.shared.statements);
        let after = after.map_or("", TenantId::as_str);
        let params = [Param::Text(after), Param::Int(TENANTS_AT_ONCE)];
        let last = self.answer(pool, &statements.last_of_tenants, &params);
        let (last,): (Option<TenantId>,) = parse(&last.await?)?;
        let Some(last) = last else {
            return Ok((Vec::new(), None));
        };
        let params = [
            Param::Text(after),
            Param::Text(last.as_str()),
            Param::Int(expiry.events_before.0),
            Param::Int(expiry.requests_before.0),
        ];
        let found = self.answer(pool, &statements.tenants_to_expire, &params);
        let found: Option<Vec<TenantId>> = parse(&found.await?)?;
        Ok((found.unwrap_or_default(), Some(last)))
    }

    async fn announce(&self, tenants: &[TenantId]) -> Result<()> {
        if DB::is_alone(&self.shared.extras) {
            return Ok(());
        }
        loop {
            let announcer = self.shared.pools.feed.acquire().await;
            let mut announcer = announcer.map_err(DB::classify)?;
            let connection = announcer.connection().map_err(DB::classify)?;
            match answer::<DB, _>(DB::announce(&self.shared.extras, connection, tenants)).await {
                Ok(()) => {
                    announcer.keep();
                    return Ok(());
                }
                Err(error) => go_on_after(error, &mut announcer)?,
            }
        }
    }

    async fn announced(&self) -> Option<Vec<TenantId>> {
        DB::announced(&self.shared.extras).await
    }

    async fn close(&self) {
        let shared = &self.shared;
        // The writers last: on SQLite the last connection takes the write-ahead log in.
        let pools = &shared.pools;
        pools.readers.close().await;
        pools.feed.close().await;
        pools.writers.close().await;
        DB::closed(&shared.extras);
    }
}

/// The edition that a page is known in, as parameters; no event has the nil UUID.
fn edition(known: Option<Edition>) -> [Param<'static>; 2] {
    let known = known.map(|edition| (edition.event.0, edition.profiles));
    let (event, profiles) = known.unwrap_or_default();
    [Param::Id(event), Param::Int(profiles)]
}

/// The deployment's secret: 32 bytes, which Postgres writes with a prefix.
fn secret_bytes(hex: &str) -> Result<[u8; 32]> {
    let digits = hex.trim_start_matches("\\x");
    let mut secret = [0; 32];
    if digits.len() != 64 {
        return Err(Error::defect("the deployment has no secret"));
    }
    for (index, byte) in secret.iter_mut().enumerate() {
        let pair = digits.get(2 * index..2 * index + 2).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).map_err(Error::defect)?;
    }
    Ok(secret)
}
