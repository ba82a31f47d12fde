//! What lies between the replicas and their Postgres.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::time::sleep;

use super::{postgres::OwnPostgres, world::Fault};
use crate::support::*;

/// What lies between the replicas and their Postgres.
pub(crate) struct Network {
    pub(crate) postgres: Arc<OwnPostgres>,
    pub(crate) proxy: Proxy,
    /// The database, by way of the proxy.
    pub(crate) url: String,
}

impl Network {
    /// Before a database of this Postgres.
    pub(crate) async fn before(postgres: &Arc<OwnPostgres>, database: &TestDatabase) -> Self {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, postgres.port()));
        let proxy = Proxy::to(target).await;
        let port = format!(":{}/", postgres.port());
        let there = format!(":{}/", proxy.address().port());
        Self {
            postgres: Arc::clone(postgres),
            url: database.url().replace(&port, &there),
            proxy,
        }
    }

    /// Has a fault happen, and waits until it is over.
    pub(crate) async fn suffer(&self, fault: Fault) {
        match fault {
            Fault::KillPostgres { away } => {
                self.postgres.kill().await;
                sleep(away).await;
                self.postgres.go_on().await;
            }
            Fault::ReadOnly { time } => {
                // Another fault may keep it from hearing; then it stays as it is.
                let set = |on: bool| async move {
                    let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
                    let reload = "SELECT pg_reload_conf()";
                    self.postgres.execute("postgres", &sql).await.is_ok()
                        && self.postgres.execute("postgres", reload).await.is_ok()
                };
                set(true).await;
                sleep(time).await;
                eventually("Postgres to take writes", async || {
                    set(false).await.then_some(())
                })
                .await;
            }
            Fault::CutAll => self.proxy.cut(),
            Fault::CutAtCommit(cut) => self.proxy.cut_at_commit(cut),
            Fault::Slow { delay, time } => {
                self.proxy.be_slow(delay);
                sleep(time).await;
                self.proxy.be_well();
            }
            Fault::Silent { time } => {
                self.proxy.fall_silent();
                sleep(time).await;
                self.proxy.cut();
            }
            other => unreachable!("{other:?} does not happen to a network"),
        }
    }
}
