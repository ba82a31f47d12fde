//! What a write asks of its connection, with or without a turn.

use std::sync::Arc;

use super::{
    Backend, Param, Statements,
    backend::{Basis, Unsaved},
    insert::{Commit, Rows},
    json_rows,
    kept::{InUse, answer},
    load,
    memory::Memory,
    numbers::UserNumbers,
    rows::{LoadAnswer, parse},
    save,
    shared::Shared,
    statements::Asked,
};
use crate::{
    metrics::LoadedFrom,
    model::{Changes, Loaded, Needs, TenantId},
    store::{Error, Result},
};

/// A connection that writes. Dropped, it is closed, unless it has been kept: it may be amid a transaction,
/// which whoever used it next would take for its own.
pub(super) struct Session<DB: Backend> {
    pub(super) shared: Arc<Shared<DB>>,
    pub(super) writer: InUse<DB>,
    /// Whether a statement has been sent that was not answered.
    pub(super) unanswered: bool,
    /// Of the tenant that was loaded last, as of then.
    memory: Memory,
    /// Whether some of it was not loaded just now.
    remembered: bool,
    /// What is remembered once all is committed.
    written: Vec<(TenantId, Memory)>,
}

impl<DB: Backend> Drop for Session<DB> {
    fn drop(&mut self) {
        if self.unanswered {
            self.writer.discard_all();
        } else {
            self.writer.discard();
        }
    }
}

impl<DB: Backend> Session<DB> {
    pub(super) fn new(shared: Arc<Shared<DB>>, writer: InUse<DB>) -> Self {
        Self {
            shared,
            writer,
            unanswered: false,
            memory: Memory::default(),
            remembered: false,
            written: Vec::new(),
        }
    }

