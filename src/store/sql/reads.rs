//! Reads: from an answer's JSON to what the callers of the store ask for.

use std::{collections::HashMap, sync::Arc};

use super::{
    pages::{InboxAnswer, ThreadAnswer},
    rows::{
        EditionRow, EventRow, HeadRow, Hex, List, LogAnswer, MessageRow, PointAnswer,
        SummaryAnswer, TenantRow, ThreadRow, UserRecordRow, head, kind, parse,
    },
};
use crate::{
    model::{
        Direction, Edition, EventBody, EventId, EventKind, InboxPage, InboxRows, LogPage,
        LogPosition, LogRows, LoggedEvent, PageRead, RequestId, Summary, TenantSummary, ThreadId,
        ThreadPage, ThreadRows, ThreadSummary, Time, User, UserId, UserRecord, UserRows,
    },
    store::{Error, Result},
};

/// How many events a page of the log holds at most; it is bounded in bytes besides.
pub(super) const LOG_PAGE_ROWS: usize = 256;

/// A page that was read with one row more than asked for, to see whether more follow.
pub(super) fn inbox(
    answer: &str,
    page: InboxPage,
    known: Option<Edition>,
) -> Result<PageRead<InboxRows>> {
    let mut answer = InboxAnswer::of(answer)?;
    let read = nothing_new(answer.head.take(), answer.edition.take());
    if known.is_some() && read.edition == known {
        return Ok(read);
    }
    let mailbox = answer.mailbox.take().unwrap_or_default();
    let mut threads = answer.threads()?;
    // The newest first; read backward, the one next to where the reading began.
    threads.sort_unstable_by_key(|(position, _)| match page.direction {
        Direction::Forward => -position,
        Direction::Backward => *position,
    });
    let more = cut(&mut threads, page.size);
    // Past the end, by leaping, everything lies behind.
    let leapt_past = threads.is_empty() && page.skip > 0 && mailbox.of(page.folder) > 0;
    let page = Some(InboxRows {
        mailbox,
        threads,
        more,
        behind: answer.behind == 1 || leapt_past,
    });
    Ok(PageRead { page, ..read })
}

pub(super) fn summary(json: &str, user: &UserId) -> Result<Summary> {
    let answer: SummaryAnswer = parse(json)?;
    Ok(Summary {
        head: head(answer.head),
        mailbox: answer.mailbox.unwrap_or_default(),
        user: answer.user.map_or_else(
            // A backup that was restored under a running server may not know its caller.
            || UserRecord::unknown(user.clone()).user,
            User::from,
        ),
    })
}

/// A page that was read with one row more than asked for, to see whether more follow.
pub(super) fn users(json: &str, size: u32) -> Result<UserRows> {
    let rows: List<(i64, UserRecordRow)> = parse(json)?;
    let mut rows = rows.unwrap_or_default();
    let more = cut(&mut rows, size);
    let last = rows.last().map(|(number, _)| *number);
    Ok(UserRows {
        users: rows.into_iter().map(|(_, row)| row.into()).collect(),
        next: last.filter(|_| more),
    })
}

/// Tenants that were read with one more than asked for; whether more follow.
pub(super) fn tenants(json: &str, size: u32) -> Result<(Vec<TenantSummary>, bool)> {
    let rows: List<TenantRow> = parse(json)?;
    let mut rows = rows.unwrap_or_default();
    let more = cut(&mut rows, size);
    Ok((rows.into_iter().map(Into::into).collect(), more))
}

/// A page that was read with one row more than asked for, to see whether more follow.
pub(super) fn thread(
    answer: &str,
    page: &ThreadPage,
    known: Option<Edition>,
) -> Result<Option<PageRead<ThreadRows>>> {
    let mut answer = ThreadAnswer::of(answer)?;
    let read = nothing_new(answer.head.take(), answer.edition.take());
    if known.is_some() && read.edition == known {
        return Ok(Some(read));
    }
    let Some((view, mut rows)) = answer.thread()? else {
        return Ok(None);
    };
    let upwards = page.is_upwards();
    rows.sort_unstable_by_key(|(number, _)| if upwards { *number } else { -number });
    let first = rows.first().map(|(number, _)| *number);
    // Numbers have no gaps.
    let behind = match (answer.behind, upwards) {
        (Some(behind), _) => behind == 1,
        (None, true) => first.map_or(page.from > Some(0), |first| first > 1),
        (None, false) => {
            let count = view.thread.message_count;
            first.map_or(page.from.is_some_and(|from| from <= count), |first| {
                first < count
            })
        }
    };
    let mut more = cut(&mut rows, page.size);
    let wanted = rows.len();
    let messages: Vec<_> = rows.into_iter().map_while(|(_, message)| message).collect();
    more |= messages.len() < wanted;
    let page = Some(ThreadRows {
        view,
        messages,
        more,
        behind,
    });
    Ok(Some(PageRead { page, ..read }))
}

