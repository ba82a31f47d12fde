//! Changes to an input.

use proptest::{
    prelude::Rng,
    test_runner::{TestRng, TestRunner},
};

/// How large an input gets.
const BYTES_MAX: usize = 100_000;

/// Chance, another one in each run: what mutation finds, need not be found by every run.
pub(super) struct Chance(TestRng);

impl Chance {
    pub(super) fn new() -> Self {
        Self(TestRunner::default().new_rng())
    }

    /// A number below this one, which is not 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        usize::try_from(self.0.next_u64() % limit).expect("it is below a usize")
    }

    /// Once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub(super) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// Changes bytes, in a few places.
pub(super) fn mutate(chance: &mut Chance, input: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str]) {
    for _ in 0..=chance.below(4) {
        let place = chance.below(input.len() + 1);
        let end = |length| input.len().min(place + length);
        match chance.below(8) {
            // A word in the place of as much, or of less.
            0 | 1 => {
                let word = *chance.of(words);
                let end = end(chance.below(word.len() + 1));
                input.splice(place..end, word.bytes());
            }
            // The rest of another input.
            2 => {
                let other = chance.of(others);
                let from = chance.below(other.len() + 1);
                input.truncate(place);
                input.extend(&other[from..]);
            }
            // The same again and again.
            3 => {
                let end = end(1 + chance.below(16));
                let repeated = input[place..end].repeat(1 + chance.below(64));
                input.splice(place..place, repeated);
            }
            4 => {
                let end = end(1 + chance.below(16));
                input.drain(place..end);
            }
            5 => {
                let mut bytes = vec![0; 1 + chance.below(4)];
                chance.fill(&mut bytes);
                input.splice(place..end(bytes.len()), bytes);
            }
            _ if place < input.len() => input[place] ^= 1 << chance.below(8),
            _ => {}
        }
        input.truncate(BYTES_MAX);
    }
}
