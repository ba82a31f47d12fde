//! The command line of `letterbox bench`.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    thread,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};

/// What to measure, or to make.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Options {
    #[command(subcommand)]
    pub(super) action: Option<Action>,
    /// What the callers do
    #[arg(value_enum, required = true)]
    pub(super) mix: Option<Mix>,
    #[command(flatten)]
    pub(super) target: Target,
    #[command(flatten)]
    pub(super) load: Load,
}

impl Options {
    /// How many threads the callers take: one each, but no more than there are processors, as in pgbench. A
    /// second thread for one caller would wake it where it had better go on.
    #[must_use]
    pub fn threads(&self) -> usize {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let target = match &self.action {
            Some(Action::Fill(target)) => target,
            None => &self.target,
        };
        let watchers = match self.mix {
            Some(Mix::Watch) => self.load.watchers.get(),
            _ => 0,
        };
        let callers = target.callers.get().saturating_add(watchers);
        processors.min(usize::try_from(callers).unwrap_or(usize::MAX))
    }
}

/// What else than a measurement there is to do.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Make data through the server's own write path, and end
    ///
    /// Each of --users has --threads / --users threads in the inbox, each of --messages messages.
    /// What is there already counts, so that an interrupted fill goes on where it was.
    Fill(Target),
}

/// What the callers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(clippy::doc_markdown, reason = "these are help texts")]
pub(super) enum Mix {
    /// SendMessage, from one user to another
    Send,
    /// ReplyThread, in any of the threads
    Reply,
    /// ListInbox, the first page
    Inbox,
    /// GetThread, a page from anywhere in it
    Thread,
    /// SendMessage to users who watch: every event is counted where it arrives
    Watch,
    /// 45 % ListInbox, 30 % GetThread, 15 % ReplyThread, 5 % SendMessage, 5 % MarkThreadRead
    Mixed,
}

impl Mix {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Reply => "reply",
            Self::Inbox => "inbox",
            Self::Thread => "thread",
            Self::Watch => "watch",
            Self::Mixed => "mixed",
        }
    }
}

/// The server, and the data in it.
#[derive(Clone, Debug, Args)]
pub(super) struct Target {
    /// The server; it must take x-user-id and x-tenant-id from its callers (--auth trusted-header)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:50051")]
    pub(super) endpoint: String,
    /// How many calls are under way at the same time
    #[arg(long, value_name = "N", default_value = "64")]
    pub(super) callers: NonZeroU32,
    /// How many connections the callers share
    #[arg(long, value_name = "N", default_value = "4")]
    pub(super) connections: NonZeroU32,
    /// The length of a message's content
    #[arg(long, value_name = "BYTES", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) size: u32,
    /// How many users take part, in each tenant
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(super) users: NonZeroU32,
    /// How many threads there are at least, in each tenant [default: one a user]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroU32>,
    /// How many messages a thread has at least [default: 1, for thread and mixed 50]
    #[arg(long, value_name = "N")]
    pub(super) messages: Option<NonZeroU32>,
    /// Over how many tenants users and threads are repeated
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) tenants: NonZeroU32,
    /// The tenant; several are NAME-0, NAME-1 …
    #[arg(long, value_name = "NAME", default_value = "bench")]
    pub(super) tenant: String,
}

/// How much, for how long.
#[derive(Clone, Debug, Args)]
pub(super) struct Load {
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = some_time)]
    pub(super) duration: Duration,
    /// How long to run before that
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub(super) warmup: Duration,
    /// Calls a second in all (open loop): each has a time at which it is due, from which its
    /// latency counts, however late it could begin. Without it (closed loop) each caller begins
    /// a call when its last one is answered
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<NonZeroU32>,
    /// How many entries a page has
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(super) page_size: u32,
    /// watch: how many streams, spread over the users
    #[arg(long, value_name = "N", default_value = "100")]
    pub(super) watchers: NonZeroU32,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

fn time(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// More than none: a rate is what was done in it.
fn some_time(text: &str) -> Result<Duration, String> {
    match time(text) {
        Ok(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}
