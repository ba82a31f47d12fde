//! Pages: from an answer's JSON to threads and messages.
//!
//! A row is a text of numbers and then the texts that belong to it; people are numbers in it, and
//! told of once.

use std::{collections::HashMap, str::SplitAsciiWhitespace};

use serde::Deserialize;
use uuid::Uuid;

use super::rows::{HeadRow, List, placement};
use crate::{
    model::{
        Mailbox, MessageId, MessageView, Profile, ThreadId, ThreadSummary, ThreadView, Time, User,
        UserId,
    },
    store::{Error, Result},
};

/// A page of an inbox.
#[derive(Deserialize)]
pub(super) struct InboxAnswer<'a> {
    pub(super) head: Option<HeadRow>,
    pub(super) mailbox: Option<Mailbox>,
    pub(super) behind: i64,
    #[serde(borrow)]
    pub(super) threads: List<ThreadRow<'a>>,
    parts: Option<&'a str>,
    users: List<UserRow>,
}

impl InboxAnswer<'_> {
    pub(super) fn people(&mut self) -> Result<People> {
        People::new(self.parts, self.users.take())
    }
}

/// A page of a thread.
#[derive(Deserialize)]
pub(super) struct ThreadAnswer<'a> {
    pub(super) head: Option<HeadRow>,
    pub(super) behind: i64,
    /// One, or none where the caller takes no part in it.
    #[serde(borrow)]
    pub(super) threads: List<ThreadRow<'a>>,
    parts: Option<&'a str>,
    users: List<UserRow>,
    #[serde(borrow)]
    pub(super) messages: List<MessageRow<'a>>,
}

impl ThreadAnswer<'_> {
    pub(super) fn people(&mut self) -> Result<People> {
        People::new(self.parts, self.users.take())
    }
}

/// A user's number, id and profile.
#[derive(Deserialize)]
struct UserRow(i64, UserId, Profile);

/// A thread: numbers, subject, and the newest message's snippet.
#[derive(Deserialize)]
pub(super) struct ThreadRow<'a>(&'a str, String, String);

impl ThreadRow<'_> {
    /// The thread as its viewer sees it, with the position that orders it.
    pub(super) fn view(self, people: &People) -> Result<(i64, ThreadView)> {
        let Self(numbers, subject, snippet) = self;
        let mut numbers = Numbers::of(numbers);
        let position = numbers.next()?;
        let id = ThreadId(numbers.id()?);
        let (create_time, update_time) = (numbers.time()?, numbers.time()?);
        let (starter, message_count, viewer): (i64, _, i64) =
            (numbers.next()?, numbers.next()?, numbers.next()?);
        let view = ThreadView {
            placement: placement(numbers.next()?)?,
            read_number: numbers.next()?,
            unread_count: numbers.next()?,
            first_message_time: create_time,
            last_sender: people.user(numbers.next()?)?,
            last_message_time: numbers.time()?,
            snippet,
            started_by_viewer: starter == viewer,
            thread: ThreadSummary {
                id,
                subject,
                create_time,
                update_time,
                participants: people.of_thread(position)?,
                message_count,
            },
        };
        Ok((position, view))
    }
}

/// A message: numbers and content, none where the page was full before it.
#[derive(Deserialize)]
pub(super) struct MessageRow<'a>(&'a str, Option<String>);

impl MessageRow<'_> {
    pub(super) fn number(&self) -> Result<i32> {
        let mut numbers = Numbers::of(self.0);
        numbers.id()?;
        numbers.next()
    }

    /// The message; none where there is no content.
    pub(super) fn view(self, thread: ThreadId, people: &People) -> Result<Option<MessageView>> {
        let Some(content) = self.1 else {
            return Ok(None);
        };
        let mut numbers = Numbers::of(self.0);
        Ok(Some(MessageView {
            id: MessageId(numbers.id()?),
            thread,
            number: numbers.next()?,
            sender: people.user(numbers.next()?)?,
            revision: numbers.next()?,
            send_time: numbers.time()?,
            edit_time: numbers.0.next().map(time).transpose()?,
            content,
        }))
    }
}

/// The people of a page.
pub(super) struct People {
    users: HashMap<i64, User>,
    /// The participants of each thread, in their order, by the thread's position.
    threads: HashMap<i64, Vec<(i64, i64)>>,
}

impl People {
    /// From who takes part (position, place and number, again and again) and the users.
    fn new(parts: Option<&str>, users: List<UserRow>) -> Result<Self> {
        let users = users.unwrap_or_default().into_iter();
        let users = users.map(|UserRow(number, id, profile)| (number, User { id, profile }));
        let mut threads: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        let mut numbers = Numbers::of(parts.unwrap_or_default());
        while let Some(position) = numbers.0.next() {
            let part = (numbers.next()?, numbers.next()?);
            threads.entry(int(position)?).or_default().push(part);
        }
        for participants in threads.values_mut() {
            participants.sort_unstable();
        }
        Ok(Self {
            users: users.collect(),
            threads,
        })
    }

    fn user(&self, number: i64) -> Result<User> {
        let user = self.users.get(&number).cloned();
        user.ok_or_else(|| Error::defect("a number without a user"))
    }

    fn of_thread(&self, position: i64) -> Result<Vec<User>> {
        let participants = self.threads.get(&position).into_iter().flatten();
        participants.map(|(_, number)| self.user(*number)).collect()
    }
}

/// Numbers, one after the other, between spaces.
struct Numbers<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Numbers<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.split_ascii_whitespace())
    }

    fn word(&mut self) -> Result<&'a str> {
        self.0
            .next()
            .ok_or_else(|| Error::defect("a number is missing"))
    }

    fn next<T: TryFrom<i64>>(&mut self) -> Result<T> {
        let number = int(self.word()?)?;
        T::try_from(number).map_err(|_| Error::defect("a number is too large"))
    }

    fn time(&mut self) -> Result<Time> {
        time(self.word()?)
    }

    fn id(&mut self) -> Result<Uuid> {
        Uuid::try_parse(self.word()?).map_err(Error::defect)
    }
}

fn int(text: &str) -> Result<i64> {
    text.parse().map_err(Error::defect)
}

fn time(text: &str) -> Result<Time> {
    int(text).map(Time)
}
