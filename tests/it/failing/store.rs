//! A real store behind a test's faults.

use std::sync::Arc;

use async_trait::async_trait;
use letterbox::{
    model::{
        Changes, Edition, InboxPage, InboxRows, Loaded, LogPage, LogPosition, LogReader, Needs,
        PageRead, Participant, Summary, TenantId, TenantPage, TenantSummary, ThreadId, ThreadPage,
        ThreadRows, Time, UserId, UserRows,
    },
    store::{Expiry, Optimistic, Result, Store, Transaction, Writing},
};

use super::faults::{Cause, Fault, Faults, Point};

/// A real store that fails where the faults say so.
pub(super) struct FailingStore {
    pub(super) real: Arc<dyn Store>,
    pub(super) faults: Arc<Faults>,
}

struct FailingTransaction {
    real: Box<dyn Transaction>,
    faults: Arc<Faults>,
}

struct FailingOptimistic {
    real: Box<dyn Optimistic>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Store for FailingStore {
    fn secret(&self) -> [u8; 32] {
        self.real.secret()
    }

    fn concern(&self) -> Option<String> {
        self.real.concern()
    }

    fn writing(&self) -> Writing {
        self.real.writing()
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>> {
        let real = self.faults.around(Point::Begin, self.real.begin()).await?;
        let faults = Arc::clone(&self.faults);
        Ok(Box::new(FailingTransaction { real, faults }))
    }

    async fn optimistic(&self) -> Result<Option<Box<dyn Optimistic>>> {
        if !self.faults.without_turns() {
            return Ok(None);
        }
        let beginning = self.real.optimistic();
        let real = self
            .faults
            .around(Point::BeginWithoutTurn, beginning)
            .await?;
        let real = real.expect("a database without Citus");
        let faults = Arc::clone(&self.faults);
        Ok(Some(Box::new(FailingOptimistic { real, faults })))
    }

    async fn take_in(&self) {
        let taking_in = async {
            self.real.take_in().await;
            Ok(())
        };
        let taken_in = self.faults.around(Point::TakeIn, taking_in).await;
        taken_in.expect("it cannot fail");
    }

    async fn inbox_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: InboxPage,
        known: Option<Edition>,
    ) -> Result<PageRead<InboxRows>> {
        self.real.inbox_page(tenant, user, page, known).await
    }

    async fn summary(&self, tenant: &TenantId, user: &UserId) -> Result<Summary> {
        self.real.summary(tenant, user).await
    }

    async fn users(&self, tenant: &TenantId, after: i64, size: u32) -> Result<UserRows> {
        self.real.users(tenant, after, size).await
    }

    async fn tenants(&self, page: &TenantPage) -> Result<(Vec<TenantSummary>, bool)> {
        self.real.tenants(page).await
    }

    async fn thread_page(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &ThreadPage,
        known: Option<Edition>,
    ) -> Result<Option<PageRead<ThreadRows>>> {
        self.real.thread_page(tenant, user, page, known).await
    }

    async fn has_thread(
        &self,
        tenant: &TenantId,
        thread: ThreadId,
        participant: Option<&UserId>,
    ) -> Result<bool> {
        self.real.has_thread(tenant, thread, participant).await
    }

    async fn log_goes_on(
        &self,
        tenant: &TenantId,
        from: LogPosition,
        oldest: Time,
    ) -> Result<bool> {
        let looking = self.real.log_goes_on(tenant, from, oldest);
        self.faults.around(Point::LogGoesOn, looking).await
    }

    async fn log_page(
        &self,
        tenant: &TenantId,
        after: LogPosition,
        reader: &LogReader,
    ) -> Result<LogPage> {
        let reading = self.real.log_page(tenant, after, reader);
        self.faults.around(Point::LogPage, reading).await
    }

    async fn log_heads(&self, tenants: &[TenantId]) -> Result<Vec<(TenantId, LogPosition)>> {
        let looking = self.real.log_heads(tenants);
        self.faults.around(Point::LogHeads, looking).await
    }

    async fn tenants_to_expire(
        &self,
        after: Option<&TenantId>,
        expiry: Expiry,
    ) -> Result<(Vec<TenantId>, Option<TenantId>)> {
        self.real.tenants_to_expire(after, expiry).await
    }

    async fn announce(&self, tenants: &[TenantId]) -> Result<()> {
        let telling = self.real.announce(tenants);
        self.faults.around(Point::Announce, telling).await
    }

    async fn close(&self) {
        self.real.close().await;
    }

    async fn announced(&self) -> Option<Vec<TenantId>> {
        let hearing = async { Ok(self.real.announced().await) };
        let heard = self.faults.around(Point::Announced, hearing).await;
        heard.ok().flatten()
    }
}

#[async_trait]
impl Transaction for FailingTransaction {
    async fn take_turn(&mut self, tenant: &TenantId) -> Result<()> {
        let taking = self.real.take_turn(tenant);
        self.faults.around(Point::TakeTurn, taking).await
    }

    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let loading = self.real.load(tenant, needs);
        self.faults.around(Point::Load, loading).await
    }

