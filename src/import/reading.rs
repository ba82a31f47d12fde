//! Reads the source, and hands on what is to be written piece by piece.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use tokio::sync::mpsc;

use super::{
    Error,
    account::{Findings, Repair},
    repair::{self, NO_SUBJECT, text},
    source::Source,
    tables::{Bytes, MessageRow, PersonRow, SenderRow, Tables, ThreadRow, UserRow, UserThreadRow},
};
use crate::model::{
    Import, ImportedMessage, ImportedParticipant, ImportedThread, MessageId, ProfileChange,
    TenantId, ThreadId, Time, UserId,
};

/// How many threads are looked up at once.
const THREADS: usize = 200;

/// How many users a piece holds.
const USERS: usize = 1_000;

/// How many rows of the log a piece makes, before its last message: one a message, and one for
/// each participant who is told of it.
const ROWS: usize = 4_096;

/// How much text a piece holds, in bytes, before its last message.
const BYTES: usize = 1024 * 1024;

/// Reads the source; what is to be written goes to `pieces`.
pub(super) struct Reader<'a> {
    pub(super) source: &'a mut Source,
    pub(super) tables: &'a Tables,
    pub(super) tenant: &'a TenantId,
    pub(super) findings: &'a mut Findings,
    pub(super) pieces: mpsc::Sender<Import>,
    /// The keys of those who are not there.
    pub(super) gone: HashSet<String>,
}

/// Nobody writes any more: whoever did knows why.
struct Ended;

/// What is known of a thread before its messages are read.
struct Head {
    id: ThreadId,
    row: Option<ThreadRow>,
    newest_time: Time,
    participants: Vec<ImportedParticipant>,
}

/// What is ready to be handed on.
#[derive(Default)]
struct Piece {
    import: Import,
    rows: usize,
    bytes: usize,
}

/// The thread whose messages are being read.
struct Open {
    key: i64,
    thread: ImportedThread,
    last_sender: UserId,
    last_time: Time,
}

