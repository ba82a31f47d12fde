//! The live set: the watchers who are up to date with a tail, each with a small queue.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{Error, Watch};
use crate::{
    messenger::writer::Written,
    model::{LogPosition, LogReader, LoggedEvent, UserId},
};

/// How many events wait for one watcher at most.
const QUEUE_EVENTS: usize = 256;

/// How many bytes of events wait for one watcher at most; the events themselves are shared.
const QUEUE_BYTES: usize = 1024 * 1024;

/// How many events a watcher is delivered at once at most. Where many wait, waking up for each was
/// three quarters of what it took to deliver it.
const BATCH_EVENTS: usize = 32;

/// How many bytes of events at most: HTTP/2's window moves by half of its 64 KiB, and a watcher who
/// takes no more than that is not to be seen as standing still.
const BATCH_BYTES: usize = 32 * 1024;

/// How many batches that are written while the log is read are kept in mind at most.
const MEANWHILE_MAX: usize = 64;

/// Watchers, by what they are told of; and how far they have been told.
pub(super) struct Live {
    /// Everything up to here has been handed out.
    pub(super) position: LogPosition,
    /// The highest position that the log was seen to have.
    seen: i64,
    /// Since when it is known to have more.
    behind_since: Option<Instant>,
    /// Whether the log is being read from there.
    pub(super) reading: bool,
    /// What was written here since that began.
    meanwhile: Vec<Written>,
    /// When the log was last looked at, and nothing was found after `position`.
    pub(super) looked: Instant,
    /// Since when it cannot be looked at.
    pub(super) failing_since: Option<Instant>,
    /// Since when there has been no answer to a look at it.
    asking_since: Option<Instant>,
    /// Why it takes nobody any more.
    ended: Option<Error>,
    everyone: HashMap<u64, Arc<Place>>,
    users: HashMap<UserId, HashMap<u64, Arc<Place>>>,
    next_key: u64,
}

/// How far a tail has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Where the log was seen to end.
    pub(super) head: i64,
    /// How many events up to there have not been handed out.
    pub(super) lag_events: i64,
    /// For how long that has been so, or the log could not be looked at.
    pub(super) lag: Duration,
}

/// A watcher's place in the live set.
pub(super) struct Place {
    key: u64,
    watch: Watch,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Arc<LoggedEvent>>,
    bytes: usize,
    overflowed: bool,
    ended: Option<Error>,
}

/// What a place holds for its watcher.
pub(super) enum Next {
    /// The next events.
    Events(Vec<Arc<LoggedEvent>>),
    /// More happened than the place could hold: read the log, and come back.
    Overflowed,
    /// No more comes.
    Ended(Error),
    /// Nothing so far.
    Nothing,
}

