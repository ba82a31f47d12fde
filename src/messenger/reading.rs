//! The use cases that read.

use super::{Caller, Error, Messenger};
use crate::model::{
    Command, InboxPage, InboxRows, MarkRead, MessageView, Refusal, Summary, ThreadPage, ThreadRows,
    ThreadSummary, ThreadView, User,
};

/// How large a page gets at most, in bytes of its encoded form; it ends early rather than exceed
/// this. Clients take 4 MiB by default.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How to read a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadThread {
    /// Which page.
    pub page: ThreadPage,
    /// Whether what is returned counts as read.
    pub mark_read: bool,
}

impl Messenger {
    /// A page of the caller's threads.
    pub async fn inbox(&self, caller: &Caller, page: InboxPage) -> Result<InboxRows, Error> {
        self.meet(caller).await?;
        let rows = self.store.inbox_page(&caller.tenant, &caller.user, page);
        let mut rows = rows.await?;
        let sizes = rows.threads.iter().map(|(_, view)| view_bytes(view));
        let fitting = how_many_fit(sizes, PAGE_BYTES_MAX);
        rows.more |= fitting < rows.threads.len();
        rows.threads.truncate(fitting);
        Ok(rows)
    }

    /// The caller's counts.
    pub async fn summary(&self, caller: &Caller) -> Result<Summary, Error> {
        self.meet(caller).await?;
        Ok(self.store.summary(&caller.tenant, &caller.user).await?)
    }

    /// A page of a thread.
    ///
    /// Messages and log position are of the reading, the view is the one after marking.
    pub async fn thread(&self, caller: &Caller, read: &ReadThread) -> Result<ThreadRows, Error> {
        self.meet(caller).await?;
        let rows = self
            .store
            .thread_page(&caller.tenant, &caller.user, &read.page)
            .await?;
        let mut rows = rows.ok_or(Refusal::ThreadNotFound(read.page.thread))?;
        let room = PAGE_BYTES_MAX.saturating_sub(view_bytes(&rows.view));
        let fitting = how_many_fit(rows.messages.iter().map(message_bytes), room);
        rows.more |= fitting < rows.messages.len();
        rows.messages.truncate(fitting);

        let highest = rows.messages.iter().map(|message| message.number).max();
        if read.mark_read
            && let Some(number) = highest
            && number > rows.view.read_number
        {
            let mark = MarkRead {
                caller: caller.user.clone(),
                thread: read.page.thread,
                up_to_number: Some(number),
            };
            rows.view = self.change_view(caller, Command::MarkRead(mark)).await?;
        }
        Ok(rows)
    }
}

/// How many of these fit into so many bytes; the first always does.
fn how_many_fit(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let mut used = 0;
    let mut count = 0;
    for size in sizes {
        used += size;
        if count > 0 && used > room {
            break;
        }
        count += 1;
    }
    count
}

/// More than the ids, numbers and times of a message or a thread take when encoded.
const FIXED_BYTES: usize = 256;

/// More than the lengths of a user's fields take when encoded.
const USER_FIXED_BYTES: usize = 24;

/// An upper bound of a message's encoded size.
fn message_bytes(message: &MessageView) -> usize {
    FIXED_BYTES + message.content.len() + user_bytes(&message.sender)
}

/// An upper bound of a view's encoded size.
fn view_bytes(view: &ThreadView) -> usize {
    2 * FIXED_BYTES
        + view.snippet.len()
        + user_bytes(&view.last_sender)
        + thread_bytes(&view.thread)
}

fn thread_bytes(thread: &ThreadSummary) -> usize {
    let participants: usize = thread.participants.iter().map(user_bytes).sum();
    thread.subject.len() + participants
}

fn user_bytes(user: &User) -> usize {
    let profile = &user.profile;
    let names = profile.first_name.len() + profile.last_name.len();
    USER_FIXED_BYTES + user.id.as_str().len() + names + profile.email.len()
}
