//! What a run shows of itself while it runs, on a terminal.

use std::{fmt::Write, io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar on standard error; nothing where that is not a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar that shows nothing yet.
    #[expect(clippy::new_without_default, reason = "it begins to tick")]
    pub fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(styled(""));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// A new task, of so many steps.
    pub(crate) fn begin(&self, task: &'static str, steps: usize) {
        let form = "{msg} {wide_bar} {human_pos}/{human_len} ({rate}/s, {eta} left)";
        self.restart(task, steps as u64, form);
    }

    /// A measurement, which takes so long.
    pub(crate) fn begin_timed(&self, task: &'static str, length: Duration) {
        self.restart(
            task,
            length.as_secs(),
            "{msg} {wide_bar} {pos}/{len} s  {prefix}",
        );
    }

    fn restart(&self, task: &'static str, length: u64, form: &str) {
        self.0.set_length(length);
        self.0.set_message(task);
        self.0.reset();
        // Last: until now the bar may have shown half of what is new.
        self.0.set_style(styled(form));
    }

    pub(crate) fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }

    /// How it goes.
    pub(crate) fn note(&self, note: String) {
        self.0.set_prefix(note);
    }

    /// Leaves the terminal as it was.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

fn styled(form: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(form);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
        let _ = write!(text, "{:.0}", state.per_sec());
    })
}
