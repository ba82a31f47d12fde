//! A commit whose outcome is unknown is settled: answered once, or carried out once.

use futures_util::future::join;
use letterbox::messenger::Error;

use super::{
    faults::{Cause, Fault, Gate, Point},
    service::{Answer, Service, Watcher},
};
use crate::support::prelude::*;

const CAUSES: [Cause; 4] = [Cause::Outage, Cause::Data, Cause::Defect, Cause::Timeout];

/// Batches of three messages each, and a watcher of them.
struct Batches {
    service: Service,
    watch: Watcher,
    /// What has been sent, as the inbox shows it.
    lines: Vec<String>,
}

impl Batches {
    async fn on(database: Database) -> Self {
        let service = Service::start(database).await;
        let watch = service.user("ben").watch(None).await;
        Self {
            service,
            watch,
            lines: Vec::new(),
        }
    }

    /// Sends a batch, and checks that each of its messages is answered, kept and told of once.
    async fn send(&mut self) {
        let next = self.lines.len();
        let contents: Vec<String> = (next..next + 3).map(|number| number.to_string()).collect();
        let calls = contents.iter().map(|content| self.call(content));
        let answers = self.service.together(calls.collect()).await;
        let answered = answers.into_iter().map(|answer| answer.unwrap().0.content);
        assert_eq!(answered.collect::<Vec<_>>(), contents);
        self.lines
            .extend(contents.iter().map(|content| format!("1 ana: {content}")));
        assert_eq!(self.service.user("ben").lines_of_inbox().await, self.lines);
        assert_eq!(self.watch.lines(3).await, self.lines[next..]);
    }

    fn call(&self, content: &str) -> impl Future<Output = Answer> + use<> {
        let (ana, content) = (self.service.user("ana"), content.to_owned());
        async move { ana.start("plans", &["ben"], &content).await }
    }

    /// Checks that nothing comes after the last batch but what is sent then.
    async fn end(mut self) {
        let last = self.call("the end").await;
        last.unwrap();
        assert_eq!(self.watch.lines(1).await, ["1 ana: the end"]);
        self.service.assert_sound().await;
    }
}

fn lost(done: bool, cause: Cause) -> Fault {
    if done {
        Fault::AnswerLost(cause)
    } else {
        Fault::Fails(cause)
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_done_and_lost_its_answer_is_answered_and_not_done_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let mut batches = Batches::on(database).await;
    for (count, cause) in (1..).zip(CAUSES) {
        let faults = &batches.service.faults;
        faults.once(Point::Commit, Fault::AnswerLost(cause));
        batches.send().await;
        let faults = &batches.service.faults;
        assert_eq!(faults.count(Point::HoldsEvent), count, "it is looked for");
    }
    batches.end().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_done_is_done_again_and_once(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let mut batches = Batches::on(database).await;
    for cause in CAUSES {
        batches
            .service
            .faults
            .once(Point::Commit, Fault::Fails(cause));
        batches.send().await;
    }
    batches.end().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_there_was_no_room_for_is_not_in_doubt(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] done_again: bool,
) {
    let mut batches = Batches::on(database).await;
    batches.send().await;
    let faults = &batches.service.faults;
    if done_again {
        faults.once(Point::Commit, Fault::Fails(Cause::Outage));
    }
    faults.once(Point::Commit, Fault::Fails(Cause::Full));
    let error = batches.call("nowhere").await.unwrap_err();
    assert!(matches!(error, Error::DatabaseUnavailable(_)), "{error}");
    let faults = &batches.service.faults;
    let looks = usize::from(done_again);
    assert_eq!(faults.count(Point::HoldsEvent), looks, "it is known");
    batches.send().await;
    batches.end().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_doing_it_again_may_be_unknown_as_well(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] done: bool,
) {
    let mut batches = Batches::on(database).await;
    for cause in CAUSES {
        let faults = &batches.service.faults;
        faults.once(Point::Commit, Fault::Fails(Cause::Outage));
        faults.once(Point::Commit, lost(done, cause));
        batches.send().await;
    }
    batches.end().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_still_under_way_is_waited_for_before_anybody_looks_for_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] done: bool,
) {
    let mut batches = Batches::on(database).await;
    let faults = std::sync::Arc::clone(&batches.service.faults);
    let gate = Gate::new();
    let later = if done {
        Fault::DoneLater(gate.clone())
    } else {
        Fault::UndoneLater(gate.clone())
    };
    faults.once(Point::Commit, later);
    let (begun, looked) = (faults.count(Point::Begin), faults.count(Point::HoldsEvent));
    let settle = async {
        // The first is the batch's own.
        faults.reached(Point::Begin, begun + 2).await;
        // Long enough for a look that does not wait for the turn.
        tokio::time::sleep(QUICK).await;
        gate.open();
        faults.count(Point::HoldsEvent)
    };
    let ((), looked_early) = join(batches.send(), settle).await;
    assert_eq!(looked_early, looked, "nobody looks before it has ended");
    batches.end().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_look_for_a_lost_commit_that_fails_is_repeated(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(true, false)] done: bool,
) {
    let mut batches = Batches::on(database).await;
    let faults = std::sync::Arc::clone(&batches.service.faults);
    for (step, cause) in [
        (Point::Begin, Cause::Outage),
        (Point::TakeTurn, Cause::Outage),
        (Point::TakeTurn, Cause::Timeout),
        (Point::HoldsEvent, Cause::Outage),
        (Point::HoldsEvent, Cause::Timeout),
        (Point::HoldsEvent, Cause::Defect),
    ] {
        let gate = faults.hold(Point::Commit);
        faults.once(Point::Commit, lost(done, Cause::Outage));
        let commits = faults.count(Point::Commit);
        let meanwhile = async {
            faults.reached(Point::Commit, commits + 1).await;
            for _ in 0..2 {
                faults.once(step, Fault::Fails(cause));
            }
            gate.open();
        };
        join(batches.send(), meanwhile).await;
    }
    batches.end().await;
}
