//! The statements, each written once, in SQLite's dialect.
//!
//! The rules that they keep, tests hold: every table in every statement, inside subqueries too,
//! carries `tenant = $1`; a set-based INSERT takes the tenant from the head row, and can be run as
//! a statement of its own, so that a distributed Postgres runs it where the tenant lies; ids, times
//! and chance are parameters; every walk goes along an index and ends at a LIMIT.
//!
//! What is spelt for [`Backend::dialect`](super::Backend::dialect) to translate: `json_array(`,
//! `json_group_array(`, `rows_of(` (a parameter's rows, the column is `value`), `elements_of(` (a
//! JSON array's elements), `numbers_of(` (a column of numbers between commas), `unhex(` (text to id), `hex(` (id to text), `nested(` (JSON from a subquery), ` FOR UPDATE`,
//! `EACH … DONE` (a join in its written order).
//!
//! `CROSS JOIN` says the order of a join, which SQLite keeps: from the few to the indexed.

#[macro_use]
mod pieces;

mod housekeeping;
mod inbox;
mod load;
mod log;
mod thread;
mod users;
mod writing;

pub(super) use self::{load::Asked, writing::SAVES};

use std::sync::Arc;

use super::Backend;
use crate::model::{Direction, Folder, InboxPage};

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        /// The statements, in one database's dialect.
        pub(crate) struct Statements {
            $($(#[$doc])* pub(in crate::store::sql) $name: Arc<str>,)*
            /// What a batch touches, by what is asked for.
            loads: Vec<Arc<str>>,
            /// The users of some numbers (`$2`).
            pub(in crate::store::sql) load_users: Arc<str>,
        }

        impl Statements {
            /// The statements as a database wants them.
            pub(crate) fn of<DB: Backend>() -> Self {
                let loads = Asked::all().map(|asked| DB::dialect(&load::load(asked)).into());
                Self {
                    loads: loads.collect(),
                    load_users: DB::dialect(&load::load_users()).into(),
                    $($name: DB::dialect($sql).into(),)*
                }
            }

            /// Waits for a tenant's turn, outside of the store.
            pub(crate) fn turn(&self) -> &Arc<str> {
                &self.take_turn
            }

            /// Marks a change that no event tells of, outside of the store.
            pub(crate) fn mark_unlogged(&self) -> &Arc<str> {
                &self.mark_unlogged
            }

            /// What loads a batch that asks for this.
            pub(in crate::store::sql) fn load(&self, asked: Asked) -> &Arc<str> {
                &self.loads[asked.index()]
            }

            /// All of them with their names, for the tests that hold the rules.
            #[cfg(test)]
            pub(crate) fn all(&self) -> Vec<(&'static str, &Arc<str>)> {
                let loads = self.loads.iter().map(|sql| ("load", sql));
                loads.chain([("load_users", &self.load_users)]).chain([$((stringify!($name), &self.$name),)*]).collect()
            }
        }
    };
}

impl Statements {
    /// What reads a page of an inbox.
    pub(in crate::store::sql) fn page_of_inbox(&self, page: InboxPage) -> &Arc<str> {
        let [first, forward, backward] = match page.folder {
            Folder::Inbox => [&self.inbox, &self.inbox_forward, &self.inbox_backward],
            Folder::Unread => [
                &self.inbox_unread,
                &self.inbox_unread_forward,
                &self.inbox_unread_backward,
            ],
            Folder::Sent => [
                &self.inbox_sent,
                &self.inbox_sent_forward,
                &self.inbox_sent_backward,
            ],
            Folder::Deleted => [
                &self.inbox_deleted,
                &self.inbox_deleted_forward,
                &self.inbox_deleted_backward,
            ],
            Folder::All => [
                &self.inbox_all,
                &self.inbox_all_forward,
                &self.inbox_all_backward,
            ],
        };
        match page.direction {
            Direction::Forward if page.from.is_none() && page.skip == 0 => first,
            Direction::Forward => forward,
            Direction::Backward => backward,
        }
    }
}

