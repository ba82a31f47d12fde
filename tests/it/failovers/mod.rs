//! A Postgres that fails over to its standby, or falls silent, under processes that serve.
//!
//! [`cluster`] brings servers of the test's own; a [`Proxy`] is the address that the processes
//! know, and is turned to the new primary as a virtual address would be.

mod asynchronous;
mod cluster;
mod patroni;
mod silence;
mod switchover;
mod synchronous;

use std::time::Duration;

use self::cluster::Cluster;
use crate::{processes::Deployment, support::prelude::*};

/// Servers that fail over, and a process that serves from them.
struct Setting {
    cluster: Cluster,
    proxy: Proxy,
    deployment: Deployment,
}

impl Setting {
    /// A process's database on a primary with a standby.
    async fn on(cluster: Cluster) -> Self {
        let proxy = Proxy::to(cluster.primary.address()).await;
        let deployment = Deployment::at(&cluster::url(proxy.address()));
        Self {
            cluster,
            proxy,
            deployment,
        }
    }

    /// The primary fails, and the standby takes over.
    async fn fail_over(&mut self) {
        self.cluster.primary.crash().await;
        self.cluster.standby.promote().await;
        self.proxy.turn_to(self.cluster.standby.address());
    }
}

/// A user of a process.
fn user(server: &crate::processes::Server, name: &str) -> Client {
    Client::over(server.connect()).with("x-user-id", name)
}

/// How long a failover may take, with the leases that have to run out before.
const FAILOVER_MAX: Duration = Duration::from_secs(90);

/// Calls until there is an answer other than "not now".
async fn insist<T, F>(call: impl Fn() -> F) -> Result<T, tonic::Status>
where
    F: Future<Output = Result<T, tonic::Status>>,
{
    let answered = async {
        loop {
            match call().await {
                Err(status) if status.code() == Code::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                answer => return answer,
            }
        }
    };
    let answered = tokio::time::timeout(FAILOVER_MAX, answered).await;
    answered.expect("the database comes back")
}
