//! A messenger over a store that fails, and those who use it.

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use letterbox::{
    config::Limits,
    messenger::{
        Caller, Deliveries, Delivery, Error, FeedSettings, Messenger, Parts, QueueLimits,
        ReadThread, Stay, Watch,
    },
    metrics::Metrics,
    model::{
        Content, Direction, EventBody, EventKinds, Folder, Import, LogPosition, LogReader,
        LoggedEvent, MessageOrder, MessageView, Policy, Reply, RequestId, Send, Subject, TenantId,
        ThreadId, ThreadPage, ThreadView, UserId,
    },
    progress::Progress,
    server::{SystemClock, SystemIds},
    store::{self, Address, Store},
};

use super::{
    faults::{Cause, Fault, Faults, Point},
    store::FailingStore,
};
use crate::support::{TestDatabase, prelude::*};

/// What a call that sends is answered.
pub(crate) type Answer = Result<(MessageView, ThreadView), Error>;

/// A messenger on a real database, which fails where [`Faults`] say so.
pub(crate) struct Service {
    pub(crate) faults: Arc<Faults>,
    messenger: Arc<Messenger>,
    store: Arc<dyn Store>,
    database: Arc<TestDatabase>,
}

impl Service {
    /// A messenger on a new, empty database, to whom `ana` and `ben` are known.
    pub(crate) async fn start(database: Database) -> Self {
        Self::with_heartbeats(database, Duration::from_secs(30)).await
    }

    /// One with a heartbeat interval of its own.
    pub(crate) async fn with_heartbeats(database: Database, interval: Duration) -> Self {
        let service = Self::over(Arc::new(database.create().await), interval).await;
        for user in ["ana", "ben"] {
            service.user(user).lines_of_inbox().await;
        }
        service
    }

    async fn over(database: Arc<TestDatabase>, heartbeat_interval: Duration) -> Self {
        let faults = Arc::new(Faults::default());
        let metrics = Metrics::new();
        let real = store::open(&address(&database), Arc::clone(&metrics)).await;
        let real = real.expect("the test's database can be used");
        let store: Arc<dyn Store> = Arc::new(FailingStore {
            real,
            faults: Arc::clone(&faults),
        });
        let messenger = Messenger::start(Parts {
            store: Arc::clone(&store),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            policy: Policy {
                known_users_only: false,
                show_started_threads: false,
            },
            queue_limits: QueueLimits::from(&Limits::default()),
            feed: FeedSettings {
                heartbeat_interval,
                event_retention: Duration::from_hours(1),
                stall_timeout: Duration::from_mins(5),
                catch_up_bytes: Limits::default().catch_up_bytes_max,
            },
            metrics,
        });
        Self {
            faults,
            messenger,
            store,
            database,
        }
    }

    /// Another one on the same database, with faults of its own; Postgres only.
    pub(crate) async fn replica(&self, heartbeat_interval: Duration) -> Self {
        Self::over(Arc::clone(&self.database), heartbeat_interval).await
    }

    /// Somebody who uses it.
    pub(crate) fn user(&self, name: &str) -> User {
        self.user_in(TenantId::DEFAULT, name)
    }

    /// Somebody who uses it in another tenant.
    pub(crate) fn user_in(&self, tenant: &str, name: &str) -> User {
        User {
            messenger: Arc::clone(&self.messenger),
            caller: Caller {
                tenant: TenantId::parse(tenant).expect("a tenant's name"),
                user: UserId::parse(name).expect("a user's id"),
            },
        }
    }

    /// The answers to these calls, which come to be one batch.
    pub(crate) async fn together<T>(&self, calls: Vec<impl Future<Output = T>>) -> Vec<T> {
        let point = if self.faults.without_turns() {
            Point::BeginWithoutTurn
        } else {
            Point::Begin
        };
        let gate = self.faults.hold(point);
        let before = self.faults.count(point);
        // The calls are polled first, and so have queued when the batch begins.
        let begin = async {
            self.faults.reached(point, before + 1).await;
            gate.open();
        };
        soon("all answers", join(join_all(calls), begin)).await.0
    }

    /// Has its tails woken by what it writes itself and by nothing else, so that a test knows what
    /// each of their reads is for.
    pub(crate) fn announce_nothing(&self) {
        let outage = Fault::Fails(Cause::Outage);
        self.faults.always(Point::Announce, outage);
    }

    /// What it stands on.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Where its database is.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// Runs a statement in the database, past the service.
    pub(crate) async fn execute(&self, sql: &str) {
        self.database.execute(sql).await;
    }

