//! The steps of a transaction: bounded, and measured.

use std::time::{Duration, Instant};

use super::Shared;
use crate::{metrics::Step, store};

/// How long a database may take for one step before it counts as unreachable.
const STEP_MAX: Duration = Duration::from_secs(10);

impl Shared {
    /// One step of a transaction: a database that does not answer at all is not waited for.
    pub(super) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = store::Result<T>>,
    ) -> store::Result<T> {
        let since = Instant::now();
        let result = tokio::time::timeout(STEP_MAX, work)
            .await
            .unwrap_or_else(|elapsed| Err(store::Error::Unavailable(elapsed.into())));
        self.metrics.writer.step(step, since.elapsed());
        result
    }
}
