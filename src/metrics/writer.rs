//! Batches of the writer.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::{
    DURATIONS,
    families::{Families, label},
};

/// How many commands a batch has: at most 256.
const BATCH_COMMANDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

label! {
    /// A step of a transaction that writes.
    Step in "step" {
        /// Getting a connection, and beginning.
        Begin = "begin",
        /// Waiting for the tenant's turn.
        Turn = "turn",
        /// Loading what the commands touch, before anything is known of a turn.
        Look = "look",
        /// Loading what the commands touch, with the turn.
        Load = "load",
        /// Deciding, in memory.
        Decide = "decide",
        /// Removing what is no longer kept.
        Expire = "expire",
        /// Saving what has changed.
        Save = "save",
        /// Making it durable; with the saving, where that takes no turn.
        Commit = "commit",
    }
}

label! {
    /// Why a batch is carried out again.
    Repeat in "reason" {
        /// Its turn did not come in time.
        Turn = "turn_timed_out",
        /// It could not be saved without the turn, mostly since somebody else has it or has written.
        Outdated = "outdated",
        /// Its data made it fail, and its commands are carried out one by one.
        Data = "data_refused",
        /// Whether its commit has taken effect is not known.
        Commit = "commit_unknown",
    }
}

label! {
    /// Where it is learned what a batch touches, or whether what was learned is still so.
    LoadedFrom in "source" {
        /// The tables were asked.
        Tables = "tables",
        /// The process remembers all of it.
        Memory = "memory",
    }
}

/// What waits to be written, and how long writing takes.
pub struct WriterMetrics {
    queue_commands: IntGauge,
    queue_bytes: IntGauge,
    batch_commands: Histogram,
    queue_seconds: Histogram,
    steps: Vec<Histogram>,
    repeats: Vec<IntCounter>,
    loads: Vec<IntCounter>,
}

impl WriterMetrics {
    pub(super) fn new(families: &Families<'_>) -> Self {
        Self {
            queue_commands: families.gauge(
                "letterbox_writer_queue_commands",
                "Commands that wait to be written.",
            ),
            queue_bytes: families.gauge(
                "letterbox_writer_queue_bytes",
                "Text that waits to be written, in bytes.",
            ),
            batch_commands: families.histogram(
                "letterbox_writer_batch_commands",
                "Commands of one batch: one tenant's share of a transaction.",
                BATCH_COMMANDS,
            ),
            queue_seconds: families.histogram(
                "letterbox_writer_queue_seconds",
                "Time that a command waited for its batch.",
                DURATIONS,
            ),
            steps: families.histograms(
                "letterbox_writer_step_seconds",
                "Time that a step of a transaction took.",
                DURATIONS,
                Step::LABEL,
            ),
            repeats: families.counters(
                "letterbox_writer_repeats_total",
                "Batches that were to be carried out again.",
                Repeat::LABEL,
            ),
            loads: families.counters(
                "letterbox_writer_loads_total",
                "Times that it was learned what a batch touches, by where from.",
                LoadedFrom::LABEL,
            ),
        }
    }

    /// Notes how much waits.
    pub fn queued(&self, commands: usize, text_bytes: usize) {
        let gauges = [
            (&self.queue_commands, commands),
            (&self.queue_bytes, text_bytes),
        ];
        for (gauge, value) in gauges {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Counts a command that was taken out of the queue.
    pub fn waited(&self, wait: Duration) {
        self.queue_seconds.observe(wait.as_secs_f64());
    }

    /// Counts a batch of so many commands.
    pub fn batch(&self, commands: usize) {
        let commands = u32::try_from(commands).unwrap_or(u32::MAX);
        self.batch_commands.observe(commands.into());
    }

    /// Counts a step that was taken.
    pub fn step(&self, step: Step, took: Duration) {
        self.steps[step as usize].observe(took.as_secs_f64());
    }

    /// Counts a time that it was learned what a batch touches.
    pub fn loaded(&self, from: LoadedFrom) {
        self.loads[from as usize].inc();
    }

    /// Counts a batch that is carried out again.
    pub fn repeat(&self, reason: Repeat) {
        self.repeats[reason as usize].inc();
    }
}
