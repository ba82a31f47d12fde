//! Pages: from an answer to threads and messages.
//!
//! The rows of a list are two texts: their numbers, and one after the other the texts that belong to
//! them, whose lengths are among the numbers. People are numbers too, and told of once.

use std::{collections::HashMap, str::SplitAsciiWhitespace};

use serde::Deserialize;
use uuid::Uuid;

use super::rows::{EditionRow, HeadRow, List, parse, placement};
use crate::{
    model::{
        Mailbox, MessageId, MessageView, Profile, ThreadId, ThreadSummary, ThreadView, Time, User,
        UserId,
    },
    store::{Error, Result},
};

/// A page of an inbox.
pub(super) struct InboxAnswer<'a> {
    pub(super) head: Option<HeadRow>,
    pub(super) edition: Option<EditionRow>,
    pub(super) mailbox: Option<Mailbox>,
    pub(super) behind: i64,
    users: List<UserRow>,
    rows: &'a str,
    texts: &'a str,
}

impl<'a> InboxAnswer<'a> {
    pub(super) fn of(answer: &'a str) -> Result<Self> {
        let [one, rows, texts] = fields(answer)?;
        let (head, edition, mailbox, behind, users) = parse(one)?;
        Ok(Self {
            head,
            edition,
            mailbox,
            behind,
            users,
            rows,
            texts,
        })
    }

    /// The threads, each with the position that orders it.
    pub(super) fn threads(&mut self) -> Result<Vec<(i64, ThreadView)>> {
        let people = People::new(self.users.take());
        threads(&mut Numbers::of(self.rows), &mut Texts(self.texts), &people)
    }
}

/// A page of a thread.
pub(super) struct ThreadAnswer<'a> {
    pub(super) head: Option<HeadRow>,
    pub(super) edition: Option<EditionRow>,
    /// Whether something lies behind the page; none where its numbers tell.
    pub(super) behind: Option<i64>,
    users: List<UserRow>,
    /// One, or none where the caller takes no part in it.
    rows: &'a str,
    messages: &'a str,
    texts: &'a str,
}

impl<'a> ThreadAnswer<'a> {
    pub(super) fn of(answer: &'a str) -> Result<Self> {
        let [one, rows, messages, texts] = fields(answer)?;
        let (head, edition, behind, users) = parse(one)?;
        Ok(Self {
            head,
            edition,
            behind,
            users,
            rows,
            messages,
            texts,
        })
    }

    /// The thread, and its messages; none to whoever takes no part in it.
    pub(super) fn thread(&mut self) -> Result<Option<(ThreadView, Vec<MessageRow>)>> {
        let people = People::new(self.users.take());
        let mut texts = Texts(self.texts);
        let threads = threads(&mut Numbers::of(self.rows), &mut texts, &people);
        let Some((_, view)) = threads?.pop() else {
            return Ok(None);
        };
        let mut numbers = Numbers::of(self.messages);
        let messages = messages(&mut numbers, &mut texts, view.thread.id, &people)?;
        Ok(Some((view, messages)))
    }
}

/// An answer's fields; the last may hold anything.
fn fields<const COUNT: usize>(answer: &str) -> Result<[&str; COUNT]> {
    let mut fields = [""; COUNT];
    let mut parts = answer.splitn(COUNT, '\u{1e}');
    for field in &mut fields {
        let part = parts.next();
        *field = part.ok_or_else(|| Error::defect("a field is missing"))?;
    }
    Ok(fields)
}

/// Texts, one after the other.
struct Texts<'a>(&'a str);

impl<'a> Texts<'a> {
    /// The next one, of so many bytes; none where the page ends before it does.
    fn next(&mut self, bytes: usize) -> Option<&'a str> {
        let next = self.0.split_at_checked(bytes);
        let (text, rest) = next.unwrap_or_default();
        self.0 = rest;
        next.map(|_| text)
    }
}

/// A user's number, id and profile.
#[derive(Deserialize)]
struct UserRow(i64, UserId, Profile);

/// Threads as their viewer sees them, each with the position that orders it.
fn threads(
    numbers: &mut Numbers<'_>,
    texts: &mut Texts<'_>,
    people: &People,
) -> Result<Vec<(i64, ThreadView)>> {
    let mut threads = Vec::new();
    while let Some(position) = numbers.0.next() {
        let position = int(position)?;
        let id = ThreadId(numbers.id()?);
        let (create_time, update_time) = (numbers.time()?, numbers.time()?);
        let (starter, message_count, viewer): (i64, _, i64) =
            (numbers.next()?, numbers.next()?, numbers.next()?);
        let placement = placement(numbers.next()?)?;
        let (read_number, unread_count) = (numbers.next()?, numbers.next()?);
        let (last_sender, last_message_time) = (people.user(numbers.next()?)?, numbers.time()?);
        let participants = people.between_commas(numbers.word()?)?;
        let mut text = || -> Result<String> {
            let text = texts.next(numbers.next()?);
            let text = text.ok_or_else(|| Error::defect("a text is missing"))?;
            Ok(text.to_owned())
        };
        let (subject, snippet) = (text()?, text()?);
        let view = ThreadView {
            placement,
            read_number,
            unread_count,
            first_message_time: create_time,
            last_sender,
            last_message_time,
            snippet,
            started_by_viewer: starter == viewer,
            thread: ThreadSummary {
                id,
                subject,
                create_time,
                update_time,
                participants,
                message_count,
            },
        };
        threads.push((position, view));
    }
    Ok(threads)
}

/// A message's number, and the message; none where the page was full before it.
pub(super) type MessageRow = (i32, Option<MessageView>);

fn messages(
    numbers: &mut Numbers<'_>,
    texts: &mut Texts<'_>,
    thread: ThreadId,
    people: &People,
) -> Result<Vec<MessageRow>> {
    let mut messages = Vec::new();
    while let Some(id) = numbers.0.next() {
        let id = MessageId(uuid(id)?);
        let number = numbers.next()?;
        let sender = numbers.next()?;
        let revision = numbers.next()?;
        let send_time = numbers.time()?;
        let edit_time = Some(numbers.time()?).filter(|time| time.0 != 0);
        let Some(content) = texts.next(numbers.next()?) else {
            messages.push((number, None));
            continue;
        };
        let message = MessageView {
            id,
            thread,
            number,
            sender: people.user(sender)?,
            revision,
            send_time,
            edit_time,
            content: content.to_owned(),
        };
        messages.push((number, Some(message)));
    }
    Ok(messages)
}

/// The people of a page, by their numbers.
struct People(HashMap<i64, User>);

impl People {
    fn new(users: List<UserRow>) -> Self {
        let users = users.unwrap_or_default().into_iter();
        Self(
            users
                .map(|UserRow(number, id, profile)| (number, User { id, profile }))
                .collect(),
        )
    }

    fn user(&self, number: i64) -> Result<User> {
        let user = self.0.get(&number).cloned();
        user.ok_or_else(|| Error::defect("a number without a user"))
    }

    /// Those whose numbers these are.
    fn between_commas(&self, numbers: &str) -> Result<Vec<User>> {
        numbers
            .split(',')
            .map(|number| self.user(int(number)?))
            .collect()
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
        int(self.word()?).map(Time)
    }

    fn id(&mut self) -> Result<Uuid> {
        uuid(self.word()?)
    }
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(Error::defect)
}

fn int(text: &str) -> Result<i64> {
    text.parse().map_err(Error::defect)
}