impl Reader<'_> {
    /// Reads users and threads; ends early where nobody takes the pieces.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        self.users().await?;
        let order = order(self.source).await?;
        self.findings.threads = order.len() as u64;
        for keys in order.chunks(THREADS) {
            let heads = self.heads(keys).await?;
            if self.messages(keys, heads).await?.is_err() {
                break;
            }
        }
        let gone = self.gone.len() as u64;
        self.findings.repairs(Repair::GoneUser, gone);
        Ok(())
    }

    async fn users(&mut self) -> Result<(), Error> {
        let sql = self.tables.users(self.source);
        let mut rows = self.source.stream::<UserRow>(sql);
        let mut import = Import::default();
        while let Some((key, value, first, last, email)) =
            rows.try_next().await.map_err(Error::Read)?
        {
            let [key, value, first, last, email] =
                [key, value, first, last, email].map(|bytes| text(bytes, self.findings));
            let (id, usable) = self.tables.ids.of(&key, &value);
            self.findings.repairs(Repair::UserId, u64::from(!usable));
            let profile = ProfileChange::new(Some(&first), Some(&last), Some(&email));
            import.users.push((id, profile));
            if import.users.len() == USERS
                && self.pieces.send(std::mem::take(&mut import)).await.is_err()
            {
                return Ok(());
            }
        }
        // Whoever waits no more has said why.
        let _ = self.pieces.send(import).await;
        Ok(())
    }

    /// What is known of these threads before their messages are read.
    async fn heads(&mut self, keys: &[i64]) -> Result<HashMap<i64, Head>, Error> {
        let rows = threads(self.source, self.tenant, keys).await?;
        let mut heads: HashMap<i64, Head> = rows
            .into_iter()
            .map(|(key, id, row)| {
                let head = Head {
                    id,
                    row,
                    newest_time: Time(i64::MIN),
                    participants: Vec::new(),
                };
                (key, head)
            })
            .collect();

        let sql = self.tables.user_threads(self.source, keys);
        for (thread, key, is_there, value, unread, deleted) in
            self.source.rows::<UserThreadRow>(sql).await?
        {
            let user = self.person((key, is_there, value));
            let row = ImportedParticipant {
                user,
                // What is deleted is not unread in the package.
                unread: unread != 0,
                deleted: deleted != 0,
            };
            if let Some(head) = heads.get_mut(&thread)
                && !head.add(row)
            {
                self.findings.repair(Repair::RowsOfOneUser);
            }
        }

        let sql = self.tables.senders(self.source, keys);
        for (thread, key, is_there, value, newest) in self.source.rows::<SenderRow>(sql).await? {
            let user = self.person((key, is_there, value));
            let Some(head) = heads.get_mut(&thread) else {
                continue;
            };
            if let Some(newest) = repair::time(newest.as_deref()) {
                head.newest_time = head.newest_time.max(newest);
            }
            if head.participants.iter().all(|part| part.user != user) {
                self.findings.repair(Repair::Stranger);
                head.participants.push(ImportedParticipant {
                    user,
                    unread: false,
                    deleted: true,
                });
            }
        }
        Ok(heads)
    }

    async fn messages(
        &mut self,
        keys: &[i64],
        mut heads: HashMap<i64, Head>,
    ) -> Result<Result<(), Ended>, Error> {
        let sql = self.tables.messages(self.source, keys);
        let mut rows = self.source.stream::<MessageRow>(sql);
        let mut piece = Piece::default();
        let mut open: Option<Open> = None;
        while let Some((thread, key, uuid, of, is_there, value, time, content)) =
            rows.try_next().await.map_err(Error::Read)?
        {
            let sender = person(
                self.tables,
                self.findings,
                &mut self.gone,
                (of, is_there, value),
            );
            if open.as_ref().is_none_or(|open| open.key != thread) {
                piece.take_in(open.take(), self.findings);
                let head = heads.remove(&thread);
                open = head.map(|head| head.opened(thread, &sender, self.findings));
            }
            let Some(open) = open.as_mut() else {
                continue;
            };
            let time = repair::time(time.as_deref()).unwrap_or_else(|| {
                self.findings.repair(Repair::Time);
                open.last_time
            });
            open.last_time = time;
            open.last_sender.clone_from(&sender);
            let (key, uuid) = (key.to_string(), bare(uuid, self.findings));
            let contents = repair::contents(text(content, self.findings), self.findings);
            self.findings.parts += contents.len() as u64 - 1;
            for (content, part) in contents.into_iter().zip(0..) {
                let part = i32::to_string(&part);
                let id = repair::id(self.tenant, "message", &[&key, &uuid, &part], time);
                piece.rows += 1 + open.thread.participants.len();
                piece.bytes += content.as_str().len();
                open.thread.messages.push(ImportedMessage {
                    id: MessageId(id),
                    sender: sender.clone(),
                    content,
                    send_time: time,
                });
            }
            if piece.rows >= ROWS || piece.bytes >= BYTES {
                let so_far = open.so_far();
                let mut full = std::mem::take(&mut piece);
                full.import.threads.push(so_far);
                if self.pieces.send(full.import).await.is_err() {
                    return Ok(Err(Ended));
                }
            }
        }
        piece.take_in(open, self.findings);
        Ok(self.pieces.send(piece.import).await.map_err(|_| Ended))
    }

    fn person(&mut self, row: PersonRow) -> UserId {
        person(self.tables, self.findings, &mut self.gone, row)
    }
}

/// The keys of the threads that have messages, in the order in which they are imported.
pub(super) async fn order(source: &mut Source) -> Result<Vec<i64>, Error> {
    let keys = source.stream::<(i64,)>(Tables::order());
    let keys = keys.map_ok(|(key,)| key).try_collect();
    keys.await.map_err(Error::Read)
}

