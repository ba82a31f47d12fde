//! What a seed stands for: the faults of a run, and when each of them begins.

use std::{fmt, time::Duration};

use super::{dice::Dice, disk::Disk, skew::Skew, world::Fault};
use crate::support::{Cut, Database};

/// What a run is to be.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) database: Database,
    pub(crate) replicas: usize,
    /// How long events are kept; runs are shorter than the longer one, and clocks less far apart.
    pub(crate) retention: &'static str,
    /// In the order of their beginnings.
    pub(crate) faults: Vec<(Duration, Fault)>,
}

/// How long faults begin.
pub(crate) const FAULTY: Duration = Duration::from_millis(700);

/// How long events are kept where tokens are to expire.
pub(crate) const SHORT: &str = "300ms";

const LONG: &str = "1d";

impl Plan {
    /// What a seed stands for.
    pub(crate) fn of(seed: u64, database: Database) -> Self {
        let mut dice = Dice::new(seed);
        let replicas = match database {
            Database::Sqlite => 1,
            Database::Postgres => 1 + dice.index(3),
        };
        let retention = if dice.chance(30) { SHORT } else { LONG };
        // One alone as often as a few together.
        let count = 1 + dice.below(2) * dice.below(4);
        let mut faults: Vec<(Duration, Fault)> = (0..count)
            .map(|_| {
                let begin = millis(&mut dice, 50, FAULTY);
                (begin, fault(&mut dice, database, replicas))
            })
            .collect();
        faults.retain(|(_, fault)| is_possible(fault));
        faults.sort_by_key(|(begin, _)| *begin);
        Self {
            seed,
            database,
            replicas,
            retention,
            faults,
        }
    }
}

impl Plan {
    /// Whether the disk is to be full at a time.
    pub(crate) fn fills_the_disk(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|(_, fault)| matches!(fault, Fault::FullDisk { .. }))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            database,
            replicas,
            retention,
            ..
        } = self;
        write!(
            formatter,
            "seed {seed}: {database:?}, {replicas} replicas, events kept for {retention}"
        )?;
        for (begin, fault) in &self.faults {
            write!(formatter, "\n  after {begin:?}: {fault:?}")?;
        }
        Ok(())
    }
}

/// What can happen to this database.
pub(crate) fn fault(dice: &mut Dice, database: Database, replicas: usize) -> Fault {
    let kinds = match database {
        Database::Sqlite => 9,
        Database::Postgres => 16,
    };
    let replica = dice.index(replicas);
    let time = millis(dice, 20, Duration::from_millis(500));
    match dice.below(kinds) {
        0 | 1 => Fault::Kill {
            replica,
            away: time / 4,
        },
        2 => Fault::Roll,
        3 => Fault::Stop {
            replica,
            away: time,
        },
        4 => Fault::HoldTurn { time },
        5 if dice.chance(50) => Fault::HoldSnapshot { time },
        5 => Fault::StopReading { time },
        6 => Fault::Vanish {
            calls: 1 + dice.index(30),
        },
        7 => Fault::FullDisk { time },
        8 => Fault::Clock {
            replica,
            millis: skew(dice),
        },
        9 => Fault::KillPostgres { away: time / 4 },
        10 => Fault::ReadOnly { time },
        11 => Fault::CutAll,
        12 | 13 => Fault::CutAtCommit(Cut::After),
        14 => match dice.below(2) {
            0 => Fault::CutAtCommit(Cut::Before),
            _ => Fault::Silent { time },
        },
        _ => Fault::Slow {
            delay: millis(dice, 1, Duration::from_millis(30)),
            time,
        },
    }
}

/// Whether a fault can be had on this machine.
pub(crate) fn is_possible(fault: &Fault) -> bool {
    match fault {
        Fault::FullDisk { .. } => Disk::can_be_had(),
        Fault::Clock { .. } => Skew::can_be_had(),
        _ => true,
    }
}

/// How far a clock is ahead: for as long as an hour, or within what a run takes.
fn skew(dice: &mut Dice) -> i64 {
    const HOUR: i64 = 3_600_000;
    let near = i64::try_from(dice.below(2_000)).expect("a small number") - 1_000;
    dice.pick(&[HOUR, -HOUR, near, near])
}

fn millis(dice: &mut Dice, from: u64, to: Duration) -> Duration {
    let to = u64::try_from(to.as_millis()).expect("a short time");
    Duration::from_millis(from + dice.below(to - from))
}