    /// Writes a piece of an import.
    pub(crate) async fn import(&self, import: Import) {
        let tenant = TenantId::parse(TenantId::DEFAULT).expect("a tenant's name");
        let imported = self.messenger.import(&tenant, import).await;
        imported.expect("it is written");
    }

    /// Has it end, but for its connections.
    pub(crate) async fn end(&self) {
        soon("the end", self.messenger.close(Duration::MAX)).await;
    }

    /// Checks that it goes on working, and that all that it leaves agrees.
    pub(crate) async fn assert_sound(self) {
        self.faults.heal();
        let sent = self.user("ana").start("at last", &["ben"], "Hello").await;
        sent.expect("the service works again");
        self.end().await;
        soon("the connections' end", self.store.close()).await;
        let report = store::check(&address(&self.database), &Progress::new()).await;
        let report = report.expect("the database can be read");
        assert_eq!(report.disagreements.len(), 0, "{report}");
    }
}

fn address(database: &TestDatabase) -> Address {
    database.url().parse().expect("a database's URL")
}

/// Somebody who uses the service.
#[derive(Clone)]
pub(crate) struct User {
    messenger: Arc<Messenger>,
    caller: Caller,
}

impl User {
    /// Starts a thread.
    pub(crate) async fn start(&self, subject: &str, to: &[&str], content: &str) -> Answer {
        self.start_as(None, subject, to, content).await
    }

    /// Starts a thread with a request id, or again with the same one.
    pub(crate) async fn start_as(
        &self,
        request: Option<RequestId>,
        subject: &str,
        recipients: &[&str],
        content: &str,
    ) -> Answer {
        let recipients = recipients.iter().map(|user| UserId::parse(user));
        let send = Send {
            caller: self.caller.user.clone(),
            recipients: recipients.map(|user| user.expect("a user's id")).collect(),
            subject: Subject::parse(subject.to_owned()).expect("a subject"),
            content: words(content),
            request: None,
        };
        self.messenger.send(&self.caller, send, request).await
    }

    /// Appends to a thread.
    pub(crate) async fn reply(&self, thread: ThreadId, content: &str) -> Answer {
        let reply = Reply {
            caller: self.caller.user.clone(),
            thread,
            content: words(content),
            subject: None,
            request: None,
        };
        self.messenger.reply(&self.caller, reply, None).await
    }

    /// The first messages of a thread, each as `1 ana: Lunch?`.
    pub(crate) async fn lines(&self, thread: ThreadId) -> Vec<String> {
        let read = ReadThread {
            page: ThreadPage {
                thread,
                order: MessageOrder::OldestFirst,
                direction: Direction::Forward,
                from: None,
                exclude_sender: None,
                size: 200,
            },
            mark_read: false,
        };
        let read = self.messenger.thread(&self.caller, &read, None).await;
        let rows = read.expect("a thread is read").page;
        let rows = rows.expect("nothing is had");
        rows.messages.iter().map(line).collect()
    }

    /// The newest message of each of the user's threads, as `1 ana: Lunch?`, the oldest first.
    pub(crate) async fn lines_of_inbox(&self) -> Vec<String> {
        self.lines_of(Folder::All).await
    }

    /// The same of one folder.
    pub(crate) async fn lines_of(&self, folder: Folder) -> Vec<String> {
        let page = letterbox::model::InboxPage {
            folder,
            direction: Direction::Forward,
            from: None,
            skip: 0,
            size: 200,
        };
        let read = self.messenger.inbox(&self.caller, page, None).await;
        let rows = read.expect("an inbox is read").page;
        let rows = rows.expect("nothing is had");
        let newest = rows.threads.iter().rev().map(|(_, view)| {
            let (count, sender) = (view.thread.message_count, &view.last_sender.id);
            format!("{count} {sender}: {}", view.snippet)
        });
        newest.collect()
    }

    /// Tries to watch what concerns this user, after a position or from now on.
    pub(crate) async fn try_watch(&self, from: Option<LogPosition>) -> Result<Watcher, Error> {
        let watch = Watch {
            reader: LogReader::User(self.caller.user.clone()),
            thread: None,
            kinds: EventKinds::ALL,
        };
        let stay = Stay {
            until: None,
            counted: Box::new(()),
        };
        let watching = self.messenger.watch(&self.caller, watch, from, stay);
        let mut deliveries = soon("a watch to begin", watching).await?;
        match soon("the first delivery", deliveries.recv()).await {
            Some(Ok(Delivery::Ready(position))) => Ok(Watcher {
                deliveries,
                waiting: VecDeque::new(),
                position,
            }),
            other => panic!("a watch begins with {other:?}"),
        }
    }

