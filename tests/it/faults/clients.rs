//! Clients: they send, reply, edit, mark, delete, restore and read, and retry as is documented.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use tonic::Status;

use super::{
    accounts::{Asked, Call, PAGE, Told},
    crowd::{Connections, Crowd, Ending},
    dice::Dice,
};
use crate::{
    random::words,
    reference::{Action, Answer, MessageNo},
    support::{GetThreadRequest, MessageOrder, locked, soon},
};

/// Who writes.
pub(crate) const USERS: [&str; 3] = ["ana", "ben", "cleo"];

/// The subject of the last thread, at which watchers stop.
pub(crate) const LAST: &str = "the end";

/// How many threads are written to at a time.
const THREADS: usize = 5;

/// When to call again, of calls that are safe to repeat; `clients/service_config` has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    attempts: u32,
    first: Duration,
    max: Duration,
    factor: u32,
    /// How long the client waits for an answer to one attempt; then it gives up.
    deadline: Duration,
    /// Whether the client does so for every other write, knowing that nothing comes between; and
    /// sends nothing without a request id.
    others_too: bool,
}

impl RetryPolicy {
    /// The documented one. It names no deadline: this one is for a disk of the machine that hangs for seconds.
    pub(crate) const DOCUMENTED: Self = Self {
        attempts: 4,
        first: Duration::from_millis(200),
        max: Duration::from_secs(2),
        factor: 3,
        deadline: Duration::from_secs(10),
        others_too: true,
    };

    /// As many attempts, ten times as fast, for runs that are short.
    pub(crate) const QUICK: Self = Self {
        first: Duration::from_millis(20),
        max: Duration::from_millis(200),
        deadline: Duration::from_secs(2),
        others_too: false,
        ..Self::DOCUMENTED
    };

    fn attempts(self, asked: &Asked) -> u32 {
        match asked {
            Asked::Read(_)
            | Asked::Act(
                Action::Send {
                    request: Some(_), ..
                }
                | Action::Reply {
                    request: Some(_), ..
                },
            ) => self.attempts,
            Asked::Act(Action::Send { .. } | Action::Reply { .. }) => 1,
            Asked::Act(_) if self.others_too => self.attempts,
            Asked::Act(_) => 1,
        }
    }
}

/// A client of one user, who does one thing after the other.
pub(crate) struct Client {
    name: String,
    user: &'static str,
    crowd: Arc<Crowd>,
    connections: Connections,
    retries: RetryPolicy,
    pause: Duration,
    dice: Dice,
    own_messages: Vec<MessageNo>,
    /// What may or may not have been sent.
    unanswered: Vec<Asked>,
    /// The calls that failed for good, and how.
    pub(crate) failed: Vec<String>,
}

/// How an attempt ended.
enum Attempt {
    Told(Box<Told>),
    Unavailable(Status),
    GivenUp,
}

