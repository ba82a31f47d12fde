//! The steps of a transaction: bounded, and measured.

use std::time::{Duration, Instant};

use super::{Shared, queue::Job};
use crate::{metrics::Step, store};

/// How long a database may take for one step before it counts as unreachable.
const STEP_MAX: Duration = Duration::from_secs(10);

impl Shared {
    /// A step that carries these batches further: it stands in the traces of their calls, too.
    pub(super) async fn step_of<'a, T>(
        &self,
        batches: impl IntoIterator<Item = &'a [Job]>,
        step: Step,
        work: impl Future<Output = store::Result<T>>,
    ) -> store::Result<T> {
        let mut spans = Vec::new();
        for jobs in batches {
            let of_calls = jobs.iter().map(|job| job.step(step.name(), jobs.len()));
            spans.extend(of_calls.filter(|span| !span.is_disabled()));
        }
        // They end when this returns.
        self.step(step, work).await
    }

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
