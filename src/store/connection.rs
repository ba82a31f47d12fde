//! One connection, outside of any pool.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection};

/// How long a database may take to answer.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Connects, or gives up.
pub(super) async fn connect<C: Connection>(options: &C::Options) -> sqlx::Result<C>
where
    C::Options: ConnectOptions<Connection = C>,
{
    tokio::time::timeout(CONNECT_MAX, options.connect())
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
