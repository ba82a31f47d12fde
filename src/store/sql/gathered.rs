//! Reads that wait until they are made together: which of them, and when.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::oneshot;

use super::Param;
use crate::{model::TenantId, store::Result};

/// How many reads are made together at most: with more, little is gained, and all wait for the slowest.
const TOGETHER_MAX: usize = 8;

/// How many statements of a kind are under way before a read waits for company: one that Postgres works at, and
/// one on its way. One more is begun where as many reads wait as are made together at most.
const UNDER_WAY_FEW: u32 = 2;

/// Among how many that wait longest company is looked for, so that a look takes no longer however many wait.
const LOOKED_AT_MAX: usize = 64;

/// The reads that wait, and the statements that are under way.
#[derive(Default)]
pub(crate) struct Gathered(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order in which they came.
    waiting: BTreeMap<u64, Read>,
    came: u64,
    under_way: u32,
    /// The same by kind, where there is any.
    kinds: HashMap<Kind, Count>,
}

/// What can be made together: in one tenant one statement. There is one of each for as long as the store is
/// there, so where its text lies tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind(TenantId, usize);

#[derive(Default, PartialEq, Eq)]
struct Count {
    waiting: usize,
    under_way: u32,
}

/// A read that waits.
pub(super) struct Read {
    pub(super) kind: Kind,
    pub(super) sql: Arc<str>,
    pub(super) params: Vec<Param<'static>>,
    pub(super) since: Instant,
    /// Who is to be told the answer; or, where this is dropped, to read alone.
    pub(super) reader: oneshot::Sender<Result<Option<String>>>,
}

/// A place among those who wait, given up where it is dropped.
pub(super) struct Place<'a> {
    gathered: &'a Gathered,
    number: u64,
}

impl Kind {
    pub(super) fn new(tenant: &TenantId, sql: &Arc<str>) -> Self {
        Self(tenant.clone(), Arc::as_ptr(sql).addr())
    }
}

impl Gathered {
    /// Counts a statement as under way, where few of its kind are, and not so many in all. Otherwise the read has
    /// to wait.
    pub(super) fn may_begin(&self, kind: &Kind, under_way_max: u32) -> bool {
        let mut state = self.lock();
        if state.under_way >= under_way_max {
            return false;
        }
        let count = state.kinds.entry(kind.clone()).or_default();
        let few = count.under_way < UNDER_WAY_FEW;
        count.under_way += u32::from(few);
        state.under_way += u32::from(few);
        few
    }

    /// Has a read wait until it is taken.
    pub(super) fn join(&self, read: Read) -> Place<'_> {
        let mut state = self.lock();
        let number = state.came;
        state.came += 1;
        state.kinds.entry(read.kind.clone()).or_default().waiting += 1;
        state.waiting.insert(number, read);
        Place {
            gathered: self,
            number,
        }
    }

    /// Takes the reads that are to be made together now, if any: they count as one statement under way, of which
    /// there are no more than so many.
    pub(super) fn take(&self, under_way_max: u32) -> Option<Vec<Read>> {
        let mut state = self.lock();
        if state.under_way >= under_way_max {
            return None;
        }
        // Not much is in the way of one that is due: of a kind that is not, few wait, and statements are under way.
        let mut waiting = state.waiting.iter();
        let (first, read) = waiting.find(|(_, read)| state.is_due(&read.kind))?;
        let kind = read.kind.clone();
        let looked_at = state.waiting.range(first..).take(LOOKED_AT_MAX);
        let company = looked_at.filter(|(_, read)| read.kind == kind);
        let numbers: Vec<u64> = company
            .map(|(number, _)| *number)
            .take(TOGETHER_MAX)
            .collect();
        state.under_way += 1;
        state.change(&kind, |count| count.under_way += 1);
        Some(
            numbers
                .into_iter()
                .filter_map(|number| state.remove(number))
                .collect(),
        )
    }

    /// Counts a statement as ended.
    pub(super) fn ended(&self, kind: &Kind) {
        let mut state = self.lock();
        state.under_way -= 1;
        state.change(kind, |count| count.under_way -= 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a statement of this kind is to begin.
    fn is_due(&self, kind: &Kind) -> bool {
        self.kinds
            .get(kind)
            .is_some_and(|count| count.under_way < UNDER_WAY_FEW || count.waiting >= TOGETHER_MAX)
    }

    fn remove(&mut self, number: u64) -> Option<Read> {
        let read = self.waiting.remove(&number)?;
        self.change(&read.kind, |count| count.waiting -= 1);
        Some(read)
    }

    fn change(&mut self, kind: &Kind, change: impl FnOnce(&mut Count)) {
        if let Entry::Occupied(mut entry) = self.kinds.entry(kind.clone()) {
            change(entry.get_mut());
            if *entry.get() == Count::default() {
                entry.remove();
            }
        }
    }
}

impl Place<'_> {
    /// Gives it up; whether it had not been taken.
    pub(super) fn leave(&self) -> bool {
        self.gathered.lock().remove(self.number).is_some()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
