//! The rpcs that read: a page, and the tokens of the pages beside it.

use super::{
    page_cache::AskedPage,
    pb::{self, Encoded},
    service::Messaging,
    status::Failure,
    token::{List, PageStart},
};
use crate::{
    messenger::{Caller, ReadThread},
    model::{Direction, Folder, InboxPage, InboxRows, MessageOrder, ThreadPage, ThreadRows},
};

impl Messaging {
    pub(super) async fn inbox_page(
        &self,
        caller: &Caller,
        page: InboxPage,
    ) -> Result<Encoded, Failure> {
        let asked = AskedPage::of_inbox(caller, page);
        let last = self.pages.get(&asked);
        let known = last.as_ref().map(|last| last.edition);
        let read = self.messenger.inbox(caller, page, known).await?;
        let encoded = match read.page {
            None => self.pages.again(last)?,
            Some(rows) => {
                let encoded = Encoded::of(&self.inbox_response(caller, page, rows));
                self.pages.anew(asked, read.edition, encoded, false)
            }
        };
        Ok(encoded.with(&pb::ListInboxResponse {
            resume_token: self.tokens.resume_token(&caller.tenant, read.head),
            ..pb::ListInboxResponse::default()
        }))
    }

    /// A page, without the token of the moment.
    fn inbox_response(
        &self,
        caller: &Caller,
        page: InboxPage,
        mut rows: InboxRows,
    ) -> pb::ListInboxResponse {
        let viewer = self.viewer(caller);
        let total_size = rows.mailbox.of(page.folder);
        if page.direction == Direction::Backward {
            rows.threads.reverse();
        }
        let edges = inbox_edges(&rows, page.direction, page.from);
        let sides = sides(page.direction, rows.more, rows.behind);
        let (next_page_token, previous_page_token) =
            self.page_tokens(caller, List::Inbox(page.folder), sides, &edges);
        pb::ListInboxResponse {
            next_page_token,
            previous_page_token,
            threads: rows
                .threads
                .into_iter()
                .map(|(_, view)| viewer.view(view))
                .collect(),
            total_size,
            resume_token: String::new(),
        }
    }

    pub(super) async fn inbox_summary(
        &self,
        caller: &Caller,
    ) -> Result<pb::GetInboxSummaryResponse, Failure> {
        let summary = self.messenger.summary(caller).await?;
        Ok(pb::GetInboxSummaryResponse {
            inbox_thread_count: summary.mailbox.of(Folder::Inbox),
            unread_thread_count: summary.mailbox.of(Folder::Unread),
            deleted_thread_count: summary.mailbox.of(Folder::Deleted),
            unread_message_count: summary.mailbox.unread_messages,
            user: Some(self.viewer(caller).user(summary.user)),
            resume_token: self.tokens.resume_token(&caller.tenant, summary.head),
        })
    }

    pub(super) async fn thread_page(
        &self,
        caller: &Caller,
        wanted: &ReadThread,
    ) -> Result<Encoded, Failure> {
        let page = &wanted.page;
        let asked = AskedPage::of_thread(caller, page);
        let last = self.pages.get(&asked);
        let last = last.filter(|last| !(wanted.mark_read && last.is_unread));
        let known = last.as_ref().map(|last| last.edition);
        let read = self.messenger.thread(caller, wanted, known).await?;
        let encoded = match read.page {
            None => self.pages.again(last)?,
            Some(rows) => {
                let is_unread = rows.unread_up_to().is_some();
                let encoded = Encoded::of(&self.thread_response(caller, page, rows));
                self.pages.anew(asked, read.edition, encoded, is_unread)
            }
        };
        Ok(encoded.with(&pb::GetThreadResponse {
            resume_token: self.tokens.resume_token(&caller.tenant, read.head),
            ..pb::GetThreadResponse::default()
        }))
    }

    /// A page, without the token of the moment.
    fn thread_response(
        &self,
        caller: &Caller,
        page: &ThreadPage,
        mut rows: ThreadRows,
    ) -> pb::GetThreadResponse {
        let viewer = self.viewer(caller);
        if page.direction == Direction::Backward {
            rows.messages.reverse();
        }
        let edges = thread_edges(&rows, page);
        let list = List::Thread {
            thread: page.thread,
            order: page.order,
            exclude_sender: page.exclude_sender.as_ref(),
        };
        let sides = sides(page.direction, rows.more, rows.behind);
        let (next_page_token, previous_page_token) = self.page_tokens(caller, list, sides, &edges);
        pb::GetThreadResponse {
            next_page_token,
            previous_page_token,
            messages: rows
                .messages
                .into_iter()
                .map(|message| viewer.message(message))
                .collect(),
            view: Some(viewer.view(rows.view)),
            resume_token: String::new(),
        }
    }

    /// The tokens for what follows a page and for what precedes it; empty where nothing does.
    fn page_tokens(
        &self,
        caller: &Caller,
        list: List<'_>,
        (follows, precedes): (bool, bool),
        edges: &Edges,
    ) -> (String, String) {
        let token = |beyond: bool, direction, from| {
            let start = PageStart { direction, from };
            let token = beyond.then(|| self.tokens.page_token(caller, list, start));
            token.unwrap_or_default()
        };
        (
            token(follows, Direction::Forward, edges.last),
            token(precedes, Direction::Backward, edges.first),
        )
    }
}

/// The places of a page's first and last entry, which its tokens start from.
struct Edges {
    first: i64,
    last: i64,
}

/// Of a page that has entries, they are its own; of an empty one, just beyond where it began.
fn inbox_edges(rows: &InboxRows, direction: Direction, from: Option<i64>) -> Edges {
    match (rows.threads.first(), rows.threads.last()) {
        (Some((first, _)), Some((last, _))) => Edges {
            first: *first,
            last: *last,
        },
        // A leap past the end: what precedes is the list's own end.
        _ => match (direction, from) {
            (Direction::Forward, Some(from)) => Edges {
                first: from - 1,
                last: from,
            },
            (Direction::Backward, Some(from)) => Edges {
                first: from,
                last: from + 1,
            },
            (_, None) => Edges { first: 0, last: 0 },
        },
    }
}

fn thread_edges(rows: &ThreadRows, page: &ThreadPage) -> Edges {
    if let (Some(first), Some(last)) = (rows.messages.first(), rows.messages.last()) {
        return Edges {
            first: first.number.into(),
            last: last.number.into(),
        };
    }
    let from = i64::from(page.from.unwrap_or(0));
    // One step against the order: what precedes then begins with `from` itself.
    let step = match page.order {
        MessageOrder::OldestFirst => 1,
        MessageOrder::NewestFirst => -1,
    };
    match page.direction {
        Direction::Forward => Edges {
            first: from + step,
            last: from,
        },
        Direction::Backward => Edges {
            first: from,
            last: from - step,
        },
    }
}

/// Whether something lies after a page, and before it, in the list's own order.
fn sides(direction: Direction, more: bool, behind: bool) -> (bool, bool) {
    match direction {
        Direction::Forward => (more, behind),
        Direction::Backward => (behind, more),
    }
}
