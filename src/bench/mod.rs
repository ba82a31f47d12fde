//! `letterbox bench`: load for a running server over real gRPC, and data for it.
//!
//! It is a client like any other: what it measures is what a caller would see.

mod client;
mod fill;
mod load;
mod mixes;
mod options;
mod population;
mod report;
mod watch;

use std::{sync::Arc, time::Instant};

use tonic::Status;

use crate::progress::Progress;

pub use self::options::Options;
use self::{
    client::Client,
    fill::Fill,
    load::{Measured, Window},
    mixes::MixCaller,
    options::{Action, Load, Mix, Target},
    population::{Dice, Population},
    report::{Latency, Report, WatchReport},
    watch::{Deliveries, STREAMS_A_CONNECTION, Seen, Sender, Watchers},
};

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached.
    #[error("cannot connect to {endpoint}: {problem}")]
    Endpoint {
        /// Where it should be.
        endpoint: String,
        /// What went wrong.
        problem: String,
    },
    /// The tenant's name cannot be one.
    #[error("no name for a tenant: {0}")]
    Tenant(String),
    /// The data could not be made.
    #[error("cannot make the data: {0}")]
    Fill(String),
    /// A watch could not be opened.
    #[error("cannot watch: {0}")]
    Watch(String),
    /// No call succeeded.
    #[error("no call succeeded; the first error: {0}")]
    Failed(String),
}

/// A status in a few words.
fn problem(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// Does what the options say; what is to be printed.
pub async fn run(options: Options) -> Result<String, Error> {
    let progress = Progress::new();
    let result = match (options.action, options.mix) {
        (Some(Action::Fill(target)), _) => fill(&target, &progress).await,
        (None, mix) => {
            let bench = Bench {
                mix: mix.unwrap_or(Mix::Mixed),
                target: options.target,
                load: options.load,
                progress: &progress,
            };
            bench.run().await
        }
    };
    progress.end();
    result
}

async fn fill(target: &Target, progress: &Progress) -> Result<String, Error> {
    let population = Arc::new(Population::new(target)?);
    let clients = client::connect(target, &population, target.connections.get()).await?;
    let since = Instant::now();
    let messages = target.messages.map_or(1, u32::from);
    let fill = Fill::new(target, messages, false);
    let filled = fill.run(&clients, &population, progress).await?;
    let (messages, seconds) = (filled.messages, since.elapsed().as_secs_f64());
    Ok(format!("{messages} messages made in {seconds:.1} s\n"))
}

/// A measurement.
struct Bench<'a> {
    mix: Mix,
    target: Target,
    load: Load,
    progress: &'a Progress,
}

impl Bench<'_> {
    async fn run(&self) -> Result<String, Error> {
        let population = Arc::new(Population::new(&self.target)?);
        let connections = self.target.connections.get();
        let clients = client::connect(&self.target, &population, connections).await?;
        let report = match self.mix {
            Mix::Watch => self.watch(&clients, &population).await?,
            _ => self.call(&clients, &population).await?,
        };
        Ok(if self.load.json {
            let json = serde_json::to_string(&report);
            json.unwrap_or_else(|error| unreachable!("a report is JSON: {error}")) + "\n"
        } else {
            report.to_string()
        })
    }

    /// Any mix but `watch`.
    async fn call(
        &self,
        clients: &[Client],
        population: &Arc<Population>,
    ) -> Result<Report, Error> {
        let places = match self.mix {
            Mix::Send | Mix::Watch => Vec::new(),
            Mix::Reply | Mix::Inbox => self.fill(clients, population, 1).await?,
            Mix::Thread | Mix::Mixed => self.fill(clients, population, 50).await?,
        };
        let places: Arc<[_]> = places.into();
        let callers = self.callers(clients, |client, dice| MixCaller {
            mix: self.mix,
            client,
            population: Arc::clone(population),
            places: Arc::clone(&places),
            page_size: self.load.page_size,
            dice,
        });
        self.progress
            .begin_timed("measuring", self.load.warmup + self.load.duration);
        let window = Window::of(&self.load);
        let measured = load::run(callers, &self.load, window, self.progress).await;
        self.report(measured, None)
    }

    async fn fill(
        &self,
        clients: &[Client],
        population: &Population,
        messages: u32,
    ) -> Result<Vec<population::Place>, Error> {
        let messages = self.target.messages.map_or(messages, u32::from);
        let places = self.mix != Mix::Inbox;
        let fill = Fill::new(&self.target, messages, places);
        let filled = fill.run(clients, population, self.progress).await?;
        Ok(filled.places)
    }

    async fn watch(
        &self,
        clients: &[Client],
        population: &Arc<Population>,
    ) -> Result<Report, Error> {
        let watchers = self.load.watchers.get();
        let connections = watchers.div_ceil(STREAMS_A_CONNECTION);
        let watching = client::connect(&self.target, population, connections).await?;
        let watching = Watchers::open(&watching, population, watchers, self.progress).await?;

        self.progress
            .begin_timed("measuring", self.load.warmup + self.load.duration);
        let window = Window::of(&self.load);
        let deliveries = Arc::new(Deliveries::new(window));
        let watching = watching.run(window, &deliveries);
        let people = u64::from(self.target.users.get()) * u64::from(self.target.tenants.get());
        let callers = self.callers(clients, |client, dice| Sender {
            client,
            population: Arc::clone(population),
            watched: people.min(u64::from(watchers)),
            dice,
            deliveries: Arc::clone(&deliveries),
        });
        let mut measured = load::run(callers, &self.load, window, self.progress).await;

        let mut events = 0;
        for seen in watching.join_all().await {
            let Seen {
                events: more,
                errors,
                first_error,
            } = seen;
            events += more;
            measured.errors += errors;
            measured.first_error = measured.first_error.or(first_error);
        }
        let delivery = deliveries.latency();
        let watch = WatchReport {
            watchers,
            events_per_second: per_second(events, &self.load),
            delivery_p50_us: delivery.value_at_quantile(0.5),
            delivery_p99_us: delivery.value_at_quantile(0.99),
        };
        self.report(measured, Some(watch))
    }

    fn callers<C>(&self, clients: &[Client], caller: impl Fn(Client, Dice) -> C) -> Vec<C> {
        let numbers = 0..u64::from(self.target.callers.get());
        let clients = clients.iter().cycle().cloned();
        let callers = clients.zip(numbers.map(Dice::new));
        callers.map(|(client, dice)| caller(client, dice)).collect()
    }

    fn report(&self, measured: Measured, watch: Option<WatchReport>) -> Result<Report, Error> {
        let requests = measured.latency.len();
        if let Some(problem) = measured.first_error {
            if requests == 0 {
                return Err(Error::Failed(problem));
            }
            eprintln!(
                "letterbox: the first of {} errors: {problem}",
                measured.errors
            );
        }
        Ok(Report {
            mix: self.mix.name(),
            callers: self.target.callers.get(),
            connections: self.target.connections.get(),
            seconds: self.load.duration.as_secs_f64(),
            requests,
            errors: measured.errors,
            requests_per_second: per_second(requests, &self.load),
            latency: Latency::from(&measured.latency),
            rate: self.load.rate.map(u32::from),
            watch,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no count of a run is that large"
)]
fn per_second(count: u64, load: &Load) -> f64 {
    let rate = count as f64 / load.duration.as_secs_f64();
    (rate * 10.0).round() / 10.0
}
