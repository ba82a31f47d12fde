//! Random steps. Which thread or message one is about is settled when it is taken.

use proptest::{collection, option, prelude::*, sample::select};

use super::{Action, MessageNo, Tenant, Thread};

/// Who acts. The last two act seldom, so that they are written to before they are known.
pub(crate) const PEOPLE: [&str; 6] = ["ana", "ben", "Ana", "cleo", "yan", "zoe"];

/// A person's wish to do something.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) caller: &'static str,
    wish: Wish,
}

#[derive(Clone, Debug)]
enum Wish {
    Meet,
    Send {
        recipients: Vec<&'static str>,
        subject: String,
        content: String,
        request: Option<u32>,
    },
    Reply {
        thread: Pick,
        content: String,
        subject: Option<String>,
        request: Option<u32>,
    },
    Edit {
        message: Pick,
        content: String,
        expected_revision: Option<i32>,
    },
    MarkRead {
        thread: Pick,
        up_to: UpTo,
    },
    MarkUnread(Pick),
    Delete(Pick),
    Restore(Pick),
    /// Repeats a request of the caller's, its recipients in another order and form.
    Retry(usize),
}

/// Which of the things that there are by then; the number is taken modulo how many.
#[derive(Clone, Copy, Debug)]
enum Pick {
    /// The last one of the caller's in which something happened: most people's is the same.
    Busiest,
    /// One of the newest few of the caller's.
    Recent(usize),
    /// One of the caller's.
    Own(usize),
    /// One of anybody's.
    Any(usize),
    /// One that does not exist.
    Missing,
}

/// How far to mark as read.
#[derive(Clone, Copy, Debug)]
enum UpTo {
    All,
    Number(i32),
    /// So far from the newest message that the thread has when the step is settled.
    FromNewest(i32),
}

/// No thread or message has this place.
const NOWHERE: usize = usize::MAX;

impl Step {
    /// The action that the wish comes to, as things are.
    pub(crate) fn action(&self, tenant: &Tenant) -> Action {
        match self.wish.clone() {
            Wish::Meet => Action::Meet,
            Wish::Send {
                recipients,
                subject,
                content,
                request,
            } => Action::Send {
                recipients: recipients.into_iter().map(str::to_owned).collect(),
                subject,
                content,
                request,
            },
            Wish::Reply {
                thread,
                content,
                subject,
                request,
            } => Action::Reply {
                thread: self.thread(tenant, thread),
                content,
                subject,
                request,
            },
            Wish::Edit {
                message,
                content,
                expected_revision,
            } => Action::Edit {
                message: self.message(tenant, message),
                content,
                expected_revision,
            },
            Wish::MarkRead { thread, up_to } => {
                let thread = self.thread(tenant, thread);
                let state = tenant.threads.get(thread);
                let newest = state.map_or(0, Thread::newest_number);
                let up_to_number = match up_to {
                    UpTo::All => None,
                    UpTo::Number(number) => Some(number),
                    UpTo::FromNewest(distance) => Some((newest + distance).max(0)),
                };
                Action::MarkRead {
                    thread,
                    up_to_number,
                }
            }
            Wish::MarkUnread(thread) => Action::MarkUnread(self.thread(tenant, thread)),
            Wish::Delete(thread) => Action::Delete(self.thread(tenant, thread)),
            Wish::Restore(thread) => Action::Restore(self.thread(tenant, thread)),
            Wish::Retry(number) => self.retry(tenant, number),
        }
    }

    fn thread(&self, tenant: &Tenant, pick: Pick) -> usize {
        let mut own: Vec<usize> = (0..tenant.threads.len())
            .filter(|thread| tenant.place_of(self.caller, *thread).is_ok())
            .collect();
        own.sort_by_key(|thread| {
            let mut log = tenant.log.iter();
            log.rposition(|event| event.thread() == *thread)
        });
        let any = (0..tenant.threads.len()).collect();
        pick.among(own, any).unwrap_or(NOWHERE)
    }

    fn message(&self, tenant: &Tenant, pick: Pick) -> MessageNo {
        let threads = tenant.threads.iter().enumerate();
        let any: Vec<(MessageNo, &String)> = threads
            .flat_map(|(thread, state)| {
                let numbered = (1..).zip(&state.messages);
                numbered
                    .map(move |(number, message)| (MessageNo { thread, number }, &message.sender))
            })
            .collect();
        let own = any
            .iter()
            .filter(|(_, sender)| *sender == self.caller)
            .map(|(name, _)| *name)
            .collect();
        let readable = |name: &MessageNo| tenant.place_of(self.caller, name.thread).is_ok();
        let any = any
            .into_iter()
            .map(|(name, _)| name)
            // Mostly a message that the caller may read.
            .filter(|name| readable(name) || name.number == 1)
            .collect();
        let missing = MessageNo {
            thread: NOWHERE,
            number: 1,
        };
        pick.among(own, any).unwrap_or(missing)
    }