impl Live {
    pub(super) fn at(position: LogPosition) -> Self {
        Self {
            position,
            seen: position.number,
            behind_since: None,
            reading: false,
            meanwhile: Vec::new(),
            looked: Instant::now(),
            failing_since: None,
            asking_since: None,
            ended: None,
            everyone: HashMap::new(),
            users: HashMap::new(),
            next_key: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.everyone.is_empty() && self.users.is_empty()
    }

    /// Whether somebody here may be told of what these users are told of.
    pub(super) fn concerns(&self, told: &HashSet<UserId>) -> bool {
        let fewer = told.len() <= self.users.len();
        !self.everyone.is_empty()
            || if fewer {
                told.iter().any(|user| self.users.contains_key(user))
            } else {
                self.users.keys().any(|user| told.contains(user))
            }
    }

    /// Keeps in mind what was written while the log is read; says whether there was room for it.
    pub(super) fn written_meanwhile(&mut self, written: Written) -> bool {
        let there_is_room = self.meanwhile.len() < MEANWHILE_MAX;
        if there_is_room {
            self.meanwhile.push(written);
        }
        there_is_room
    }

    /// Passes over what was written while the log was read, and was not read: says whether nobody here
    /// is told of it, and it goes on from where the reading has come.
    ///
    /// To read it instead would take long enough for more to be written, and that would be read as well,
    /// again and again: beside 10,000 watches that were told nothing, writers had 0.84 of their speed.
    pub(super) fn pass_over_the_meanwhile(&mut self) -> bool {
        let pieces = std::mem::take(&mut self.meanwhile);
        let read = pieces
            .iter()
            .position(|piece| piece.through == self.position);
        for piece in pieces.iter().skip(read.map_or(0, |index| index + 1)) {
            if piece.after != self.position || self.concerns(&piece.told) {
                return false;
            }
            self.position = piece.through;
        }
        true
    }

    /// Takes a watcher in.
    pub(super) fn join(&mut self, watch: &Watch) -> Arc<Place> {
        self.next_key += 1;
        let place = Arc::new(Place {
            key: self.next_key,
            watch: watch.clone(),
            queue: Mutex::new(Queue {
                ended: self.ended.clone(),
                ..Queue::default()
            }),
            changed: Notify::new(),
        });
        let places = match &watch.reader {
            LogReader::Everyone => &mut self.everyone,
            LogReader::User(user) => self.users.entry(user.clone()).or_default(),
        };
        places.insert(place.key, Arc::clone(&place));
        place
    }

    /// Lets a watcher go.
    pub(super) fn leave(&mut self, place: &Place) {
        match &place.watch.reader {
            LogReader::Everyone => {
                self.everyone.remove(&place.key);
            }
            LogReader::User(user) => {
                if let Some(places) = self.users.get_mut(user) {
                    places.remove(&place.key);
                    if places.is_empty() {
                        self.users.remove(user);
                    }
                }
            }
        }
    }

    /// Hands a piece of the log to the watchers concerned; says how many places overflowed by it.
    pub(super) fn hand_out(&mut self, events: Vec<Arc<LoggedEvent>>, through: LogPosition) -> u64 {
        let mut overflowed = 0;
        for event in events {
            let told = event
                .audience
                .iter()
                .filter_map(|user| self.users.get(user))
                .flat_map(HashMap::values);
            for place in self.everyone.values().chain(told) {
                overflowed += u64::from(place.push(&event));
            }
        }
        self.position = through;
        self.look();
        overflowed
    }

    /// Notes that the log is about to be looked at.
    pub(super) fn ask(&mut self) {
        self.asking_since.get_or_insert_with(Instant::now);
    }

    /// For how long looking at the log has been in vain: a database may fail, or not answer at all.
    pub(super) fn in_vain(&self) -> Duration {
        let since = self.asking_since.into_iter().chain(self.failing_since);
        since.map(|since| since.elapsed()).max().unwrap_or_default()
    }

    /// Notes that the log was looked at, and has nothing after the position.
    pub(super) fn look(&mut self) {
        self.hear();
        self.asking_since = None;
    }

    /// Notes that the log was heard to have nothing after the position. Who has asked it waits on.
    pub(super) fn hear(&mut self) {
        self.looked = Instant::now();
        self.failing_since = None;
        self.asking_since = self.asking_since.map(|_| self.looked);
        if self.position.number >= self.seen {
            self.seen = self.position.number;
            self.behind_since = None;
        }
    }

    /// Notes where the log ends.
    pub(super) fn see(&mut self, head: LogPosition) {
        self.seen = head.number;
        if self.seen > self.position.number {
            self.behind_since.get_or_insert_with(Instant::now);
        }
    }

    /// How far the log has been handed out, and how far behind that is.
    pub(super) fn progress(&self) -> Progress {
        let since = self.behind_since.into_iter().chain(self.failing_since);
        Progress {
            head: self.seen,
            lag_events: (self.seen - self.position.number).max(0),
            lag: since.map(|since| since.elapsed()).max().unwrap_or_default(),
        }
    }

    /// Notes that it could not be looked at.
    pub(super) fn fail_to_look(&mut self) {
        self.failing_since.get_or_insert_with(Instant::now);
    }

    /// Ends the watch of everybody here, after what they have been handed.
    pub(super) fn end(&mut self, error: &Error) {
        self.ended = Some(error.clone());
        let users = self.users.values().flat_map(HashMap::values);
        for place in self.everyone.values().chain(users) {
            place.lock().ended = Some(error.clone());
            place.changed.notify_one();
        }
    }
}

impl Place {
    /// Takes an event in for the watcher; says whether it overflows by it.
    fn push(&self, event: &Arc<LoggedEvent>) -> bool {
        if !self.watch.wants(event) {
            return false;
        }
        let mut queue = self.lock();
        if queue.overflowed {
            return false;
        }
        let bytes = queue.bytes + event.weight();
        if queue.events.len() >= QUEUE_EVENTS || bytes > QUEUE_BYTES && !queue.events.is_empty() {
            // The log has it all; what is held here would only be read twice.
            *queue = Queue {
                overflowed: true,
                ended: queue.ended.take(),
                ..Queue::default()
            };
        } else {
            queue.events.push_back(Arc::clone(event));
            queue.bytes = bytes;
        }
        let overflows = queue.overflowed;
        drop(queue);
        self.changed.notify_one();
        overflows
    }

    /// Takes the next of what is held.
    pub(super) fn next(&self) -> Next {
        let mut queue = self.lock();
        if !queue.events.is_empty() {
            let batch = batch(queue.events.iter());
            let events: Vec<_> = queue.events.drain(..batch).collect();
            queue.bytes -= events.iter().map(|event| event.weight()).sum::<usize>();
            if queue.events.is_empty() {
                // A quiet watcher keeps no room.
                queue.events = VecDeque::new();
            }
            return Next::Events(events);
        }
        if queue.overflowed {
            return Next::Overflowed;
        }
        match &queue.ended {
            Some(error) => Next::Ended(error.clone()),
            None => Next::Nothing,
        }
    }

    /// Whether nothing waits in it.
    pub(super) fn is_empty(&self) -> bool {
        let queue = self.lock();
        queue.events.is_empty() && !queue.overflowed && queue.ended.is_none()
    }

    /// Waits until there may be something to take.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of these events make the next batch: at least one, where there is one.
pub(super) fn batch<'a>(events: impl Iterator<Item = &'a Arc<LoggedEvent>>) -> usize {
    let mut bytes = 0;
    let fits = |event: &&Arc<LoggedEvent>| {
        let is_first = bytes == 0;
        bytes += event.weight();
        is_first || bytes <= BATCH_BYTES
    };
    events.take(BATCH_EVENTS).take_while(fits).count()
}
