//! The words of private messaging, and its rules.
//!
//! Everything here is plain data and pure functions: no I/O, no clock, no chance, and no word
//! of gRPC or SQL. [`decide`](State::decide) is the only place where the rules of writing live;
//! both databases, the tests and the importer go through it.

mod admin;
mod command;
mod decide;
mod error;
mod event;
mod id;
mod import;
mod log;
mod mailbox;
mod message;
mod page;
mod request;
mod state;
mod text;
mod thread;
mod time;
mod user;

pub use admin::{ChangeUsers, Sizes, TenantPage, TenantSummary, UserChange, UserFilter, UserRows};
pub use command::{Command, Edit, MarkRead, Needs, Reply, Send};
pub use decide::{Context, Outcome, Policy};
pub use error::Refusal;
pub use event::{Event, EventKind, EventKinds};
pub use id::{EventId, Ids, MessageId, RequestId, TenantId, ThreadId, UserId};
pub use import::{Import, Imported, ImportedMessage, ImportedParticipant, ImportedThread};
pub use log::{Encodings, EventBody, LogPage, LogPosition, LogReader, LogRows, LoggedEvent};
pub use mailbox::Mailbox;
pub use message::{Message, MessageView, Revision};
pub use page::{
    Direction, Edition, Folder, InboxPage, InboxRows, MessageOrder, PageRead, Summary, ThreadPage,
    ThreadRows,
};
pub use request::{Fingerprint, FingerprintKey, PastRequest, RequestKey};
pub use state::{Changes, Loaded, State};
pub use text::{Content, Subject, snippet};
pub use thread::{
    LastMessage, Participant, Placement, Thread, ThreadState, ThreadSummary, ThreadView,
};
pub use time::{Clock, Time};
pub use user::{Profile, ProfileChange, ProfileClaim, User, UserRecord};
