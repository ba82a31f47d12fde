//! What the clients and the watchers of a tenant know together.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;
use tonic::{Status, transport::Endpoint};

use super::accounts::{Call, Moment};
use crate::{
    processes::{is_refused_unbegun, is_unanswered},
    reference::Names,
    support::*,
};

/// Where the replicas listen; one that is away keeps its last address.
pub(crate) type Places = watch::Receiver<Vec<SocketAddr>>;

/// What the clients and the watchers of a tenant know together.
pub(crate) struct Crowd {
    pub(crate) tenant: &'static str,
    pub(crate) places: Places,
    pub(crate) names: Names,
    /// Each thread with who takes part, as far as somebody was told of it.
    pub(crate) threads: Mutex<Vec<(usize, Vec<String>)>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) unexplained: Mutex<Vec<String>>,
    /// So many of the next calls are given up a moment after they have begun.
    vanishing: AtomicUsize,
    /// Whether the last thread has been started.
    pub(crate) finished: AtomicBool,
    /// Whether watchers read what comes.
    pub(crate) reading: watch::Sender<bool>,
    numbers: AtomicU32,
    start: Instant,
}

/// How a call or a watch can end without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It can be tried again: UNAVAILABLE, or what tonic says instead of it.
    Unavailable,
    /// The token that it began with has expired.
    Expired,
    /// The service has said why it refuses.
    Refused,
}

impl Crowd {
    pub(crate) fn new(tenant: &'static str, places: Places) -> Self {
        Self {
            tenant,
            places,
            names: Names::default(),
            threads: Mutex::default(),
            calls: Mutex::default(),
            unexplained: Mutex::default(),
            vanishing: AtomicUsize::new(0),
            finished: AtomicBool::new(false),
            reading: watch::Sender::new(true),
            numbers: AtomicU32::new(1),
            start: Instant::now(),
        }
    }

    /// The time of the accounts.
    pub(crate) fn now(&self) -> Moment {
        u64::try_from(self.start.elapsed().as_micros()).expect("a run of less than ages")
    }

    /// A number that is new, for a request or a content.
    pub(crate) fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Has so many of the next calls given up a moment after they have begun.
    pub(crate) fn vanish(&self, calls: usize) {
        self.vanishing.store(calls, Ordering::Relaxed);
    }

    /// Takes one of the calls that are to vanish.
    pub(crate) fn vanishes(&self) -> bool {
        let taken = self
            .vanishing
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        taken.is_ok()
    }

    /// What an end without an answer means; one that no fault explains is kept.
    pub(crate) fn ending(&self, status: &Status) -> Ending {
        if is_unanswered(status) || is_refused_unbegun(status) {
            return Ending::Unavailable;
        }
        if status.details().is_empty() {
            self.cannot_explain(status);
            return Ending::Unavailable;
        }
        match Refusal::of(status).reason.as_str() {
            "DATABASE_UNAVAILABLE" | "OVERLOADED" | "SHUTTING_DOWN" => Ending::Unavailable,
            "RESUME_TOKEN_EXPIRED" => Ending::Expired,
            "REVISION_STALE" => Ending::Refused,
            _ => {
                self.cannot_explain(status);
                Ending::Unavailable
            }
        }
    }

    fn cannot_explain(&self, status: &Status) {
        locked(&self.unexplained).push(format!("{status:?}"));
    }
}

/// The connections of somebody who calls one replica after the other.
pub(crate) struct Connections {
    user: String,
    scopes: &'static str,
    window: Option<u32>,
    open: HashMap<SocketAddr, Client>,
    next: usize,
}

impl Connections {
    /// Of a user, who begins with some replica.
    pub(crate) fn new(user: &str, next: usize) -> Self {
        Self {
            user: user.to_owned(),
            scopes: "",
            window: None,
            open: HashMap::new(),
            next,
        }
    }

    /// With scopes.
    pub(crate) fn with_scopes(mut self, scopes: &'static str) -> Self {
        self.scopes = scopes;
        self
    }

    /// Taking only so many bytes before somebody reads them.
    pub(crate) fn with_window(mut self, bytes: u32) -> Self {
        self.window = Some(bytes);
        self
    }

    /// A client of the next replica.
    pub(crate) fn next(&mut self, crowd: &Crowd) -> Client {
        let places = crowd.places.borrow().clone();
        self.open.retain(|place, _| places.contains(place));
        self.next = (self.next + 1) % places.len();
        let place = places[self.next];
        if let Some(open) = self.open.get(&place) {
            return open.clone();
        }
        let endpoint = Endpoint::try_from(format!("http://{place}"));
        let endpoint = endpoint.expect("an address is a URL");
        let channel = endpoint.initial_stream_window_size(self.window);
        let mut client = Client::over(channel.connect_lazy())
            .with("x-user-id", &self.user)
            .in_tenant(crowd.tenant);
        if !self.scopes.is_empty() {
            client = client.with_scopes(self.scopes);
        }
        self.open.insert(place, client.clone());
        client
    }
}
