//! Removes what is no longer kept, a bounded piece at a time, in turns like any other write.

use std::{sync::Arc, time::Duration};

use super::writer::Writer;
use crate::{
    model::{Clock, TenantId},
    store::{self, Expiry, Store},
};

/// How long a request id is remembered: a day is promised, and an hour is for slow clocks.
const REQUESTS_KEPT: Duration = Duration::from_hours(25);

/// Removes for as long as it runs.
pub(super) async fn run(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    writer: Writer,
    event_retention: Duration,
) {
    let pause = (event_retention / 10).clamp(Duration::from_millis(200), Duration::from_mins(1));
    loop {
        tokio::time::sleep(pause).await;
        let now = clock.now();
        let expiry = Expiry {
            events_before: now.before_by(event_retention),
            requests_before: now.before_by(REQUESTS_KEPT),
        };
        if let Err(error) = expire_all(&*store, &writer, expiry).await {
            tracing::warn!(error = ?error, "cannot look for what is no longer kept");
        }
    }
}

/// Removes what no tenant keeps any longer.
async fn expire_all(store: &dyn Store, writer: &Writer, expiry: Expiry) -> store::Result<()> {
    let mut after = None;
    loop {
        let (tenants, more) = store.tenants_to_expire(after.as_ref(), expiry).await?;
        for tenant in tenants {
            expire(writer, &tenant, expiry).await;
        }
        if more.is_none() {
            return Ok(());
        }
        after = more;
    }
}

async fn expire(writer: &Writer, tenant: &TenantId, expiry: Expiry) {
    loop {
        match writer.expire(tenant, expiry).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%tenant, error = ?error, "cannot remove what is no longer kept");
                return;
            }
        }
    }
}