/// What is read of a page that is known in its newest edition.
fn nothing_new<Page>(newest: Option<HeadRow>, edition: Option<EditionRow>) -> PageRead<Page> {
    PageRead {
        head: head(newest),
        edition: edition.and_then(EditionRow::edition),
        page: None,
    }
}

fn cut<Row>(rows: &mut Vec<Row>, size: u32) -> bool {
    let size = size as usize;
    let more = rows.len() > size;
    rows.truncate(size);
    more
}

/// Whether the log holds a position, given the event there and the oldest one.
///
/// This one check covers retention, restored backups, and failovers that lost commits.
fn is_held(position: LogPosition, event: Hex, oldest: Option<i64>) -> bool {
    if position.number == 0 {
        // The start is good for as long as event 1 is there, or does not exist.
        oldest.is_none_or(|oldest| oldest == 1)
    } else {
        event.0 == Some(position.event.0)
    }
}

/// Whether the log goes on from a position, with an event that is not older than this.
pub(super) fn goes_on(json: &str, from: LogPosition, oldest: Time) -> Result<bool> {
    let answer: PointAnswer = parse(json)?;
    let young = answer.next_time.is_none_or(|time| time >= oldest);
    Ok(young && is_held(from, answer.event, answer.oldest))
}

pub(super) fn log(json: &str, after: LogPosition) -> Result<LogPage> {
    let answer: LogAnswer = parse(json)?;
    if !is_held(after, answer.start, answer.oldest) {
        return Ok(LogPage::Expired);
    }

    let threads = answer.threads.unwrap_or_default();
    let threads: HashMap<ThreadId, ThreadRow> = threads
        .into_iter()
        .map(|row| (ThreadId(row.id.id()), row))
        .collect();
    let rows = answer.events.unwrap_or_default();
    let head = head(answer.head);
    let mut events: Vec<Arc<LoggedEvent>> = Vec::with_capacity(rows.len());
    let mut weight = 0;
    for row in rows {
        let event = event(row, &threads)?;
        weight += event.weight();
        if weight > LogPage::WEIGHT_MAX && !events.is_empty() {
            break;
        }
        events.push(Arc::new(event));
    }
    let read_to_the_end = events.len() == answer.scanned && answer.scanned < LOG_PAGE_ROWS;
    let through = match events.last() {
        Some(last) if !read_to_the_end => last.position,
        _ => head,
    };
    Ok(LogPage::Read(LogRows {
        events,
        through,
        head,
    }))
}

fn event(row: EventRow, threads: &HashMap<ThreadId, ThreadRow>) -> Result<LoggedEvent> {
    let incomplete = || Error::defect("an event without what it tells of");
    let audience = row.audience.unwrap_or_default();
    let thread = || -> Result<ThreadSummary> {
        let thread = threads.get(&ThreadId(row.thread.id()));
        Ok(thread.cloned().ok_or_else(incomplete)?.into())
    };
    let message = row.message.and_then(MessageRow::view);
    let body = match kind(row.kind)? {
        EventKind::MessageSent => {
            let thread = thread()?;
            EventBody::MessageSent {
                recipients: recipients(&thread, &audience, &row.actor),
                message: message.ok_or_else(incomplete)?,
                thread,
                request_id: row.request_id.0.map(RequestId),
            }
        }
        EventKind::MessageEdited => EventBody::MessageEdited {
            message: message.ok_or_else(incomplete)?,
            thread: thread()?,
        },
        EventKind::ThreadChanged => EventBody::ThreadChanged {
            view: row.view.ok_or_else(incomplete)?.view()?,
            user: row.actor,
        },
    };
    let position = LogPosition {
        number: row.position,
        event: EventId(row.id.id()),
    };
    Ok(LoggedEvent::new(position, row.time, audience, body))
}

/// Those who were told of a message when it was sent, without its sender, in their order.
fn recipients(thread: &ThreadSummary, audience: &[UserId], sender: &UserId) -> Vec<UserId> {
    thread
        .participants
        .iter()
        .map(|participant| &participant.id)
        .filter(|id| *id != sender && audience.contains(id))
        .cloned()
        .collect()
}
