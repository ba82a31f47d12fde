//! Reads that wait until they are made together: which of them, and when.

use std::{
    collections::{BTreeMap, HashMap},
    iter,
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

/// The reads that wait, and the statements that are under way.
#[derive(Default)]
pub(crate) struct Gathered(Mutex<State>);

#[derive(Default)]
struct State {
    /// Those of which any wait, or are under way.
    kinds: HashMap<Kind, Queue>,
    came: u64,
    under_way: u32,
}

/// What can be made together: in one tenant one statement. There is one of each for as long as the store is
/// there, so where its text lies tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind(TenantId, usize);

#[derive(Default)]
struct Queue {
    /// In the order in which they came.
    waiting: BTreeMap<u64, Read>,
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
    kind: Kind,
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
        let few = |queue: &Queue| queue.under_way < UNDER_WAY_FEW;
        let may = state.under_way < under_way_max && state.kinds.get(kind).is_none_or(few);
        if may {
            state.begin(kind.clone());
        }
        may
    }

    /// Has a read wait until it is taken.
    pub(super) fn join(&self, read: Read) -> Place<'_> {
        let mut state = self.lock();
        let (kind, number) = (read.kind.clone(), state.came);
        state.came += 1;
        let queue = state.kinds.entry(kind.clone()).or_default();
        queue.waiting.insert(number, read);
        Place {
            gathered: self,
            kind,
            number,
        }
    }

    /// Takes the reads that are to be made together now, if any: they count as one statement under way, of which
    /// there are no more than so many. The last quarter of these is for kinds of which few are under way: however
    /// much a tenant reads, another one need not wait for it.
    pub(super) fn take(&self, under_way_max: u32) -> Option<Vec<Read>> {
        let mut state = self.lock();
        if state.under_way >= under_way_max {
            return None;
        }
        let room_for_more = state.under_way < under_way_max - under_way_max / 4;
        let due = |queue: &Queue| {
            queue.under_way < UNDER_WAY_FEW || room_for_more && queue.waiting.len() >= TOGETHER_MAX
        };
        let due = state.kinds.iter().filter(|(_, queue)| due(queue));
        let oldest = due.filter_map(|(kind, queue)| Some((queue.waiting.keys().next()?, kind)));
        let (_, kind) = oldest.min_by_key(|(number, _)| **number)?;
        let kind = kind.clone();
        let queue = state.begin(kind);
        let waiting = iter::from_fn(|| queue.waiting.pop_first());
        Some(waiting.take(TOGETHER_MAX).map(|(_, read)| read).collect())
    }

    /// Counts a statement as ended.
    pub(super) fn ended(&self, kind: &Kind) {
        let mut state = self.lock();
        state.under_way -= 1;
        state.change(kind, |queue| queue.under_way -= 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, kind: Kind) -> &mut Queue {
        self.under_way += 1;
        let queue = self.kinds.entry(kind).or_default();
        queue.under_way += 1;
        queue
    }

    /// Changes a queue; of one that is not needed any more nothing is kept.
    fn change<T>(&mut self, kind: &Kind, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        let queue = self.kinds.get_mut(kind)?;
        let changed = change(queue);
        if queue.waiting.is_empty() && queue.under_way == 0 {
            self.kinds.remove(kind);
        }
        Some(changed)
    }
}