impl Client {
    /// A client among several of the same user, who rests about so long between two calls.
    pub(crate) fn new(
        number: usize,
        crowd: &Arc<Crowd>,
        retries: RetryPolicy,
        pause: Duration,
        dice: Dice,
    ) -> Self {
        let user = USERS[number % USERS.len()];
        Self {
            name: format!("{user}-{number}"),
            user,
            crowd: Arc::clone(crowd),
            connections: Connections::new(user, number),
            retries,
            pause,
            dice,
            own_messages: Vec::new(),
            unanswered: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Goes on until told to stop.
    pub(crate) async fn work(mut self, finish: watch::Receiver<bool>) -> Self {
        while !*finish.borrow() {
            let asked = self.something();
            if let Err(how) = self.call(&asked).await {
                self.failed.push(format!("{asked:?}: {how}"));
                if let Asked::Act(
                    Action::Send { .. }
                    | Action::Reply {
                        request: Some(_), ..
                    },
                ) = asked
                {
                    self.unanswered.push(asked);
                }
            }
            let pause = self.pause.mul_f64(1.5) * u32::try_from(self.dice.below(100)).unwrap_or(0);
            tokio::time::sleep(pause / 100).await;
        }
        self
    }

    /// Asks once more for some of what went unanswered, and is answered.
    pub(crate) async fn settle(mut self) {
        for asked in std::mem::take(&mut self.unanswered) {
            if self.dice.chance(60) {
                self.insist(&asked).await;
            }
        }
    }

    /// Starts the thread at which the watchers of everybody stop.
    pub(crate) async fn finish(mut self) {
        let last = self.thread(LAST, USERS.map(str::to_owned).to_vec());
        self.insist(&last).await;
        self.crowd.finished.store(true, Ordering::SeqCst);
    }

    async fn insist(&mut self, asked: &Asked) {
        soon("an answer", async {
            while self.call(asked).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    fn something(&mut self) -> Asked {
        let thread = {
            let threads = locked(&self.crowd.threads);
            let mine = threads.iter().rev();
            let mine = mine.filter(|(_, users)| users.iter().any(|user| user == self.user));
            let mine: Vec<usize> = mine.take(THREADS).map(|(thread, _)| *thread).collect();
            if mine.is_empty() {
                None
            } else {
                Some(self.dice.pick(&mine))
            }
        };
        let Some(thread) = thread else {
            return self.start();
        };
        match self.dice.below(100) {
            0..4 => self.start(),
            4..36 => self.reply(thread),
            36..50 => self.edit().unwrap_or_else(|| self.reply(thread)),
            50..62 => {
                let number = i32::try_from(self.dice.below(30)).unwrap_or_default();
                Asked::Act(Action::MarkRead {
                    thread,
                    up_to_number: self.dice.chance(40).then_some(number),
                })
            }
            62..68 => Asked::Act(Action::MarkUnread(thread)),
            68..74 => Asked::Act(Action::Delete(thread)),
            74..80 => Asked::Act(Action::Restore(thread)),
            _ => Asked::Read(thread),
        }
    }

    fn start(&mut self) -> Asked {
        let mut others: Vec<String> = USERS.map(str::to_owned).to_vec();
        others.retain(|other| other != self.user);
        if self.dice.chance(30) {
            others.pop();
        }
        let subject = format!("by {}", self.name);
        self.thread(&subject, others)
    }

    fn thread(&self, subject: &str, recipients: Vec<String>) -> Asked {
        Asked::Act(Action::Send {
            recipients,
            subject: subject.to_owned(),
            content: self.content(),
            request: Some(self.crowd.number()),
        })
    }

    fn reply(&mut self, thread: usize) -> Asked {
        let with_id = self.retries.others_too || self.dice.chance(80);
        Asked::Act(Action::Reply {
            thread,
            content: self.content(),
            subject: None,
            request: with_id.then(|| self.crowd.number()),
        })
    }

    fn edit(&mut self) -> Option<Asked> {
        let recent = self.own_messages.len().saturating_sub(8);
        let recent = &self.own_messages[recent..];
        let message = *recent.get(self.dice.index(recent.len().max(1)))?;
        let revision = i32::try_from(self.dice.below(4)).unwrap_or_default();
        Some(Asked::Act(Action::Edit {
            message,
            content: self.content(),
            expected_revision: self.dice.chance(20).then_some(revision),
        }))
    }

    /// Something that nobody has said before.
    fn content(&self) -> String {
        format!("{} {}", self.name, self.crowd.number())
    }

    /// Calls, and calls again where the policy says so; an error says why there was no answer.
    async fn call(&mut self, asked: &Asked) -> Result<Box<Told>, String> {
        let mut last = None;
        let mut wait = self.retries.first;
        for attempt in 0..self.retries.attempts(asked) {
            if attempt > 0 {
                let jitter = u32::try_from(self.dice.below(40)).unwrap_or_default();
                tokio::time::sleep(wait * (80 + jitter) / 100).await;
                wait = (wait * self.retries.factor).min(self.retries.max);
            }
            match self.attempt(asked).await {
                Attempt::Told(told) => {
                    self.learn(asked, &told);
                    return Ok(told);
                }
                Attempt::GivenUp => return Err("given up".to_owned()),
                Attempt::Unavailable(status) => last = Some(status),
            }
        }
        Err(format!("after all attempts: {last:?}"))
    }

    async fn attempt(&mut self, asked: &Asked) -> Attempt {
        let client = self.connections.next(&self.crowd);
        let patience = if self.crowd.vanishes() {
            Duration::from_micros(self.dice.below(3_000))
        } else {
            self.retries.deadline
        };
        let begun = self.crowd.now();
        let told = timeout(patience, ask(&client, &self.crowd, asked)).await;
        let ended = self.crowd.now();
        let (answered, attempt) = match told {
            Ok(Ok(told)) => (Some((ended, told.clone())), Attempt::Told(Box::new(told))),
            Ok(Err(status)) => (None, Attempt::Unavailable(status)),
            Err(_) => (None, Attempt::GivenUp),
        };
        let is_read = matches!(asked, Asked::Read(_));
        if answered.is_some() || !is_read {
            locked(&self.crowd.calls).push(Call {
                caller: self.user.to_owned(),
                asked: asked.clone(),
                begun,
                answered,
            });
        }
        attempt
    }

    fn learn(&mut self, asked: &Asked, told: &Told) {
        let Told::Answer(Answer::Sent(message, view)) = told else {
            return;
        };
        self.own_messages.push(message.name);
        if let Asked::Act(Action::Send { .. }) = asked {
            let users = view.thread.participants.clone();
            locked(&self.crowd.threads).push((message.name.thread, users));
        }
    }
}

/// Asks once; on an error it can be asked again.
async fn ask(
    client: &crate::support::Client,
    crowd: &Crowd,
    asked: &Asked,
) -> Result<Told, Status> {
    let status = match asked {
        Asked::Act(action) => match words::call(client, &crowd.names, action).await {
            Ok(reply) => {
                let answer = words::answer(&crowd.names, Ok(reply));
                return Ok(Told::Answer(answer.expect("it was answered")));
            }
            Err(status) => status,
        },
        Asked::Read(thread) => {
            let request = GetThreadRequest {
                thread_id: words::thread_id(&crowd.names, *thread),
                page_size: i32::try_from(PAGE).expect("a small page"),
                order: MessageOrder::NewestFirst.into(),
                ..Default::default()
            };
            match client.get_thread(request).await {
                Ok(page) => {
                    let view = words::view(&crowd.names, page.view);
                    let messages = page.messages.into_iter();
                    let messages = messages.map(|one| words::message_seen(&crowd.names, Some(one)));
                    return Ok(Told::Read(view, messages.collect()));
                }
                Err(status) => status,
            }
        }
    };
    match crowd.ending(&status) {
        Ending::Refused => Ok(Told::Refused(words::refusal(&status))),
        Ending::Unavailable | Ending::Expired => Err(status),
    }
}