    async fn save(&mut self, tenant: &TenantId, changes: &Changes<'_>) -> Result<()> {
        check_poison(&self.faults, changes)?;
        let saving = self.real.save(tenant, changes);
        self.faults.around(Point::Save, saving).await
    }

    async fn expire(&mut self, tenant: &TenantId, expiry: Expiry) -> Result<bool> {
        self.real.expire(tenant, expiry).await
    }

    async fn holds_event(
        &mut self,
        tenant: &TenantId,
        position: LogPosition,
    ) -> Result<Option<bool>> {
        let looking = self.real.holds_event(tenant, position);
        self.faults.around(Point::HoldsEvent, looking).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { real, faults } = *self;
        let (gate, done) = match faults.arrive(Point::Commit).await {
            Some(Fault::DoneLater(gate)) => (gate, true),
            Some(Fault::UndoneLater(gate)) => (gate, false),
            // The transaction goes with what is not carried out, and so ends without its commit.
            fault => return faults.carry_out(fault, real.commit()).await,
        };
        tokio::spawn(async move {
            gate.opened().await;
            if done {
                real.commit().await.expect("the lost transaction commits");
            } else {
                real.roll_back().await;
            }
        });
        Err(Cause::Outage.error())
    }

    async fn roll_back(self: Box<Self>) {
        self.real.roll_back().await;
    }
}

#[async_trait]
impl Optimistic for FailingOptimistic {
    async fn load(&mut self, tenant: &TenantId, needs: &Needs) -> Result<Loaded> {
        let loading = self.real.load(tenant, needs);
        self.faults.around(Point::LoadWithoutTurn, loading).await
    }

    async fn holds(&mut self, tenant: &TenantId) -> Result<bool> {
        self.real.holds(tenant).await
    }

    async fn save(self: Box<Self>, tenant: &TenantId, changes: &Changes<'_>) -> Result<bool> {
        let Self { real, faults } = *self;
        if check_poison(&faults, changes).is_err() {
            return Ok(false);
        }
        let gate = match faults.arrive(Point::SaveWithoutTurn).await {
            Some(Fault::DoneLater(gate)) => gate,
            fault => {
                let saving = real.save(tenant, changes);
                return faults.carry_out(fault, saving).await;
            }
        };
        let (tenant, changes) = (tenant.clone(), leaked(changes));
        tokio::spawn(async move {
            gate.opened().await;
            faults.arrived_late(real.save(&tenant, &changes).await);
        });
        Err(Cause::Outage.error())
    }
}

fn check_poison(faults: &Faults, changes: &Changes<'_>) -> Result<()> {
    let mut contents = changes.new_messages.iter().map(|message| &message.content);
    if contents.any(|content| faults.is_poisoned(content)) {
        return Err(Cause::Data.error());
    }
    Ok(())
}

/// What outlives its batch, as what is on its way to a database does.
fn leaked(changes: &Changes<'_>) -> Changes<'static> {
    fn one<T: Clone>(one: &T) -> &'static T {
        Box::leak(Box::new(one.clone()))
    }
    fn all<T: Clone>(all: &[&T]) -> Vec<&'static T> {
        all.iter().copied().map(one).collect()
    }
    let pairs = |pairs: &[(ThreadId, &Participant)]| {
        let pairs = pairs.iter();
        pairs.map(|(thread, it)| (*thread, one(*it))).collect()
    };
    let mailboxes = changes.mailboxes.iter();
    Changes {
        users: all(&changes.users),
        new_threads: all(&changes.new_threads),
        threads: all(&changes.threads),
        new_participants: pairs(&changes.new_participants),
        participants: pairs(&changes.participants),
        new_messages: all(&changes.new_messages),
        messages: all(&changes.messages),
        revisions: changes.revisions.to_vec().leak(),
        requests: all(&changes.requests),
        mailboxes: mailboxes.map(|(user, it)| (one(*user), *it)).collect(),
        events: changes.events.to_vec().leak(),
        sizes: changes.sizes,
        unlogged: changes.unlogged,
        profiles: changes.profiles,
    }
}
