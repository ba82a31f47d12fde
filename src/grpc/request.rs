//! From protobuf to commands and queries: parsed once, every broken field reported at once.

use std::collections::HashSet;

use super::{
    auth::{Identity, Scopes},
    check::{Check, KNOWN_VALUE, require},
    limits::Limits,
    pb,
    status::Failure,
    token::{List, TokenKey},
};
use crate::{
    messenger::{Caller, ReadThread, Watch},
    model::{
        Direction, Edit, EventKind, EventKinds, Folder, InboxPage, LogPosition, LogReader,
        MarkRead, MessageId, MessageOrder, Reply, RequestId, Send, Subject, ThreadId, ThreadPage,
        UserId,
    },
};

/// How far `skip` leaps at most.
const SKIP_MAX: i32 = 10_000;

const NOT_BESIDE_A_TOKEN: &str = "must not be given beside page_token";
const RESUME_TOKEN: &str = "must be a token of this tenant's log";

pub(super) fn send(
    caller: &Caller,
    request: pb::SendMessageRequest,
    limits: &Limits,
) -> Result<(Send, Option<RequestId>), Failure> {
    let mut check = Check::default();
    let recipients = recipients(&mut check, caller, &request.recipient_ids);
    let subject = check.all("subject", Subject::parse(request.subject));
    let content = check.content(request.content, limits);
    let request_id = check.request_id(&request.request_id);
    let parsed = (|| {
        let send = Send {
            caller: caller.user.clone(),
            recipients,
            subject: subject?,
            content: content?,
            request: None,
        };
        Some((send, request_id))
    })();
    check.finish(parsed)
}

fn recipients(check: &mut Check, caller: &Caller, named: &[String]) -> Vec<UserId> {
    if named.is_empty() {
        check.broken("recipient_ids", "must name at least one recipient");
    }
    let (mut recipients, mut distinct) = (Vec::new(), HashSet::new());
    for (index, id) in named.iter().enumerate() {
        // Whether or not they can be ids, so that all that is wrong is told at once; but millions may be named.
        let is_new = distinct.len() <= Send::RECIPIENTS_MAX + 1 && distinct.insert(id);
        match UserId::parse(id) {
            Some(id) if is_new => recipients.push(id),
            Some(_) => {}
            None => check.broken(format_args!("recipient_ids[{index}]"), UserId::RULE),
        }
    }
    let caller_too = named.iter().any(|id| id == caller.user.as_str());
    if distinct.len() - usize::from(caller_too) > Send::RECIPIENTS_MAX {
        check.broken(
            "recipient_ids",
            "must name at most 100 recipients beside the caller",
        );
    }
    Send::distinct_recipients(&caller.user, recipients)
}

pub(super) fn reply(
    caller: &Caller,
    request: pb::ReplyThreadRequest,
    limits: &Limits,
) -> Result<(Reply, Option<RequestId>), Failure> {
    let mut check = Check::default();
    let thread = check.thread_id(&request.thread_id);
    let content = check.content(request.content, limits);
    let subject = request
        .subject
        .and_then(|subject| check.all("subject", Subject::parse(subject)));
    let request_id = check.request_id(&request.request_id);
    let parsed = (|| {
        let reply = Reply {
            caller: caller.user.clone(),
            thread: thread?,
            content: content?,
            subject,
            request: None,
        };
        Some((reply, request_id))
    })();
    check.finish(parsed)
}

pub(super) fn edit(
    caller: &Caller,
    request: pb::EditMessageRequest,
    limits: &Limits,
) -> Result<Edit, Failure> {
    let mut check = Check::default();
    let message = check.some(
        "message_id",
        MessageId::parse(&request.message_id),
        MessageId::RULE,
    );
    let content = check.content(request.content, limits);
    if let Some(revision) = request.expected_revision {
        check.number("expected_revision", revision);
    }
    let parsed = (|| {
        Some(Edit {
            caller: caller.user.clone(),
            message: message?,
            content: content?,
            expected_revision: request.expected_revision,
        })
    })();
    check.finish(parsed)
}

pub(super) fn mark_read(
    caller: &Caller,
    request: &pb::MarkThreadReadRequest,
) -> Result<MarkRead, Failure> {
    let mut check = Check::default();
    let thread = check.thread_id(&request.thread_id);
    if let Some(number) = request.up_to_number {
        check.number("up_to_number", number);
    }
    let parsed = thread.map(|thread| MarkRead {
        caller: caller.user.clone(),
        thread,
        up_to_number: request.up_to_number,
    });
    check.finish(parsed)
}

/// The thread of a request that names nothing else.
pub(super) fn thread_id(id: &str) -> Result<ThreadId, Failure> {
    let mut check = Check::default();
    let thread = check.thread_id(id);
    check.finish(thread)
}

pub(super) fn inbox(
    key: &TokenKey,
    caller: &Caller,
    request: &pb::ListInboxRequest,
) -> Result<InboxPage, Failure> {
    let mut check = Check::default();
    let size = check.page_size(request.page_size);
    let folder = check.some("folder", folder(request.folder), KNOWN_VALUE);
    let skip = check.number("skip", request.skip);
    if request.skip > SKIP_MAX {
        check.broken("skip", "must be at most 10,000");
    }
    if request.skip != 0 && !request.page_token.is_empty() {
        check.broken("skip", NOT_BESIDE_A_TOKEN);
    }
    let list = folder.map(List::Inbox);
    let start = check.page_token(key, &request.page_token, caller, list);
    let parsed = (|| {
        Some(InboxPage {
            folder: folder?,
            direction: start.map_or(Direction::Forward, |start| start.direction),
            from: start.map(|start| start.from),
            skip: skip?,
            size: size?,
        })
    })();
    check.finish(parsed)
}