    /// Watches what concerns this user, after a position or from now on.
    pub(crate) async fn watch(&self, from: Option<LogPosition>) -> Watcher {
        let watcher = self.try_watch(from).await;
        watcher.expect("a watch begins")
    }
}

fn words(text: &str) -> Content {
    Content::parse(text.to_owned()).expect("a content")
}

fn line(message: &MessageView) -> String {
    let (number, sender) = (message.number, &message.sender.id);
    format!("{number} {sender}: {}", message.content)
}

/// A watch that a test reads step by step.
pub(crate) struct Watcher {
    deliveries: Deliveries,
    /// Events of a delivery that the test has not come to.
    waiting: VecDeque<Arc<LoggedEvent>>,
    /// Where to resume.
    pub(crate) position: LogPosition,
}

impl Watcher {
    /// The next event, or none for a heartbeat; an error where the watch has ended, and why.
    async fn next(&mut self) -> Result<Option<Arc<LoggedEvent>>, Error> {
        if self.waiting.is_empty() {
            let delivery = soon("a delivery", self.deliveries.recv()).await;
            match delivery.expect("a watch says why it ends")? {
                Delivery::Ready(_) => panic!("a watch begins once"),
                Delivery::Heartbeat(position) => {
                    self.move_to(position);
                    return Ok(None);
                }
                Delivery::Events(events) => self.waiting.extend(events),
            }
        }
        let event = self.waiting.pop_front().expect("no delivery is empty");
        self.move_to(event.position);
        Ok(Some(event))
    }

    fn move_to(&mut self, position: LogPosition) {
        assert!(position.number >= self.position.number, "a token goes back");
        self.position = position;
    }

    /// The next messages, each as `1 ana: Lunch?`; heartbeats are passed over.
    pub(crate) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::with_capacity(count);
        while lines.len() < count {
            let event = self.next().await.expect("the watch goes on");
            lines.extend(event.iter().map(|event| line_of_event(event)));
        }
        lines
    }

    /// Waits for a heartbeat, before which nothing happens.
    pub(crate) async fn heartbeat(&mut self) -> LogPosition {
        let event = self.next().await.expect("the watch goes on");
        assert!(event.is_none(), "expected a heartbeat, got {event:?}");
        self.position
    }

    /// Reads to the end: the messages before it, and why the watch ended.
    pub(crate) async fn end(&mut self) -> (Vec<String>, Error) {
        let mut lines = Vec::new();
        let ending = async {
            loop {
                match self.next().await {
                    Ok(event) => lines.extend(event.iter().map(|event| line_of_event(event))),
                    Err(error) => return error,
                }
            }
        };
        let error = soon("the watch's end", ending).await;
        (lines, error)
    }

    /// Checks that nothing but heartbeats waits to be read.
    pub(crate) fn assert_quiet(&mut self) {
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
        while let Ok(delivery) = self.deliveries.try_recv() {
            assert!(
                matches!(delivery, Ok(Delivery::Heartbeat(_))),
                "{delivery:?}"
            );
        }
    }
}

fn line_of_event(event: &LoggedEvent) -> String {
    match &event.body {
        EventBody::MessageSent { message, .. } => line(message),
        other => panic!("expected a message that was sent, got {other:?}"),
    }
}

/// The error of a call that is not answered.
#[track_caller]
fn error<T>(answer: Result<T, Error>) -> Error {
    match answer {
        Ok(_) => panic!("the call is answered"),
        Err(error) => error,
    }
}

/// Checks that the caller is told to try again.
#[track_caller]
pub(crate) fn assert_unavailable<T>(answer: Result<T, Error>) {
    let error = error(answer);
    assert!(matches!(error, Error::DatabaseUnavailable(_)), "{error:?}");
}

/// Checks that the caller is told of a defect.
#[track_caller]
pub(crate) fn assert_internal<T>(answer: Result<T, Error>) {
    let error = error(answer);
    assert!(matches!(error, Error::Internal(_)), "{error:?}");
}

/// A call that has been queued, and not yet awaited.
pub(crate) async fn queued<F: Future>(call: F) -> std::pin::Pin<Box<F>> {
    let mut call = Box::pin(call);
    std::future::poll_fn(|context| {
        assert!(pin!(&mut call).poll(context).is_pending(), "it waits");
        std::task::Poll::Ready(())
    })
    .await;
    call
}