    fn retry(&self, tenant: &Tenant, number: usize) -> Action {
        let requests = tenant.requests.iter();
        let own = requests.filter(|past| past.user == self.caller);
        let asked: Vec<&Action> = own.map(|past| &past.asked).collect();
        let mut again = match asked.len() {
            0 => return Action::Meet,
            count => asked[number % count].clone(),
        };
        if let Action::Send { recipients, .. } = &mut again {
            recipients.reverse();
            recipients.push(self.caller.to_owned());
            recipients.push(recipients[0].clone());
        }
        again
    }
}

impl Pick {
    fn among<T: Clone>(self, own: Vec<T>, any: Vec<T>) -> Option<T> {
        let (things, number) = match self {
            Self::Busiest => (own[own.len().saturating_sub(1)..].to_vec(), 0),
            Self::Recent(number) => (own[own.len().saturating_sub(3)..].to_vec(), number),
            Self::Own(number) => (own, number),
            Self::Any(number) => (any, number),
            Self::Missing => return None,
        };
        (!things.is_empty()).then(|| things[number % things.len()].clone())
    }
}

/// Random steps.
pub(crate) fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => writes(picks()),
        4 => reading_marks_and_placements(picks()),
        1 => Just(Wish::Meet),
        1 => any::<usize>().prop_map(Wish::Retry),
    ]
    .prop_flat_map(by_somebody)
}

/// Random steps of a few people, all at once in one thread.
pub(crate) fn steps_in_one_thread() -> impl Strategy<Value = Step> {
    let thread = Just(Pick::Busiest).boxed();
    prop_oneof![
        2 => replies(thread.clone()),
        2 => reading_marks_and_placements(thread),
    ]
    .prop_flat_map(by_somebody)
}

fn by_somebody(wish: Wish) -> impl Strategy<Value = Step> {
    let caller = prop_oneof![
        12 => select(&PEOPLE[..4]),
        1 => select(&PEOPLE[4..]),
    ];
    caller.prop_map(move |caller| Step {
        caller,
        wish: wish.clone(),
    })
}

fn writes(picks: BoxedStrategy<Pick>) -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => (people(), subjects(), contents(), request_ids()).prop_map(
            |(recipients, subject, content, request)| Wish::Send {
                recipients,
                subject,
                content,
                request,
            }
        ),
        8 => replies(picks.clone()),
        6 => (picks, contents(), option::weighted(0.3, 1..4)).prop_map(
            |(message, content, expected_revision)| Wish::Edit {
                message,
                content,
                expected_revision,
            }
        ),
    ]
}

fn replies(picks: BoxedStrategy<Pick>) -> impl Strategy<Value = Wish> {
    let subjects = option::weighted(0.2, subjects());
    (picks, contents(), subjects, request_ids()).prop_map(|(thread, content, subject, request)| {
        Wish::Reply {
            thread,
            content,
            subject,
            request,
        }
    })
}

fn reading_marks_and_placements(picks: BoxedStrategy<Pick>) -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => (picks.clone(), numbers()).prop_map(|(thread, up_to)| Wish::MarkRead { thread, up_to }),
        2 => picks.clone().prop_map(Wish::MarkUnread),
        2 => picks.clone().prop_map(Wish::Delete),
        2 => picks.prop_map(Wish::Restore),
    ]
}

fn picks() -> BoxedStrategy<Pick> {
    prop_oneof![
        12 => Just(Pick::Busiest),
        8 => any::<usize>().prop_map(Pick::Recent),
        5 => any::<usize>().prop_map(Pick::Own),
        2 => any::<usize>().prop_map(Pick::Any),
        1 => Just(Pick::Missing),
    ]
    .boxed()
}

/// Recipients with doubles, and often the sender among them or alone.
fn people() -> impl Strategy<Value = Vec<&'static str>> {
    collection::vec(select(&PEOPLE[..]), 1..5)
}

fn subjects() -> impl Strategy<Value = String> {
    select(vec!["Plans", " plans ", "Über uns 🌍"]).prop_map(str::to_owned)
}

/// Few, so that edits and retries often bring what is there already.
fn contents() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(vec!["Lunch?", "Lunch? ", "At noon.\n\tHere.", "é"]).prop_map(str::to_owned),
        1 => (195usize..205).prop_map(|length| "🌍é".repeat(length / 2) + "."),
    ]
}

fn request_ids() -> impl Strategy<Value = Option<u32>> {
    option::weighted(0.4, 0..30u32)
}

fn numbers() -> impl Strategy<Value = UpTo> {
    prop_oneof![
        2 => Just(UpTo::All),
        3 => (0..8).prop_map(UpTo::Number),
        1 => Just(UpTo::Number(i32::MAX)),
        6 => (-3..6).prop_map(UpTo::FromNewest),
    ]
}
