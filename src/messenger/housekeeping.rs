//! Removes what is no longer kept, a bounded piece at a time, in turns like any other write.

use std::{sync::Arc, time::Duration};

use super::writer::Writer;
use crate::{
    model::{Clock, TenantId},
    store::{Expiry, Store},
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
        match store.tenants_to_expire(expiry).await {
            Ok(tenants) => {
                for tenant in tenants {
                    expire(&writer, &tenant, expiry).await;
                }
            }
            Err(error) => tracing::warn!(error = ?error, "cannot look for what is no longer kept"),
        }
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