impl Place<'_> {
    /// Gives it up; whether it had not been taken.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.gathered.lock();
        let left = state.change(&self.kind, |queue| queue.waiting.remove(&self.number));
        left.flatten().is_some()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More statements than a test begins.
    const MANY: u32 = 100;

    struct Reads {
        gathered: Gathered,
        statements: [Arc<str>; 2],
    }

    impl Reads {
        fn new() -> Self {
            Self {
                gathered: Gathered::default(),
                statements: ["SELECT 1".into(), "SELECT 1".into()],
            }
        }

        fn kind(&self, tenant: &str, statement: usize) -> Kind {
            let tenant = TenantId::parse(tenant).unwrap();
            Kind::new(&tenant, &self.statements[statement])
        }

        /// Begins as many as need not wait.
        fn begin(&self, kind: &Kind) -> usize {
            iter::repeat_with(|| self.gathered.may_begin(kind, MANY))
                .take_while(|begun| *begun)
                .count()
        }

        fn join(&self, kind: &Kind, number: i64) -> Place<'_> {
            self.gathered.join(Read {
                kind: kind.clone(),
                sql: Arc::clone(&self.statements[0]),
                params: vec![Param::Int(number)],
                since: Instant::now(),
                reader: oneshot::channel().0,
            })
        }

        fn take(&self, under_way_max: u32) -> Option<Vec<i64>> {
            let taken = self.gathered.take(under_way_max)?;
            let numbers = taken.iter().map(|read| match read.params[..] {
                [Param::Int(number)] => number,
                _ => unreachable!("a read of these tests has a number"),
            });
            Some(numbers.collect())
        }
    }

    #[test]
    fn what_need_not_wait_does_not() {
        let reads = Reads::new();
        assert_eq!(reads.begin(&reads.kind("one", 0)), 2);
        assert_eq!(reads.begin(&reads.kind("one", 1)), 2);
        assert_eq!(reads.begin(&reads.kind("two", 0)), 2);
        assert!(!reads.gathered.may_begin(&reads.kind("three", 0), 6));
    }

    #[test]
    fn those_of_one_tenant_and_statement_are_taken_together_in_their_order() {
        let reads = Reads::new();
        let kinds = [("one", 0), ("two", 0), ("one", 1)];
        let kinds = kinds.map(|(tenant, statement)| reads.kind(tenant, statement));
        for kind in &kinds {
            assert_eq!(reads.begin(kind), 2);
        }
        let waiting = kinds.iter().cycle().zip(0..6);
        let _waiting: Vec<_> = waiting
            .map(|(kind, number)| reads.join(kind, number))
            .collect();
        assert_eq!(reads.take(MANY), None);
        for (index, expected) in [(1, [1, 4]), (0, [0, 3]), (2, [2, 5])] {
            reads.gathered.ended(&kinds[index]);
            assert_eq!(reads.take(MANY), Some(expected.to_vec()));
        }
        assert_eq!(reads.take(MANY), None);
    }

    #[test]
    fn as_many_as_are_made_together_wait_for_nobody() {
        let reads = Reads::new();
        let kind = reads.kind("one", 0);
        assert_eq!(reads.begin(&kind), 2);
        let mut waiting: Vec<_> = (0..7).map(|number| reads.join(&kind, number)).collect();
        assert_eq!(reads.take(MANY), None);
        waiting.push(reads.join(&kind, 7));
        assert_eq!(reads.take(2), None, "no more statements than there may be");
        assert_eq!(reads.take(MANY), Some((0..8).collect()));
        assert_eq!(reads.take(MANY), None);
    }

    #[test]
    fn where_too_much_is_under_way_the_longest_waiting_are_next() {
        let reads = Reads::new();
        let (one, two) = (reads.kind("one", 0), reads.kind("two", 0));
        assert_eq!(reads.begin(&one), 2);
        let _waiting = [
            reads.join(&two, 1),
            reads.join(&one, 2),
            reads.join(&two, 3),
        ];
        assert_eq!(reads.take(2), None);
        reads.gathered.ended(&one);
        assert_eq!(reads.take(2), Some(vec![1, 3]));
        reads.gathered.ended(&one);
        assert_eq!(reads.take(2), Some(vec![2]));
    }

    #[test]
    fn however_much_one_tenant_reads_another_need_not_wait() {
        let reads = Reads::new();
        let (one, two) = (reads.kind("one", 0), reads.kind("two", 0));
        assert_eq!(reads.begin(&one), 2);
        let _waiting: Vec<_> = (0..1_000).map(|number| reads.join(&one, number)).collect();
        let taken = iter::from_fn(|| reads.take(16)).count();
        assert_eq!(taken, 10, "besides the two that were under way");
        assert!(reads.gathered.may_begin(&two, 16));
    }

    #[test]
    fn of_those_who_went_away_nothing_is_left() {
        let reads = Reads::new();
        let kind = reads.kind("one", 0);
        assert_eq!(reads.begin(&kind), 2);
        let (stays, goes) = (reads.join(&kind, 1), reads.join(&kind, 2));
        assert!(goes.leave());
        drop(goes);
        reads.gathered.ended(&kind);
        assert_eq!(reads.take(MANY), Some(vec![1]));
        assert!(!stays.leave(), "it has been taken");
        reads.gathered.ended(&kind);
        reads.gathered.ended(&kind);
        let state = reads.gathered.lock();
        assert!(state.kinds.is_empty() && state.under_way == 0);
    }
}
