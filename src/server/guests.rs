//! Who is connected, and who of them has made a call.
//!
//! Anybody can open connections and say nothing on them, or nothing that they may. Where there are too many in
//! all, the one that has been silent for longest makes room for the next one; whoever has made a call stays,
//! once it is known who that is.

use std::{
    collections::BTreeMap,
    future::pending,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// The connections of a server.
pub(super) struct Guests {
    max: NonZeroUsize,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    count: usize,
    /// Those without a call so far, in the order in which they came; and what lets them go.
    silent: BTreeMap<u64, CancellationToken>,
    next_number: u64,
}

/// One connection, until it is dropped.
pub(super) struct Guest {
    guests: Arc<Guests>,
    number: u64,
    has_called: AtomicBool,
    let_go: CancellationToken,
}

/// How somebody got in.
pub(super) enum Entry {
    /// There was room.
    Free(Guest),
    /// A silent one was let go for it.
    Instead(Guest),
    /// There was none, and nobody is silent.
    Full,
}

impl Guests {
    pub(super) fn up_to(max: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            max,
            present: Mutex::default(),
        })
    }

    /// Lets somebody in, if need be instead of somebody silent.
    pub(super) fn enter(self: &Arc<Self>) -> Entry {
        let mut present = self.present();
        let is_full = present.count >= self.max.get();
        if is_full && !present.let_one_go() {
            return Entry::Full;
        }
        // Whoever was let go has yet to leave: for that moment there is one more than there may be.
        present.count += 1;
        present.next_number += 1;
        let number = present.next_number;
        let let_go = CancellationToken::new();
        present.silent.insert(number, let_go.clone());
        let guest = Guest {
            guests: Arc::clone(self),
            number,
            has_called: AtomicBool::new(false),
            let_go,
        };
        if is_full {
            Entry::Instead(guest)
        } else {
            Entry::Free(guest)
        }
    }

    /// Lets the one go that has been silent for longest, if there is one.
    pub(super) fn let_one_go(&self) -> bool {
        self.present().let_one_go()
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn let_one_go(&mut self) -> bool {
        let longest = self.silent.pop_first();
        longest.is_some_and(|(_, let_go)| {
            let_go.cancel();
            true
        })
    }
}

impl Guest {
    /// Whether they have made a call.
    pub(super) fn has_called(&self) -> bool {
        self.has_called.load(Ordering::Relaxed)
    }

    /// Notes a call; from the first one on they stay.
    pub(super) fn note_call(&self) {
        if !self.has_called() {
            self.guests.present().silent.remove(&self.number);
            self.has_called.store(true, Ordering::Relaxed);
        }
    }

    /// Waits until they have to make room for somebody else. Whose first call came at that moment stays.
    pub(super) async fn let_go(&self) {
        self.let_go.cancelled().await;
        if self.has_called() {
            pending::<()>().await;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut present = self.guests.present();
        present.count -= 1;
        present.silent.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn let_in(guests: &Arc<Guests>) -> Option<Guest> {
        match guests.enter() {
            Entry::Free(guest) | Entry::Instead(guest) => Some(guest),
            Entry::Full => None,
        }
    }

    #[test]
    fn the_one_that_was_silent_for_longest_makes_room_and_who_has_called_stays() {
        let guests = Guests::up_to(NonZeroUsize::new(3).unwrap());
        let [caller, first, second] = [(); 3].map(|()| let_in(&guests).unwrap());
        caller.note_call();
        let third = let_in(&guests).expect("instead of the first");
        assert!(first.let_go.is_cancelled());
        assert!(!second.let_go.is_cancelled());
        assert!(!caller.let_go.is_cancelled());
        drop(first);
        second.note_call();
        third.note_call();
        assert!(let_in(&guests).is_none(), "nobody is silent");
        drop(caller);
        assert!(matches!(guests.enter(), Entry::Free(_)), "there is room");
    }

    #[test]
    fn whose_first_call_comes_as_they_are_let_go_stays() {
        let guests = Guests::up_to(NonZeroUsize::MIN);
        let guest = let_in(&guests).unwrap();
        let next = let_in(&guests).expect("instead of the guest");
        guest.note_call();
        assert!(guest.let_go.is_cancelled());
        assert_eq!(guest.let_go().now_or_never(), None);
        let _third = let_in(&guests).expect("instead of the next one");
        assert_eq!(next.let_go().now_or_never(), Some(()));
    }
}
