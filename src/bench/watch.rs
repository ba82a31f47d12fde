//! The mix `watch`: streams that count what arrives, and when.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tonic::{Status, Streaming};

use super::{
    Error,
    client::Client,
    load::{Caller, Window, histogram, record},
    population::{Dice, Person, Population},
    problem,
};
use crate::pb::{WatchMessagesResponse, watch_messages_response::Event};
use crate::progress::Progress;

/// How many streams share a connection.
pub(super) const STREAMS_A_CONNECTION: u32 = 500;

/// How many streams are being opened at a time.
const OPENING: usize = 64;

/// How long after the window events still arrive that were sent within it.
const ARRIVING: Duration = Duration::from_secs(2);

/// What the watchers have seen.
#[derive(Default)]
pub(super) struct Seen {
    /// Events that arrived within the window, at all streams.
    pub(super) events: u64,
    /// Streams that ended, which they should not.
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

/// Follows messages from the answer to their sender to their event at a watcher.
pub(super) struct Deliveries {
    window: Window,
    /// Messages of which only one of the two is known yet.
    halves: Mutex<HashMap<String, Half>>,
    latency: Mutex<Histogram<u64>>,
}

enum Half {
    Answered(Instant),
    Arrived,
}

impl Deliveries {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            halves: Mutex::default(),
            latency: Mutex::new(histogram()),
        }
    }

    fn answered(&self, message: String) {
        let now = Instant::now();
        let mut halves = lock(&self.halves);
        match halves.remove(&message) {
            // The event was faster than the answer.
            Some(Half::Arrived) => self.record(now, Duration::ZERO),
            _ => drop(halves.insert(message, Half::Answered(now))),
        }
    }

    fn arrived(&self, message: &str) {
        let mut halves = lock(&self.halves);
        match halves.remove(message) {
            Some(Half::Answered(time)) => self.record(time, time.elapsed()),
            _ => drop(halves.insert(message.to_owned(), Half::Arrived)),
        }
    }

    fn record(&self, answered: Instant, time: Duration) {
        if self.window.holds(answered) {
            record(&mut lock(&self.latency), time);
        }
    }

    /// How long deliveries took, in microseconds.
    pub(super) fn latency(&self) -> Histogram<u64> {
        lock(&self.latency).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A caller who sends to those who watch.
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) population: Arc<Population>,
    /// How many of the population watch.
    pub(super) watched: u64,
    pub(super) dice: Dice,
    pub(super) deliveries: Arc<Deliveries>,
}

impl Caller for Sender {
    async fn call(&mut self) -> Result<(), Status> {
        let to = self.population.person(self.dice.below(self.watched));
        let from = self.population.sender_to(to, self.dice.roll());
        let message = self.client.send(from, to).await?;
        self.deliveries.answered(message);
        Ok(())
    }
}

/// Streams that are open.
pub(super) struct Watchers(Vec<(Person, Streaming<WatchMessagesResponse>)>);

impl Watchers {
    /// Opens this many streams, spread over the population, and waits until all are ready.
    pub(super) async fn open(
        clients: &[Client],
        population: &Population,
        count: u32,
        progress: &Progress,
    ) -> Result<Self, Error> {
        progress.begin("opening streams", count as usize);
        let clients = clients.iter().cycle().cloned();
        let opening = stream::iter(clients.zip(0..u64::from(count)));
        let opening = opening.map(async |(mut client, number)| {
            let person = population.person(number);
            let mut stream = client.watch(person).await?;
            stream.message().await?;
            progress.advance(1);
            Ok((person, stream))
        });
        let streams = opening.buffered(OPENING).try_collect().await;
        streams
            .map(Self)
            .map_err(|status| Error::Watch(problem(&status)))
    }

    /// Takes what arrives, until what was sent within the window has.
    pub(super) fn run(self, window: Window, deliveries: &Arc<Deliveries>) -> JoinSet<Seen> {
        let mut followed = HashSet::new();
        let mut tasks = JoinSet::new();
        for (person, stream) in self.0 {
            // One of those who watch as the same person follows the messages to them.
            let follows = followed.insert(person);
            let watcher = Watcher {
                person: person.id(),
                deliveries: follows.then(|| Arc::clone(deliveries)),
                seen: Seen::default(),
            };
            tasks.spawn(watcher.run(stream, window));
        }
        tasks
    }
}

struct Watcher {
    person: String,
    deliveries: Option<Arc<Deliveries>>,
    seen: Seen,
}

impl Watcher {
    async fn run(mut self, mut stream: Streaming<WatchMessagesResponse>, window: Window) -> Seen {
        let end = tokio::time::sleep_until((window.until + ARRIVING).into());
        let mut end = pin!(end);
        loop {
            tokio::select! {
                response = stream.message() => match response {
                    Ok(Some(response)) => self.take(&response, window),
                    Ok(None) => return self.failed("a watch has ended".to_owned()),
                    Err(status) => return self.failed(problem(&status)),
                },
                () = &mut end => return self.seen,
            }
        }
    }

    fn take(&mut self, response: &WatchMessagesResponse, window: Window) {
        let Some(Event::MessageSent(sent)) = &response.event else {
            return;
        };
        self.seen.events += u64::from(window.holds(Instant::now()));
        if let Some(deliveries) = &self.deliveries
            && let Some(message) = &sent.message
            // The sender's own watches are told, too.
            && sent.recipient_ids.contains(&self.person)
        {
            deliveries.arrived(&message.id);
        }
    }

    fn failed(mut self, problem: String) -> Seen {
        self.seen.errors += 1;
        self.seen.first_error = Some(problem);
        self.seen
    }
}
