//! What was found, and what became of it.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use crate::model::Imported;

/// What is not as it should be, and is put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Repair {
    RowsOfOneUser,
    Stranger,
    NothingOfOthers,
    GoneUser,
    UserId,
    GoneThread,
    BlankSubject,
    LongSubject,
    ControlCharacters,
    BlankContent,
    LongContent,
    Nul,
    Encoding,
    Time,
}

impl Repair {
    fn words(self) -> &'static str {
        match self {
            Self::RowsOfOneUser => {
                "further rows of the same user in the same thread: merged; in the inbox where one \
                 of them is, and unread where one of these is"
            }
            Self::Stranger => {
                "senders who take no part in their thread: take part, with the thread in their \
                 deleted folder"
            }
            Self::NothingOfOthers => "threads unread by the sender of their newest message: read",
            Self::GoneUser => "users who are gone, but not what they took part in: kept, unnamed",
            Self::UserId => "users whose id no caller can have: called django: and their key",
            Self::GoneThread => {
                "threads that are gone, but not their messages: kept, as \"(no subject)\""
            }
            Self::BlankSubject => "blank subjects: \"(no subject)\"",
            Self::LongSubject => "subjects over 150 characters: cut",
            Self::ControlCharacters => "subjects with control characters: spaces instead",
            Self::BlankContent => "blank messages: \"(no text)\"",
            Self::LongContent => {
                "messages over 65,536 bytes: cut into several, one after the other"
            }
            Self::Nul => "messages with NUL characters: without them",
            Self::Encoding => "texts that are not UTF-8: the character U+FFFD where they are not",
            Self::Time => "times that are none: that of the message before",
        }
    }
}

/// What is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Skip {
    EmptyThread,
    RowOfEmptyThread,
}

impl Skip {
    fn words(self) -> &'static str {
        match self {
            Self::EmptyThread => "threads without a message, of which Letterbox has none",
            Self::RowOfEmptyThread => "rows of users in threads without a message, or in none",
        }
    }
}

/// How much there is in the source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) users: u64,
    pub(super) threads: u64,
    pub(super) user_threads: u64,
    pub(super) messages: u64,
}

/// What reading comes to.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) found: Found,
    /// Threads that have messages.
    pub(super) threads: u64,
    /// Messages that the parts of long ones come to, besides the first.
    pub(super) parts: u64,
    pub(super) repairs: BTreeMap<Repair, u64>,
    pub(super) skipped: BTreeMap<Skip, u64>,
}

impl Findings {
    pub(super) fn repair(&mut self, repair: Repair) {
        self.repairs(repair, 1);
    }

    pub(super) fn repairs(&mut self, repair: Repair, count: u64) {
        if count > 0 {
            *self.repairs.entry(repair).or_default() += count;
        }
    }

    pub(super) fn skip(&mut self, skip: Skip, count: u64) {
        if count > 0 {
            self.skipped.insert(skip, count);
        }
    }
}

/// The final account of an import.
#[derive(Debug)]
pub struct Account {
    pub(super) findings: Findings,
    /// None: nothing was to be written.
    pub(super) imported: Option<Imported>,
}

impl Account {
    /// Whether all that was found is accounted for.
    pub fn adds_up(&self) -> bool {
        let wanted = self.findings.found.messages + self.findings.parts;
        self.imported.is_none_or(|imported| {
            let Imported {
                messages,
                messages_there,
                messages_of_strangers,
                ..
            } = imported;
            messages + messages_there + messages_of_strangers == wanted
        })
    }
}

impl Display for Account {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Findings {
            found,
            threads,
            parts,
            repairs,
            skipped,
        } = &self.findings;
        let Found {
            users,
            threads: all_threads,
            user_threads,
            messages,
        } = found;
        writeln!(
            formatter,
            "found: {users} users, {all_threads} threads, {user_threads} rows of users in threads, \
             {messages} messages"
        )?;
        match &self.imported {
            None => writeln!(formatter, "imported: nothing (--dry-run)")?,
            Some(imported) => {
                writeln!(
                    formatter,
                    "imported: {} users, {} threads, {} messages",
                    imported.users, imported.threads, imported.messages
                )?;
                writeln!(
                    formatter,
                    "there already: {} users, {} threads, {} messages",
                    users.saturating_sub(imported.users),
                    threads.saturating_sub(imported.threads),
                    imported.messages_there
                )?;
            }
        }
        if *parts > 0 {
            writeln!(
                formatter,
                "of the messages {parts} are the further parts of long ones"
            )?;
        }
        for (repair, count) in repairs {
            writeln!(formatter, "repaired: {count} {}", repair.words())?;
        }
        for (skip, count) in skipped {
            writeln!(formatter, "skipped: {count} {}", skip.words())?;
        }
        let strangers = self.imported.map_or(0, |all| all.messages_of_strangers);
        if strangers > 0 {
            writeln!(
                formatter,
                "skipped: {strangers} messages of users who have joined a thread since an earlier \
                 run imported it"
            )?;
        }
        Ok(())
    }
}
