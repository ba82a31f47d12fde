//! What clients do, by chance.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select, subsequence},
};

use crate::reference::{Action, Folder, Kind, Order, PEOPLE, Step, steps, steps_in_one_thread};

/// Something that a client of a tenant does.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// Changes something.
    Take(Step),
    /// Asks for something that breaks a rule of form, or nearly does.
    TakeSpoiled(Step, Flaw),
    /// Several people change something at the same time.
    TakeAtOnce(Vec<Step>),
    /// The clock jumps by so many microseconds.
    Jump(i64),
    Summary(&'static str),
    List {
        user: &'static str,
        folder: Folder,
        skip: usize,
        sizes: Vec<usize>,
    },
    Read {
        user: &'static str,
        thread: Index,
        order: Order,
        exclude_sender: Option<&'static str>,
        start_number: i32,
        mark_read: bool,
        sizes: Vec<usize>,
    },
    /// Begins one more watch, after some token or from now on.
    Watch(WatchWish, Option<Index>),
    /// Receives some events of a watch that stands.
    Receive(Index, usize),
    /// Resumes a watch that stands from its last token.
    Resume(Index),
    /// Resumes from a token of the other tenant.
    ResumeElsewhere(Index),
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flaw {
    Content(&'static str, usize),
    Subject(&'static str, usize),
    Recipient(&'static str),
    Nobody,
    Negative,
}

impl Flaw {
    /// Gives an action this flaw, where it can have it.
    pub(super) fn spoil(self, action: &mut Action) {
        match (self, action) {
            (
                Self::Content(text, times),
                Action::Send { content, .. }
                | Action::Reply { content, .. }
                | Action::Edit { content, .. },
            ) => *content = text.repeat(times),
            (Self::Subject(text, times), Action::Send { subject, .. }) => {
                *subject = text.repeat(times);
            }
            (Self::Subject(text, times), Action::Reply { subject, .. }) => {
                *subject = Some(text.repeat(times));
            }
            (Self::Recipient(name), Action::Send { recipients, .. }) => {
                recipients.push(name.to_owned());
            }
            (Self::Nobody, Action::Send { recipients, .. }) => recipients.clear(),
            (
                Self::Negative,
                Action::MarkRead {
                    up_to_number: number,
                    ..
                }
                | Action::Edit {
                    expected_revision: number,
                    ..
                },
            ) => *number = Some(-1),
            _ => {}
        }
    }
}

/// What a new watch is to ask for.
#[derive(Clone, Debug)]
pub(super) struct WatchWish {
    /// Nobody: all users.
    pub(super) user: Option<&'static str>,
    pub(super) thread: Option<Index>,
    pub(super) kinds: Vec<Kind>,
}

impl WatchWish {
    pub(super) const ALL_USERS: Self = Self {
        user: None,
        thread: None,
        kinds: Vec::new(),
    };
}

/// Random moves.
pub(super) fn moves() -> impl Strategy<Value = Move> {
    let step = || prop_oneof![3 => steps(), 1 => steps_in_one_thread()];
    prop_oneof![
        24 => step().prop_map(Move::Take),
        3 => (step(), flaws()).prop_map(|(step, flaw)| Move::TakeSpoiled(step, flaw)),
        3 => vec(step(), 2..6).prop_map(Move::TakeAtOnce),
        8 => (-400..600i64).prop_map(Move::Jump),
        2 => people().prop_map(Move::Summary),
        4 => lists(),
        4 => reads(),
        1 => (watch_wishes(), option::weighted(0.8, any::<Index>()))
            .prop_map(|(wish, token)| Move::Watch(wish, token)),
        3 => (any::<Index>(), 1..10usize).prop_map(|(watch, count)| Move::Receive(watch, count)),
        1 => any::<Index>().prop_map(Move::Resume),
        1 => any::<Index>().prop_map(Move::ResumeElsewhere),
    ]
}

/// Flaws, and requests that are just good enough.
fn flaws() -> impl Strategy<Value = Flaw> {
    select(vec![
        Flaw::Content("", 1),
        Flaw::Content(" \u{3000}", 2),
        Flaw::Content("a\0", 1),
        Flaw::Content("é", 32_769),
        // Three times, so that now and then watchers have more before them than they can hold.
        Flaw::Content("é", 32_768),
        Flaw::Content("é", 32_768),
        Flaw::Content("é", 32_768),
        Flaw::Subject("", 1),
        Flaw::Subject("\u{2003}", 3),
        Flaw::Subject("a\tb", 1),
        Flaw::Subject("é", 151),
        Flaw::Subject("é", 150),
        Flaw::Recipient(""),
        Flaw::Recipient("a b"),
        Flaw::Recipient("añ"),
        Flaw::Recipient("letterbox:ana"),
        Flaw::Nobody,
        Flaw::Negative,
    ])
}

fn people() -> impl Strategy<Value = &'static str> {
    select(&PEOPLE[..])
}

fn lists() -> impl Strategy<Value = Move> {
    let skip = prop_oneof![1 => Just(0), 1 => 0..20usize];
    let folder = select(&Folder::EVERY[..]);
    (people(), folder, skip, sizes()).prop_map(|(user, folder, skip, sizes)| Move::List {
        user,
        folder,
        skip,
        sizes,
    })
}

/// Sizes of pages, small ones and, so that a walk gets done, larger ones.
fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1 => 1..4usize, 1 => 1..20usize], 1..4)
}

fn reads() -> impl Strategy<Value = Move> {
    (
        people(),
        any::<Index>(),
        select(&[Order::OldestFirst, Order::NewestFirst][..]),
        option::weighted(0.3, people()),
        prop_oneof![2 => Just(0), 1 => 1..12],
        any::<bool>(),
        sizes(),
    )
        .prop_map(
            |(user, thread, order, exclude_sender, start_number, mark_read, sizes)| Move::Read {
                user,
                thread,
                order,
                exclude_sender,
                start_number,
                mark_read,
                sizes,
            },
        )
}

const KINDS: [Kind; 3] = [Kind::Sent, Kind::Edited, Kind::Changed];

/// Random watches.
pub(super) fn watch_wishes() -> impl Strategy<Value = WatchWish> {
    (
        option::weighted(0.8, people()),
        option::weighted(0.2, any::<Index>()),
        prop_oneof![
            1 => Just(Vec::new()),
            1 => subsequence(KINDS.to_vec(), 1..=KINDS.len()),
        ],
    )
        .prop_map(|(user, thread, kinds)| WatchWish {
            user,
            thread,
            kinds,
        })
}