statements! {
    /// The deployment's secret.
    secret = users::SECRET;
    /// A user's counts.
    summary = users::SUMMARY;
    /// Whether a thread exists.
    has_thread = users::HAS_THREAD;
    /// Whether a user (`$2`) takes part in a thread (`$3`).
    takes_part = users::TAKES_PART;
    /// So many (`$3`) of the tenant's users, from a number on (`$2`, exclusive).
    users = users::USERS;
    /// How much a tenant holds.
    size_of_tenant = users::TENANT;
    /// How much each of so many (`$2`) tenants holds, by name, after this one (`$1`).
    sizes_of_tenants = users::TENANTS;
    /// The inbox.
    inbox = inbox::INBOX;
    /// Its further pages.
    inbox_forward = inbox::INBOX_FORWARD;
    /// The same, backwards.
    inbox_backward = inbox::INBOX_BACKWARD;
    /// The inbox's unread.
    inbox_unread = inbox::UNREAD;
    /// Its further pages.
    inbox_unread_forward = inbox::UNREAD_FORWARD;
    /// The same, backwards.
    inbox_unread_backward = inbox::UNREAD_BACKWARD;
    /// Threads in which the caller has sent something.
    inbox_sent = inbox::SENT;
    /// Its further pages.
    inbox_sent_forward = inbox::SENT_FORWARD;
    /// The same, backwards.
    inbox_sent_backward = inbox::SENT_BACKWARD;
    /// What the caller has deleted.
    inbox_deleted = inbox::DELETED;
    /// Its further pages.
    inbox_deleted_forward = inbox::DELETED_FORWARD;
    /// The same, backwards.
    inbox_deleted_backward = inbox::DELETED_BACKWARD;
    /// Everything.
    inbox_all = inbox::ALL;
    /// Its further pages.
    inbox_all_forward = inbox::ALL_FORWARD;
    /// The same, backwards.
    inbox_all_backward = inbox::ALL_BACKWARD;
    /// A thread's messages upwards from a number.
    thread_ascending = thread::THREAD_ASCENDING;
    /// A thread's messages downwards from a number.
    thread_descending = thread::THREAD_DESCENDING;
    /// The same upwards, without those of one sender.
    thread_ascending_of_others = thread::THREAD_ASCENDING_OF_OTHERS;
    /// The same downwards, without those of one sender.
    thread_descending_of_others = thread::THREAD_DESCENDING_OF_OTHERS;
    /// A point of the log: the event there, the oldest position where a reader is before it, when the next event was written.
    log_point = log::LOG_POINT;
    /// The log, for one user.
    log_of_user = log::LOG_OF_USER;
    /// The log, for whoever may see everything.
    log_of_everyone = log::LOG_OF_EVERYONE;
    /// Where the logs of several tenants (`$1`) end.
    log_heads = log::LOG_HEADS;
    /// Waits for a tenant's turn; no row: the tenant has no head yet.
    take_turn = writing::TAKE_TURN;
    /// Marks a change that no event tells of.
    mark_unlogged = writing::MARK_UNLOGGED;
    /// Makes a tenant's head.
    create_head = writing::CREATE_HEAD;
    /// Whether the log holds an event (`$3`) at a position (`$2`).
    holds_event = housekeeping::HOLDS_EVENT;
    /// The first position to keep, among the `$3` oldest: the last event older than `$2`.
    first_kept = housekeeping::FIRST_KEPT;
    /// Removes events before a position (`$2`), from the oldest on (`$3`).
    expire_events = housekeeping::EXPIRE_EVENTS;
    /// Puts aside the counts of users whom no event from a position (`$2`) on tells of anything; from the oldest
    /// on (`$3`).
    rest_mailboxes = housekeeping::REST_MAILBOXES;
    /// Removes who was told of events before a position (`$2`), from the oldest on (`$3`).
    expire_audience = housekeeping::EXPIRE_AUDIENCE;
    /// Removes request ids older than `$2`, at most `$3`.
    expire_requests = housekeeping::EXPIRE_REQUESTS;
    /// The last of so many (`$2`) tenants after this one (`$1`).
    last_of_tenants = housekeeping::LAST_OF_TENANTS;
    /// Of the tenants after one (`$1`) and up to another (`$2`): those that hold events older than `$3` (more
    /// than the one that is kept), or request ids older than `$4`.
    tenants_to_expire = housekeeping::TENANTS_TO_EXPIRE;
}