fn folder(number: i32) -> Option<Folder> {
    Some(match pb::Folder::try_from(number).ok()? {
        pb::Folder::Unspecified | pb::Folder::Inbox => Folder::Inbox,
        pb::Folder::Unread => Folder::Unread,
        pb::Folder::Sent => Folder::Sent,
        pb::Folder::Deleted => Folder::Deleted,
        pb::Folder::All => Folder::All,
    })
}

pub(super) fn thread(
    key: &TokenKey,
    caller: &Caller,
    request: &pb::GetThreadRequest,
) -> Result<ReadThread, Failure> {
    let mut check = Check::default();
    let thread = check.thread_id(&request.thread_id);
    let size = check.page_size(request.page_size);
    let order = check.some("order", order(request.order), KNOWN_VALUE);
    let exclude_sender = match request.exclude_sender_id.as_str() {
        "" => None,
        id => check.some("exclude_sender_id", UserId::parse(id), UserId::RULE),
    };
    check.number("start_number", request.start_number);
    if request.start_number != 0 && !request.page_token.is_empty() {
        check.broken("start_number", NOT_BESIDE_A_TOKEN);
    }
    let sender_is_broken = exclude_sender.is_none() && !request.exclude_sender_id.is_empty();
    let list = (|| {
        Some(List::Thread {
            thread: thread?,
            order: order?,
            exclude_sender: exclude_sender.as_ref(),
        })
    })()
    .filter(|_| !sender_is_broken);
    let start = check.page_token(key, &request.page_token, caller, list);
    let parsed = (|| {
        let order = order?;
        let from = match start {
            Some(start) => Some(i32::try_from(start.from).unwrap_or(i32::MAX)),
            None => start_from(order, request.start_number),
        };
        Some(ReadThread {
            page: ThreadPage {
                thread: thread?,
                order,
                direction: start.map_or(Direction::Forward, |start| start.direction),
                from,
                exclude_sender: exclude_sender.clone(),
                size: size?,
            },
            mark_read: request.mark_read,
        })
    })();
    check.finish(parsed)
}

/// The number, exclusive, that a page begins after, so that it begins with this one.
fn start_from(order: MessageOrder, start_number: i32) -> Option<i32> {
    match (order, start_number) {
        (_, 0) => None,
        (MessageOrder::OldestFirst, number) => Some(number.saturating_sub(1)),
        (MessageOrder::NewestFirst, number) => Some(number.saturating_add(1)),
    }
}

fn order(number: i32) -> Option<MessageOrder> {
    Some(match pb::MessageOrder::try_from(number).ok()? {
        pb::MessageOrder::Unspecified | pb::MessageOrder::OldestFirst => MessageOrder::OldestFirst,
        pb::MessageOrder::NewestFirst => MessageOrder::NewestFirst,
    })
}

pub(super) fn watch(
    key: &TokenKey,
    identity: &Identity,
    request: &pb::WatchMessagesRequest,
) -> Result<(Watch, Option<LogPosition>), Failure> {
    let caller = &identity.caller;
    let scope = pb::WatchScope::try_from(request.scope).ok();
    if scope == Some(pb::WatchScope::AllUsers) {
        require(identity, Scopes::WATCH_ALL)?;
    }

    let mut check = Check::default();
    let scope = check.some("scope", scope, KNOWN_VALUE);
    let from = match request.resume_token.as_str() {
        "" => None,
        token => {
            let position = key.read_resume_token(token, &caller.tenant);
            check.some("resume_token", position, RESUME_TOKEN)
        }
    };
    let thread = match request.thread_id.as_str() {
        "" => None,
        id => check.thread_id(id),
    };
    let kinds = kinds(&mut check, &request.kinds);
    let parsed = (|| {
        let watch = Watch {
            reader: match scope? {
                pb::WatchScope::AllUsers => LogReader::Everyone,
                pb::WatchScope::Unspecified | pb::WatchScope::Own => {
                    LogReader::User(caller.user.clone())
                }
            },
            thread,
            kinds,
        };
        Some((watch, from))
    })();
    check.finish(parsed)
}

fn kinds(check: &mut Check, numbers: &[i32]) -> EventKinds {
    if numbers.is_empty() {
        return EventKinds::ALL;
    }
    let mut kinds = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        let kind = match pb::EventKind::try_from(*number) {
            Ok(pb::EventKind::MessageSent) => Some(EventKind::MessageSent),
            Ok(pb::EventKind::MessageEdited) => Some(EventKind::MessageEdited),
            Ok(pb::EventKind::ThreadChanged) => Some(EventKind::ThreadChanged),
            Ok(pb::EventKind::Unspecified) | Err(_) => None,
        };
        kinds.extend(check.some(format_args!("kinds[{index}]"), kind, KNOWN_VALUE));
    }
    kinds.into_iter().collect()
}
