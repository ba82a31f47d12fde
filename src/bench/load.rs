//! Load: callers that call, in a closed or an open loop, and what they measure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::{sync::Semaphore, task::JoinSet};
use tonic::Status;

use super::{options, problem};
use crate::progress::Progress;

/// What one caller does again and again.
pub(super) trait Caller: Send + 'static {
    /// One call.
    fn call(&mut self) -> impl Future<Output = Result<(), Status>> + Send;
}

/// When calls count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Window {
    /// Opens after the warm-up.
    pub(super) fn of(load: &options::Load) -> Self {
        let from = Instant::now() + load.warmup;
        let until = from + load.duration;
        Self { from, until }
    }

    pub(super) fn holds(self, time: Instant) -> bool {
        (self.from..self.until).contains(&time)
    }
}

/// What was measured.
pub(super) struct Measured {
    /// How long calls took, in microseconds.
    pub(super) latency: Histogram<u64>,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

impl Measured {
    fn new() -> Self {
        Self {
            latency: histogram(),
            errors: 0,
            first_error: None,
        }
    }

    fn record(&mut self, since: Instant, result: Result<(), Status>) {
        match result {
            Ok(()) => record(&mut self.latency, since.elapsed()),
            Err(status) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| problem(&status));
            }
        }
    }

    fn add(&mut self, other: Self) {
        // Histograms of one kind are always added.
        let _ = self.latency.add(other.latency);
        self.errors += other.errors;
        if let Some(problem) = other.first_error {
            self.first_error.get_or_insert(problem);
        }
    }
}

/// A histogram of microseconds, to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are possible"))
}

pub(super) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    // It grows as is needed.
    let _ = histogram.record(micros.max(1));
}

/// The times at which calls are due, at a rate.
///
/// A thread of its own keeps them: a runtime's timers are only good to a millisecond.
struct Schedule {
    start: Instant,
    rate: u32,
    due: Semaphore,
    taken: AtomicU64,
}

impl Schedule {
    fn start(rate: u32, until: Instant) -> Arc<Self> {
        let schedule = Arc::new(Self {
            start: Instant::now(),
            rate,
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
        });
        let kept = Arc::clone(&schedule);
        thread::spawn(move || {
            for number in 0.. {
                let time = kept.time(number);
                if time >= until {
                    kept.due.close();
                    return;
                }
                thread::sleep(time.saturating_duration_since(Instant::now()));
                kept.due.add_permits(1);
            }
        });
        schedule
    }

    fn time(&self, number: u64) -> Instant {
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Waits for the next call to be due; the time at which it was.
    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        Some(self.time(self.taken.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Has the callers call until the window closes.
pub(super) async fn run<C: Caller>(
    callers: Vec<C>,
    load: &options::Load,
    window: Window,
    progress: &Progress,
) -> Measured {
    let schedule = load
        .rate
        .map(|rate| Schedule::start(rate.get(), window.until));
    let calls = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        let schedule = schedule.clone();
        let calls = Arc::clone(&calls);
        tasks.spawn(async move {
            let mut measured = Measured::new();
            loop {
                let since = match &schedule {
                    Some(schedule) => match schedule.next().await {
                        Some(due) => due,
                        None => return measured,
                    },
                    None => Instant::now(),
                };
                if since >= window.until {
                    return measured;
                }
                let result = caller.call().await;
                calls.fetch_add(1, Ordering::Relaxed);
                if window.holds(Instant::now()) {
                    measured.record(since, result);
                }
            }
        });
    }
    let mut all = Measured::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut so_far = 0;
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(Ok(measured)) => all.add(measured),
                Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
                None => return all,
            },
            _ = second.tick() => {
                let now = calls.load(Ordering::Relaxed);
                progress.note(format!("{} calls/s", now - so_far));
                if so_far > 0 {
                    progress.advance(1);
                }
                so_far = now;
            }
        }
    }
}
