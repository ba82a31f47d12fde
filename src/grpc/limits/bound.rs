//! A bound on how many of something there are at once.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// So many, and how many there are. (A semaphore would take a lock whenever one ends.)
pub(super) struct Bound {
    max: usize,
    taken: AtomicUsize,
}

/// Some of them, until this is dropped.
pub(crate) struct Slot {
    bound: Arc<Bound>,
    count: usize,
}

impl Bound {
    pub(super) fn of(max: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            max: max.get(),
            taken: AtomicUsize::new(0),
        })
    }

    /// One more, if there is room.
    pub(super) fn take(self: &Arc<Self>) -> Option<Slot> {
        let mut slot = Self::nothing(self);
        slot.take_more(1).then_some(slot)
    }

    /// How many there are.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// None so far.
    pub(super) fn nothing(bound: &Arc<Self>) -> Slot {
        Slot {
            bound: Arc::clone(bound),
            count: 0,
        }
    }
}

impl Slot {
    /// So many more, if there is room. Nothing else is told by the count, so no order is kept.
    pub(super) fn take_more(&mut self, count: usize) -> bool {
        let taken = &self.bound.taken;
        let fits = taken.fetch_add(count, Ordering::Relaxed) + count <= self.bound.max;
        if fits {
            self.count += count;
        } else {
            taken.fetch_sub(count, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.bound.taken.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_so_many_and_room_comes_back() {
        let bound = Bound::of(NonZeroUsize::new(2).unwrap());
        let first = bound.take();
        let second = bound.take();
        assert!(first.is_some() && second.is_some());
        assert!(bound.take().is_none());
        assert!(bound.take().is_none());
        drop(first);
        let third = bound.take();
        assert!(third.is_some());
        assert!(bound.take().is_none());
        let mut several = Bound::nothing(&bound);
        assert!(!several.take_more(1));
        drop(second);
        assert!(!several.take_more(2));
        assert!(several.take_more(1));
        drop((several, third));
        assert!(Bound::nothing(&bound).take_more(2));
    }
}
