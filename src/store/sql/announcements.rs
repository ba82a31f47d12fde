//! What the processes on one Postgres tell each other, over LISTEN: whose logs have grown.
//!
//! To tell it is a commit of its own, which syncs, and wakes who listens. So a process that is alone tells
//! nothing. Every listener holds a shared advisory lock for as long as its connection lasts, and says hello
//! once it does. A process that counts the locks after it began to listen knows all listeners: the earlier
//! ones by their locks, the later ones by their hellos.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sqlx::{
    Executor, PgConnection, Postgres,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    query, query_as,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{Backend, kept::answer};
use crate::{
    model::TenantId,
    store::{Error, Result},
};

/// Where it is told.
const CHANNEL: &str = "letterbox";

/// The lock that is held by those who listen: two numbers of our own.
const LISTENING: (i32, i32) = (0x6c74_7278, 1);

/// Said instead of tenants: somebody has begun to listen. No tenant has such a name.
const HERE: &str = "+";

/// Postgres limits a notification to 8,000 bytes.
const PAYLOAD_BYTES_MAX: usize = 7_000;

/// How long to wait before listening anew.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// How long nothing is heard of others before it is looked who is there, and whether the connection lives.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// What a process tells the others, and hears of them.
pub(super) struct Announcements {
    options: PgConnectOptions,
    /// What this process begins with whatever it tells. No tenant has such a name.
    mark: String,
    listener: Mutex<Option<PgListener>>,
    /// Nobody else listens. False while that is not known.
    alone: AtomicBool,
}

impl Announcements {
    pub(super) fn new(options: PgConnectOptions, mark: String) -> Self {
        Self {
            options,
            mark,
            listener: Mutex::new(None),
            alone: AtomicBool::new(false),
        }
    }

    /// Whether there is nobody to tell anything.
    pub(super) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// Tells the others whose logs have grown.
    pub(super) async fn tell(
        &self,
        connection: &mut PgConnection,
        tenants: &[TenantId],
    ) -> sqlx::Result<()> {
        let mut payload = self.mark.clone();
        for tenant in tenants {
            payload.extend([" ", tenant.as_str()]);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            // None named: look at all.
            payload.truncate(self.mark.len());
        }
        notify(connection, &payload).await
    }

    /// Waits for what others tell: these logs have grown; none: any may have.
    pub(super) async fn hear(&self) -> Option<Vec<TenantId>> {
        let mut listener = self.listener.lock().await;
        let Some(connected) = listener.as_mut() else {
            match self.listen().await {
                // What was told meanwhile is unknown: look at all.
                Ok(connected) => *listener = Some(connected),
                Err(error) => {
                    // The poll carries the feed until then.
                    tracing::debug!(?error, "cannot listen for other replicas");
                    tokio::time::sleep(LISTEN_AGAIN).await;
                }
            }
            return None;
        };
        match self.hear_over(connected).await {
            Ok(tenants) => (!tenants.is_empty()).then_some(tenants),
            Err(error) => {
                tracing::debug!(
                    ?error,
                    "lost the connection that listens for other replicas"
                );
                self.alone.store(false, Ordering::Relaxed);
                *listener = None;
                None
            }
        }
    }

    async fn hear_over(&self, listener: &mut PgListener) -> Result<Vec<TenantId>> {
        let mut quiet = Instant::now() + QUIET_MAX;
        loop {
            let Ok(heard) = timeout_at(quiet, listener.try_recv()).await else {
                // A connection that was cut without a word is as quiet as one where nothing happens.
                self.look_around(listener).await?;
                quiet = Instant::now() + QUIET_MAX;
                continue;
            };
            let Some(heard) = heard.map_err(Postgres::classify)? else {
                // What comes of it when it connects by itself holds no lock.
                return Err(Error::Unavailable(sqlx::Error::PoolClosed.into()));
            };
            let Some(told) = told_by_others(heard.payload(), &self.mark) else {
                continue;
            };
            self.alone.store(false, Ordering::Relaxed);
            if told.trim() != HERE {
                let names = told.split_ascii_whitespace();
                return Ok(names.filter_map(TenantId::parse).collect());
            }
        }
    }

    /// Begins to listen; then nobody is alone who was.
    async fn listen(&self) -> Result<PgListener> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(None)
            .max_lifetime(None);
        let listening = async {
            let pool = pool.connect_with(self.options.clone()).await?;
            let mut listener = PgListener::connect_with(&pool).await?;
            // Not by itself, which would take its time, and hold no lock.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            let (ours, kind) = LISTENING;
            let lock = query("SELECT pg_advisory_lock_shared($1, $2)");
            listener.execute(lock.bind(ours).bind(kind)).await?;
            notify(&mut listener, &format!("{} {HERE}", self.mark)).await?;
            Ok(listener)
        };
        let mut listener = answer::<Postgres, _>(listening).await?;
        self.look_around(&mut listener).await?;
        Ok(listener)
    }

    /// Looks who else listens, over the connection that hears of who comes later. It is to hold the lock
    /// itself: the listener can have connected anew, by itself, and nobody would know of it then.
    async fn look_around(&self, listener: &mut PgListener) -> Result<()> {
        let (ours, kind) = LISTENING;
        let held = query_as::<_, (bool,)>(
            "SELECT pid = pg_backend_pid() FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint = $1 AND objid::bigint = $2 AND objsubid = 2",
        );
        let held = held.bind(i64::from(ours)).bind(i64::from(kind));
        let held = answer::<Postgres, _>(held.fetch_all(listener)).await?;
        if !held.contains(&(true,)) {
            return Err(Error::Unavailable(sqlx::Error::PoolClosed.into()));
        }
        self.alone.store(held.len() == 1, Ordering::Relaxed);
        Ok(())
    }
}

async fn notify<'c>(
    connection: impl Executor<'c, Database = Postgres>,
    payload: &str,
) -> sqlx::Result<()> {
    let notify = query("SELECT pg_notify($1, $2)");
    let notify = notify.bind(CHANNEL).bind(payload);
    notify.execute(connection).await.map(|_| ())
}

/// What others tell; none: this process itself has told it.
fn told_by_others<'a>(payload: &'a str, mark: &str) -> Option<&'a str> {
    let (by, told) = payload.split_once(' ').unwrap_or((payload, ""));
    (by != mark).then_some(told)
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    #[tokio::test]
    async fn whoever_has_lost_the_lock_does_not_count_as_alone_and_has_to_listen_anew() {
        let url = env::var("LETTERBOX_TEST_POSTGRES_URL")
            .expect("these tests need a Postgres: run ./scripts/test");
        let options: PgConnectOptions = url.parse().unwrap();
        let here = Announcements::new(options.clone(), "@here".into());
        let mut listener = here.listen().await.unwrap();
        assert!(here.is_alone());

        // What a listener has come to that has connected by itself.
        let unlock = "SELECT pg_advisory_unlock_all()";
        listener.execute(unlock).await.unwrap();
        let there = Announcements::new(options, "@there".into());
        let _listener = there.listen().await.unwrap();
        assert!(here.look_around(&mut listener).await.is_err());
    }
}
