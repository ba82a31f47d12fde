//! Several services on one Postgres, one of which fails.

use std::time::Duration;

use letterbox::{messenger::Error, model::ThreadId};

use super::{
    faults::{Cause, Fault, Gate, Point},
    service::{Answer, Service, Watcher, queued},
};
use crate::support::prelude::*;

/// So that the poll comes soon.
const INTERVAL: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_is_lost_delays_an_event_and_loses_none() {
    let first = Service::start(Database::Postgres).await;
    first
        .faults
        .always(Point::Announce, Fault::Fails(Cause::Outage));
    let second = first.replica(INTERVAL).await;
    let mut watch = second.user("ben").watch(None).await;
    for content in ["1", "2", "3"] {
        let sent = first.user("ana").start("plans", &["ben"], content).await;
        sent.unwrap();
        assert_eq!(watch.lines(1).await, [format!("1 ana: {content}")]);
    }
    assert_ne!(
        first.faults.count(Point::Announce),
        0,
        "it has tried to tell"
    );
    first.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hears_no_announcements_looks_by_itself() {
    let first = Service::start(Database::Postgres).await;
    let second = first.replica(INTERVAL).await;
    second.faults.always(Point::Announced, Fault::Hangs);
    let mut watch = second.user("ben").watch(None).await;
    for content in ["1", "2", "3"] {
        let sent = first.user("ana").start("plans", &["ben"], content).await;
        sent.unwrap();
        assert_eq!(watch.lines(1).await, [format!("1 ana: {content}")]);
    }
    first.assert_sound().await;
}

/// A reply whose commit loses its answer, and others' replies before anybody looks for it.
struct Overtaken {
    first: Service,
    second: Service,
    plans: ThreadId,
    watch: Watcher,
}

impl Overtaken {
    /// Also what the lost reply is answered, when what happens meanwhile has happened.
    async fn by_others(done: bool, meanwhile: impl AsyncFnOnce(&Service)) -> (Self, Answer) {
        let first = Service::start(Database::Postgres).await;
        let second = first.replica(INTERVAL).await;
        let (ana, ben) = (first.user("ana"), second.user("ben"));
        let plans = ana.start("plans", &["ben"], "1").await.unwrap().0.thread;
        let watch = ben.watch(None).await;

        let faults = &first.faults;
        let lost = if done {
            Fault::AnswerLost(Cause::Outage)
        } else {
            Fault::Fails(Cause::Outage)
        };
        let gate = faults.hold(Point::Commit);
        faults.once(Point::Commit, lost);
        let (begun, commits) = (faults.count(Point::Begin), faults.count(Point::Commit));
        let lunch = queued(ana.reply(plans, "Lunch?")).await;
        faults.reached(Point::Commit, commits + 1).await;
        let settling = faults.hold(Point::Begin);
        gate.open();
        faults.reached(Point::Begin, begun + 2).await;
        for content in ["Dinner?", "Tea?"] {
            ben.reply(plans, content).await.unwrap();
        }
        meanwhile(&first).await;
        settling.open();
        let answer = soon("an answer", lunch).await;
        let overtaken = Self {
            first,
            second,
            plans,
            watch,
        };
        (overtaken, answer)
    }

    /// The thread's messages, in the order of their numbers.
    async fn lines(&self) -> Vec<String> {
        self.second.user("ben").lines(self.plans).await
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_is_settled_though_others_have_written_since(
    #[values(true, false)] done: bool,
) {
    let (mut overtaken, answer) = Overtaken::by_others(done, async |_| {}).await;
    answer.unwrap();
    let mut lines = overtaken.lines().await;
    assert_eq!(overtaken.watch.lines(3).await, lines[1..]);
    for line in &mut lines {
        *line = line.split_off(2);
    }
    lines.sort_unstable();
    let expected = ["ana: 1", "ana: Lunch?", "ben: Dinner?", "ben: Tea?"];
    assert_eq!(lines, expected);
    overtaken.first.assert_sound().await;
}

/// Its event would prove it, and is gone: to do it again might be to do it twice.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_commit_whose_event_is_no_longer_kept_is_not_done_again(
    #[values(true, false)] done: bool,
) {
    let remove = async |service: &Service| {
        // As retention does: the newest event stays.
        for table in ["audience", "events"] {
            let before = "(SELECT max(position) FROM events)";
            let sql = format!("DELETE FROM {table} WHERE position < {before}");
            service.execute(&sql).await;
        }
    };
    let (overtaken, answer) = Overtaken::by_others(done, remove).await;
    assert!(
        matches!(answer, Err(Error::DatabaseUnavailable(_))),
        "{answer:?}"
    );
    let lines = overtaken.lines().await;
    let sent = lines.iter().filter(|line| line.ends_with("Lunch?")).count();
    assert_eq!(sent, usize::from(done), "{lines:?}");
    // What comes next is not held up by it.
    let ana = overtaken.first.user("ana");
    ana.reply(overtaken.plans, "Supper?").await.unwrap();
}

/// The lost transaction still holds the turn: nobody's batch is decided before it has ended.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn while_a_commit_is_under_way_no_other_service_writes(#[values(true, false)] done: bool) {
    let first = Service::start(Database::Postgres).await;
    let second = first.replica(INTERVAL).await;
    let (ana, ben) = (first.user("ana"), second.user("ben"));
    let plans = ana.start("plans", &["ben"], "1").await.unwrap().0.thread;
    ben.lines(plans).await;
    let gate = Gate::new();
    let later = if done {
        Fault::DoneLater(gate.clone())
    } else {
        Fault::UndoneLater(gate.clone())
    };
    first.faults.once(Point::Commit, later);
    let begun = first.faults.count(Point::Begin);
    let lunch = queued(ana.reply(plans, "Lunch?")).await;
    first.faults.reached(Point::Begin, begun + 2).await;
    let (loads, turns) = (
        second.faults.count(Point::Load),
        second.faults.count(Point::TakeTurn),
    );
    let dinner = queued(ben.reply(plans, "Dinner?")).await;
    second.faults.reached(Point::TakeTurn, turns + 1).await;
    // Long enough for a batch that does not wait.
    tokio::time::sleep(QUICK).await;
    assert_eq!(second.faults.count(Point::Load), loads);
    gate.open();
    let lunch = soon("an answer", lunch).await.unwrap().0.number;
    let dinner = soon("an answer", dinner).await.unwrap().0.number;
    assert!([(2, 3), (3, 2)].contains(&(lunch, dinner)), "each once");
    assert_eq!(ben.lines(plans).await.len(), 3);
    first.assert_sound().await;
}

/// A tail does not read what its own service has written and nobody here is told of: it must
/// know that nothing else came before.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_is_not_passed_over_by_a_write_of_ones_own() {
    let first = Service::start(Database::Postgres).await;
    let second = first.replica(Duration::from_secs(30)).await;
    let (ana, ben) = (first.user("ana"), second.user("ben"));
    let mut watch = ben.watch(None).await;
    ana.start("plans", &["ben"], "first").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: first"]);
    // The tail follows; from now on neither an announcement nor its poll tells it anything.
    let outage = || Fault::Fails(Cause::Outage);
    first.faults.always(Point::Announce, outage());
    second.faults.always(Point::LogHeads, outage());
    ana.start("plans", &["ben"], "told").await.unwrap();
    let untold = second.user("ana").start("plans", &["cleo"], "untold").await;
    untold.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: told"]);
    first.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_written_while_a_tail_reads_is_not_passed_over_either() {
    let first = Service::start(Database::Postgres).await;
    let second = first.replica(Duration::from_secs(30)).await;
    let (ana, other) = (second.user("ana"), first.user("ana"));
    let mut watch = second.user("ben").watch(None).await;
    ana.start("plans", &["ben"], "first").await.unwrap();
    assert_eq!(watch.lines(1).await, ["1 ana: first"]);
    second.faults.reached(Point::Announce, 1).await;
    let outage = || Fault::Fails(Cause::Outage);
    first.faults.always(Point::Announce, outage());
    second.faults.always(Point::LogHeads, outage());
    let gate = second.faults.hold_answer(Point::LogPage);
    let reads = second.faults.count(Point::LogPage);
    ana.start("plans", &["ben"], "1").await.unwrap();
    second.faults.reached(Point::LogPage, reads + 1).await;
    second.faults.reached(Point::Announce, 2).await;
    other.start("plans", &["ben"], "told").await.unwrap();
    ana.start("plans", &["cleo"], "untold").await.unwrap();
    // The tail is told before the other replicas are.
    second.faults.reached(Point::Announce, 3).await;
    gate.open();
    assert_eq!(watch.lines(2).await, ["1 ana: 1", "1 ana: told"]);
    first.assert_sound().await;
}
