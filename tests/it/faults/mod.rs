//! Faults, on purpose: real processes that are killed, stopped, cut off and started again while
//! clients write and watchers watch; and a [`checker`] that compares three accounts afterwards:
//! what clients were told, what is kept, and what each watcher saw.
//!
//! [`seeded`] runs have faults that follow from a seed, which a failure names; [`world`] says which
//! there are. `LETTERBOX_FAULT_SEED` and `LETTERBOX_FAULT_RUNS` repeat runs and make more;
//! `CONTRIBUTING.md` has the commands. [`soak`] goes on for long. What takes a certain moment has
//! a test of its own.

mod accounts;
mod checker;
mod clients;
mod clocks;
mod crowd;
mod dice;
mod disk;
mod disks;
mod keeping;
mod network;
mod plan;
mod postgres;
mod restored;
mod rolling;
mod run;
mod seeded;
mod skew;
mod soak;
mod stalled;
mod watchers;
mod world;