    /// Runs a statement that has neither parameters nor an answer.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<()> {
        let done = answer::<DB, _>(DB::run(self.connection()?, sql)).await;
        self.answered(done)
    }

    pub(super) async fn fetch(
        &mut self,
        statement: impl Fn(&Statements) -> &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<Option<String>> {
        let sql = Arc::clone(statement(&self.shared.statements));
        let found = answer::<DB, _>(DB::fetch(self.connection()?, &sql, params)).await;
        self.answered(found)
    }

    pub(super) async fn execute(
        &mut self,
        statement: impl Fn(&Statements) -> &Arc<str>,
        params: &[Param<'_>],
    ) -> Result<u64> {
        let sql = Arc::clone(statement(&self.shared.statements));
        let done = answer::<DB, _>(DB::execute(self.connection()?, &sql, params)).await;
        self.answered(done)
    }

    /// Puts what was remembered back, unchanged, for the next batch.
    pub(super) fn give_back(&mut self, tenant: TenantId) {
        let memory = std::mem::take(&mut self.memory);
        self.shared.memories.keep(tenant, memory);
    }

    /// Loads what a batch touches.
    pub(super) async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let former = self.shared.memories.take(tenant);
        let answer = self.look_up(tenant, needs, true).await?;
        let (loaded, numbers) = load::rows(answer, &UserNumbers::default())?;
        self.memory = Memory::of(&loaded, numbers, former);
        self.remembered = false;
        Ok(loaded)
    }

    /// The same, but what is remembered is not looked up. Whoever relies on it has to learn whether it
    /// holds: by [`save_and_commit`](Self::save_and_commit), or by [`holds`](Self::holds).
    pub(super) async fn load_or_remember(
        &mut self,
        tenant: &TenantId,
        needs: &Needs,
    ) -> Result<Loaded> {
        let Some(memory) = self.shared.memories.take(tenant) else {
            return self.load(tenant, needs).await;
        };
        let lacking = memory.lacks(needs);
        let mut loaded = Loaded::default();
        self.memory = memory;
        if lacking == Needs::default() {
            self.shared.metrics.writer.loaded(LoadedFrom::Memory);
        } else {
            let Some(found) = self.look_up_lacking(tenant, &lacking).await? else {
                return self.load(tenant, needs).await;
            };
            loaded = found;
        }
        self.remembered = true;
        Ok(self.memory.fill(needs, loaded))
    }

    /// Loads what is not remembered, as of the event that what is remembered is; none where there is a newer one.
    async fn look_up_lacking(
        &mut self,
        tenant: &TenantId,
        lacking: &Needs,
    ) -> Result<Option<Loaded>> {
        // Where most of the tenant's users are remembered, to ask for the few others by themselves costs less
        // than to load all who take part: replies to threads that are not remembered 2.8 k → 3.1 k.
        let people = !self.memory.numbers.are_of_most();
        let answer = self.look_up(tenant, lacking, people).await?;
        let strangers = load::strangers(&answer, &self.memory.numbers);
        if !strangers.is_empty() {
            let strangers: Vec<_> = strangers.into_iter().map(|number| (number,)).collect();
            let params = [Param::Text(tenant.as_str()), json_rows(&strangers)?];
            let met = self.fetch(|sql| &sql.load_users, &params).await?;
            if self.learn(parse(&met.unwrap_or_default())?)?.is_none() {
                return Ok(None);
            }
        }
        self.learn(answer)
    }

    /// Remembers what was loaded, provided that it is as of the same event.
    fn learn(&mut self, answer: LoadAnswer) -> Result<Option<Loaded>> {
        let (loaded, numbers) = load::rows(answer, &self.memory.numbers)?;
        if !self.memory.holds_at(&loaded) {
            return Ok(None);
        }
        let former = std::mem::take(&mut self.memory);
        self.memory = Memory::of(&loaded, numbers, Some(former));
        Ok(Some(loaded))
    }

    /// Whether what was loaded last is still so.
    pub(super) async fn holds(&mut self, tenant: &TenantId) -> Result<bool> {
        // What was loaded, all at once, was so at that moment.
        if self.remembered {
            let now = self.look_up(tenant, &Needs::default(), false).await?;
            let (now, _) = load::rows(now, &UserNumbers::default())?;
            if !self.memory.holds_at(&now) {
                return Ok(false);
            }
        }
        self.give_back(tenant.clone());
        Ok(true)
    }

    /// Asks for what is needed, with or without the users who take part in the threads.
    async fn look_up(
        &mut self,
        tenant: &TenantId,
        needs: &Needs,
        people: bool,
    ) -> Result<LoadAnswer> {
        self.shared.metrics.writer.loaded(LoadedFrom::Tables);
        let [users, threads, messages, requests, marks] = load::params(needs)?;
        let tenant = Param::Text(tenant.as_str());
        let params = [tenant, users, threads, messages, requests, marks];
        let asked = Asked {
            threads: !needs.threads.is_empty(),
            messages: !needs.messages.is_empty(),
            requests: !needs.requests.is_empty(),
            marks: !needs.sent_up_to.is_empty(),
            people,
        };
        let json = self.fetch(|sql| sql.load(asked), &params).await?;
        parse(&json.unwrap_or_default())
    }

    /// Saves what a batch changed, in the transaction that is under way.
    pub(super) async fn save(&mut self, tenant: &TenantId, changes: &Changes<'_>) -> Result<()> {
        for record in &changes.users {
            self.memory.numbers.number(&record.user.id);
        }
        let rows = save::rows(&self.memory.numbers, changes)?;
        let rows = present(&rows);
        let together = if DB::inserts_together(&self.shared.extras) {
            rows.len()
        } else {
            1
        };
        let mut written = 0;
        for some in rows.chunks(together.max(1)) {
            let sql = self.shared.inserts.text::<DB>(some, Commit::Later);
            let done = DB::insert(self.connection()?, &sql, tenant, some);
            let done = answer::<DB, _>(done).await;
            written += self.answered(done)?;
        }
        // The tenant comes from the head row: without one nothing would be written, silently.
        all_of(&rows, written)?;
        self.go_on(tenant, changes);
        Ok(())
    }

    /// Saves what a batch changed, and commits, in one statement; where what was loaded for it is still
    /// so, and nobody has the tenant's turn. Says whether it was; an error leaves that unknown.
    pub(super) async fn save_and_commit(
        &mut self,
        tenant: &TenantId,
        changes: &Changes<'_>,
    ) -> Result<bool> {
        let Ok(rows) = save::rows(&self.memory.numbers, changes) else {
            // With the turn it is told why.
            return Ok(false);
        };
        let rows = present(&rows);
        let sql = self.shared.inserts.text::<DB>(&rows, Commit::AtOnce);
        // Not bounded here: it may wait for a standby for as long as the writer is patient.
        let basis = Basis {
            newest: self.memory.head().event,
            unlogged: self.memory.unlogged(),
        };
        let done = DB::insert_and_commit(self.connection()?, &sql, tenant, &rows, basis);
        let written = match done.await {
            Ok(written) => written,
            Err(Unsaved::Refused(error)) => {
                tracing::debug!(%error, "not saved without the turn");
                if self.run("ROLLBACK").await.is_err() {
                    // Closed, it rolls back as well.
                    self.writer.discard();
                }
                return Ok(false);
            }
            Err(Unsaved::Unheard(error)) => return Err(DB::classify(error)),
        };
        if written == 0 {
            self.committed();
            return Ok(false);
        }
        let all = all_of(&rows, written);
        if all.is_ok() {
            self.go_on(tenant, changes);
        }
        self.committed();
        all.map(|()| true)
    }

    /// Has what was written remembered, once it is committed.
    fn go_on(&mut self, tenant: &TenantId, changes: &Changes<'_>) {
        let mut memory = std::mem::take(&mut self.memory);
        memory.go_on(changes);
        self.written.push((tenant.clone(), memory));
    }

    /// Commits the transaction that is under way, and keeps the connection for the next one.
    pub(super) async fn commit(&mut self) -> Result<()> {
        // Not bounded here: it may wait for a standby for as long as the writer is patient.
        let done = DB::run(self.connection()?, "COMMIT").await;
        done.map_err(DB::classify)?;
        self.committed();
        Ok(())
    }

    fn committed(&mut self) {
        self.unanswered = false;
        for (tenant, memory) in self.written.drain(..) {
            self.shared.memories.keep(tenant, memory);
        }
        self.writer.keep();
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

/// No row, no INSERT.
fn present<'a, 'rows>(rows: &'a [Rows<'rows>]) -> Vec<&'a Rows<'rows>> {
    rows.iter().filter(|rows| rows.count() > 0).collect()
}

fn all_of(rows: &[&Rows<'_>], written: u64) -> Result<()> {
    let wanted: usize = rows.iter().map(|rows| rows.count()).sum();
    if written == wanted as u64 {
        Ok(())
    } else {
        let defect = format!("{written} rows written instead of {wanted}");
        Err(Error::defect(defect))
    }
}