/// The ids of these threads, each with its row, where it is there.
pub(super) async fn threads(
    source: &mut Source,
    tenant: &TenantId,
    keys: &[i64],
) -> Result<Vec<(i64, ThreadId, Option<ThreadRow>)>, Error> {
    let rows: Vec<ThreadRow> = source.rows(Tables::threads(source, keys)).await?;
    let mut rows: HashMap<i64, ThreadRow> = rows.into_iter().map(|row| (row.0, row)).collect();
    let named = keys.iter().map(|key| {
        let row = rows.remove(key);
        let (uuid, created) = match &row {
            // What is repaired in a UUID shows nowhere.
            Some((_, uuid, _, created, _)) => (
                bare(uuid.clone(), &mut Findings::default()),
                repair::time(created.as_deref()),
            ),
            None => (String::new(), None),
        };
        let time = created.unwrap_or(Time(0));
        let id = repair::id(tenant, "thread", &[&key.to_string(), &uuid], time);
        (*key, ThreadId(id), row)
    });
    Ok(named.collect())
}

/// A UUID, the same whichever database kept it.
fn bare(uuid: Bytes, findings: &mut Findings) -> String {
    text(uuid, findings).replace('-', "").to_ascii_lowercase()
}

/// Whose row it is.
fn person(
    tables: &Tables,
    findings: &mut Findings,
    gone: &mut HashSet<String>,
    (key, is_there, value): PersonRow,
) -> UserId {
    let key = text(key, findings);
    if is_there == 0 {
        let id = tables.ids.of_gone(&key);
        gone.insert(key);
        return id;
    }
    let value = text(value, findings);
    tables.ids.of(&key, &value).0
}

impl Head {
    /// Adds a participant; false: somebody who is there already.
    fn add(&mut self, row: ImportedParticipant) -> bool {
        let mut participants = self.participants.iter_mut();
        let Some(part) = participants.find(|part| part.user == row.user) else {
            self.participants.push(row);
            return true;
        };
        // The row that lies in the inbox says whether it is unread there.
        part.unread = match (part.deleted, row.deleted) {
            (true, false) => row.unread,
            (false, true) => part.unread,
            _ => part.unread || row.unread,
        };
        part.deleted &= row.deleted;
        false
    }

    /// Begins with the messages, the first of which is the starter's.
    fn opened(mut self, key: i64, starter: &UserId, findings: &mut Findings) -> Open {
        let is_starter = |part: &ImportedParticipant| part.user == *starter;
        if let Some(index) = self.participants.iter().position(is_starter) {
            self.participants[..=index].rotate_right(1);
        }
        let (subject, modified) = if let Some((_, _, subject, _, modified)) = self.row {
            (text(subject, findings), repair::time(modified.as_deref()))
        } else {
            findings.repair(Repair::GoneThread);
            (NO_SUBJECT.to_owned(), None)
        };
        Open {
            key,
            last_sender: starter.clone(),
            last_time: Time(0),
            thread: ImportedThread {
                id: self.id,
                subject: repair::subject(subject, findings),
                update_time: modified.unwrap_or(self.newest_time),
                newest_time: self.newest_time,
                participants: self.participants,
                messages: Vec::new(),
            },
        }
    }
}

impl Open {
    /// The messages read so far; the thread goes on.
    fn so_far(&mut self) -> ImportedThread {
        let messages = std::mem::take(&mut self.thread.messages);
        ImportedThread {
            messages,
            ..self.thread.clone()
        }
    }
}

impl Piece {
    /// Takes in a thread that has been read.
    fn take_in(&mut self, open: Option<Open>, findings: &mut Findings) {
        let Some(Open {
            thread,
            last_sender,
            ..
        }) = open
        else {
            return;
        };
        let mut unread = thread.participants.iter().filter(|part| part.unread);
        if unread.any(|part| part.user == last_sender) {
            findings.repair(Repair::NothingOfOthers);
        }
        if !thread.messages.is_empty() {
            self.import.threads.push(thread);
        }
    }
}
