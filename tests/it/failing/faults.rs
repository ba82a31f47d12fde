//! What is to go wrong, where and how often; and what has been asked of the store.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use letterbox::store::{Error, Result};
use tokio::sync::watch;

use crate::support::soon;

/// A moment at which the store is asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Point {
    Begin,
    TakeTurn,
    Load,
    Save,
    Commit,
    BeginWithoutTurn,
    LoadWithoutTurn,
    /// Commits as well.
    SaveWithoutTurn,
    HoldsEvent,
    TakeIn,
    LogGoesOn,
    LogPage,
    LogHeads,
    Announce,
    Announced,
}

/// How a database fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It cannot be reached.
    Outage,
    /// It refuses the data.
    Data,
    /// A statement is wrong.
    Defect,
    /// It has ended a statement that waited for too long.
    Timeout,
    /// It has no room left.
    Full,
}

impl Cause {
    pub(super) fn error(self) -> Error {
        let source = || Box::new(io::Error::other("the test says so"));
        match self {
            Self::Outage => Error::Unavailable(source()),
            Self::Data => Error::Data(source()),
            Self::Defect => Error::Defect(source()),
            Self::Timeout => Error::TurnTimedOut,
            Self::Full => Error::Full(source()),
        }
    }
}

/// Something that goes wrong.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It fails, and nothing is done.
    Fails(Cause),
    /// It is done, and the answer is lost.
    AnswerLost(Cause),
    /// Of what commits: the answer is lost at once; done it is when the gate opens.
    DoneLater(Gate),
    /// Of a commit: the answer is lost at once; given up it is when the gate opens.
    UndoneLater(Gate),
    /// No answer ever comes, and nothing is done.
    Hangs,
    /// It is done, and no answer ever comes.
    HangsOnceDone,
    /// It is done, and answered when the gate opens.
    AnswerWaits(Gate),
    /// Nothing goes wrong, or the next fault does, once the gate opens.
    Waits(Gate),
}

/// What holds something up until it is opened.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn opened(&self) {
        let mut opened = self.0.subscribe();
        let opened = opened.wait_for(|open| *open).await;
        opened.expect("this one keeps the gate");
    }
}

/// What is to go wrong.
#[derive(Default)]
pub(crate) struct Faults {
    script: Mutex<Script>,
    without_turns: AtomicBool,
    reached: watch::Sender<HashMap<Point, usize>>,
    late: watch::Sender<Option<bool>>,
}

#[derive(Default)]
struct Script {
    next: HashMap<Point, VecDeque<Fault>>,
    always: HashMap<Point, Fault>,
    poison: Option<String>,
}

impl Faults {
    /// From now on batches need no turn where nobody else writes.
    pub(crate) fn allow_no_turns(&self) {
        self.without_turns.store(true, Ordering::Relaxed);
    }

    pub(super) fn without_turns(&self) -> bool {
        self.without_turns.load(Ordering::Relaxed)
    }

    /// The next time, this goes wrong; several such follow one another.
    pub(crate) fn once(&self, point: Point, fault: Fault) {
        self.script()
            .next
            .entry(point)
            .or_default()
            .push_back(fault);
    }

    /// From now on this goes wrong every time.
    pub(crate) fn always(&self, point: Point, fault: Fault) {
        self.script().always.insert(point, fault);
    }

    /// Holds up whoever comes to this point next.
    pub(crate) fn hold(&self, point: Point) -> Gate {
        let gate = Gate::new();
        self.once(point, Fault::Waits(gate.clone()));
        gate
    }

    /// Holds up the answer to whoever comes to this point next.
    pub(crate) fn hold_answer(&self, point: Point) -> Gate {
        let gate = Gate::new();
        self.once(point, Fault::AnswerWaits(gate.clone()));
        gate
    }

    /// Whatever would save a message with this content is refused for its data.
    pub(crate) fn poison(&self, content: &str) {
        self.script().poison = Some(content.to_owned());
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        *self.script() = Script::default();
    }

    /// How often the store has been asked for this.
    pub(crate) fn count(&self, point: Point) -> usize {
        self.reached.borrow().get(&point).copied().unwrap_or(0)
    }

    /// Waits until the store has been asked for this so often.
    pub(crate) async fn reached(&self, point: Point, count: usize) {
        let mut reached = self.reached.subscribe();
        let often = reached.wait_for(|counts| counts.get(&point) >= Some(&count));
        let often = soon(&format!("{point:?} number {count}"), often).await;
        drop(often.expect("the faults are here"));
    }

    pub(super) fn is_poisoned(&self, content: &str) -> bool {
        self.script().poison.as_deref() == Some(content)
    }

    /// What goes wrong now, with what there is to be waited for before.
    pub(super) async fn arrive(&self, point: Point) -> Option<Fault> {
        self.reached
            .send_modify(|counts| *counts.entry(point).or_default() += 1);
        loop {
            match self.next(point) {
                Some(Fault::Waits(gate)) => gate.opened().await,
                fault => return fault,
            }
        }
    }

    fn next(&self, point: Point) -> Option<Fault> {
        let mut script = self.script();
        let next = script.next.get_mut(&point).and_then(VecDeque::pop_front);
        next.or_else(|| script.always.get(&point).cloned())
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("nobody panics with it")
    }

    /// Whether something that was saved late was still carried out, once that is known.
    pub(crate) async fn was_done_late(&self) -> bool {
        let mut late = self.late.subscribe();
        let late = soon("what comes late", late.wait_for(Option::is_some)).await;
        let late = *late.expect("the faults are here");
        late.expect("it is known")
    }

    /// What comes late may be refused in either way.
    pub(super) fn arrived_late(&self, saved: Result<bool>) {
        self.late.send_replace(Some(saved.unwrap_or(false)));
    }

    /// Does something, or has it fail.
    pub(super) async fn around<T>(
        &self,
        point: Point,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let fault = self.arrive(point).await;
        self.carry_out(fault, doing).await
    }

    /// Does something as far as a fault lets it be done.
    pub(super) async fn carry_out<T>(
        &self,
        fault: Option<Fault>,
        doing: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match fault {
            None => doing.await,
            Some(Fault::Fails(cause)) => Err(cause.error()),
            Some(Fault::AnswerLost(cause)) => {
                doing.await?;
                Err(cause.error())
            }
            Some(Fault::AnswerWaits(gate)) => {
                let answer = doing.await;
                gate.opened().await;
                answer
            }
            Some(Fault::HangsOnceDone) => {
                doing.await?;
                std::future::pending().await
            }
            Some(Fault::Hangs) => {
                // What was begun is left open for as long as somebody waits for it.
                let _begun = doing;
                std::future::pending().await
            }
            Some(Fault::DoneLater(_) | Fault::UndoneLater(_) | Fault::Waits(_)) => {
                panic!("only a commit can end later")
            }
        }
    }
}
