//! The use cases that read.

use super::{Caller, Error, Messenger};
use crate::model::{
    Command, Edition, InboxPage, InboxRows, MarkRead, MessageView, PageRead, Refusal, Summary,
    ThreadPage, ThreadRows, ThreadSummary, ThreadView, User,
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
    /// A page of the caller's threads; not where it is known in the edition that there is.
    pub async fn inbox(
        &self,
        caller: &Caller,
        page: InboxPage,
        known: Option<Edition>,
    ) -> Result<PageRead<InboxRows>, Error> {
        self.meet(caller).await?;
        let (tenant, user) = (&caller.tenant, &caller.user);
        let mut read = self.store.inbox_page(tenant, user, page, known).await?;
        if let Some(rows) = &mut read.page {
            let sizes = rows.threads.iter().map(|(_, view)| view_bytes(view));
            let fitting = how_many_fit(sizes, PAGE_BYTES_MAX);
            rows.more |= fitting < rows.threads.len();
            rows.threads.truncate(fitting);
        }
        Ok(read)
    }

    /// The caller's counts.
    pub async fn summary(&self, caller: &Caller) -> Result<Summary, Error> {
        self.meet(caller).await?;
        Ok(self.store.summary(&caller.tenant, &caller.user).await?)
    }

    /// A page of a thread; not where it is known in the edition that there is. What there is to mark is
    /// not known.
    ///
    /// Messages and log position are of the reading, the view is the one after marking: both together are
    /// of no edition.
    pub async fn thread(
        &self,
        caller: &Caller,
        wanted: &ReadThread,
        known: Option<Edition>,
    ) -> Result<PageRead<ThreadRows>, Error> {
        self.meet(caller).await?;
        let (tenant, user, page) = (&caller.tenant, &caller.user, &wanted.page);
        let read = self.store.thread_page(tenant, user, page, known).await?;
        let mut read = read.ok_or(Refusal::ThreadNotFound(page.thread))?;
        let Some(rows) = &mut read.page else {
            return Ok(read);
        };
        let room = PAGE_BYTES_MAX.saturating_sub(view_bytes(&rows.view));
        let fitting = how_many_fit(rows.messages.iter().map(message_bytes), room);
        rows.more |= fitting < rows.messages.len();
        rows.messages.truncate(fitting);

        if wanted.mark_read
            && let Some(number) = rows.unread_up_to()
        {
            let mark = MarkRead {
                caller: caller.user.clone(),
                thread: page.thread,
                up_to_number: Some(number),
            };
            rows.view = self.change_view(caller, Command::MarkRead(mark)).await?;
            read.edition = None;
        }
        Ok(read)
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
