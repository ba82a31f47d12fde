//! What a batch touches: from the needs to parameters, and from the answer to the model's rows.

use std::collections::{HashMap, HashSet};

use super::{
    Param, json_rows,
    numbers::UserNumbers,
    rows::{self, FullHeadRow, List, LoadAnswer, hex},
};
use crate::{
    model::{
        LastMessage, Loaded, LogPosition, Message, MessageId, Needs, Participant, PastRequest,
        RequestId, Sizes, Thread, ThreadId, ThreadState, UserId, UserRecord,
    },
    store::{Error, Result},
};

/// Users, threads, messages, requests and marks, as parameters.
pub(super) fn params(needs: &Needs) -> Result<[Param<'static>; 5]> {
    let users: Vec<_> = needs.users.iter().map(|user| (user,)).collect();
    let threads: Vec<_> = needs.threads.iter().map(|id| (hex(id.0),)).collect();
    let messages: Vec<_> = needs.messages.iter().map(|id| (hex(id.0),)).collect();
    let requests = needs.requests.iter();
    let requests: Vec<_> = requests.map(|(user, id)| (user, hex(id.0))).collect();
    let marks: Vec<_> = needs
        .sent_up_to
        .iter()
        .map(|(user, thread, number)| (user, hex(thread.0), number))
        .collect();
    Ok([
        json_rows(&users)?,
        json_rows(&threads)?,
        json_rows(&messages)?,
        json_rows(&requests)?,
        json_rows(&marks)?,
    ])
}

/// What was found.
fn present<Row>(rows: List<Option<Row>>) -> impl Iterator<Item = Row> {
    rows.unwrap_or_default().into_iter().flatten()
}

/// The numbers of those who take part in the threads of an answer, and are neither in it nor known.
pub(super) fn strangers(answer: &LoadAnswer, known: &UserNumbers) -> Vec<i64> {
    let users = answer.users.iter().flatten().flatten();
    let users: HashSet<i64> = users.map(|row| row.number).collect();
    let participants = answer.participants.iter().flatten().flatten().flatten();
    let numbers: HashSet<i64> = participants.map(|row| row.user).collect();
    let strangers = numbers.difference(&users).copied();
    strangers
        .filter(|number| known.user(*number).is_none())
        .collect()
}

/// The rows as the model knows them: users by id, whom the answer tells of or who are known. Also the
/// numbers of those whom it tells of.
pub(super) fn rows(answer: LoadAnswer, known: &UserNumbers) -> Result<(Loaded, UserNumbers)> {
    let highest = answer.highest_user.unwrap_or(0);
    let (head, sizes) = answer
        .head
        .map_or((LogPosition::START, Sizes::default()), FullHeadRow::parts);
    let mut loaded = Loaded {
        head,
        sizes,
        unlogged: answer.unlogged.unwrap_or(0),
        ..Loaded::default()
    };
    let mut ids = HashMap::new();
    for row in present(answer.users) {
        let record = UserRecord::from(row.record);
        let id = record.user.id.clone();
        ids.insert(row.number, id.clone());
        let mailbox = row.mailbox.unwrap_or_default();
        loaded.mailboxes.insert(id.clone(), mailbox);
        loaded.users.insert(id, record);
    }
    let id_of = |number: i64| -> Result<UserId> {
        let id = ids.get(&number).or_else(|| known.user(number));
        id.cloned()
            .ok_or_else(|| Error::defect("a number without a user"))
    };

    for row in present(answer.threads) {
        let id = ThreadId(row.id.id());
        let state = ThreadState {
            thread: Thread {
                id,
                subject: row.subject,
                create_time: row.create_time,
                update_time: row.update_time,
                starter: id_of(row.starter)?,
                message_count: row.message_count,
            },
            first_message_time: row.create_time,
            last_message: LastMessage {
                sender: id_of(row.last_sender)?,
                send_time: row.last_time,
                snippet: row.snippet,
            },
            participants: Vec::new(),
        };
        loaded.threads.insert(id, state);
    }
    for row in present(answer.participants).flatten() {
        let participant = Participant {
            user: id_of(row.user)?,
            place: row.place,
            placement: rows::placement(row.placement)?,
            placement_time: row.placement_time,
            read_number: row.read_number,
            unread_count: row.unread_count,
            sent_count: row.sent_count,
            last_sent_number: row.last_sent_number,
            position: row.position,
        };
        if let Some(state) = loaded.threads.get_mut(&ThreadId(row.thread.id())) {
            state.participants.push(participant);
        }
    }
    for row in present(answer.messages) {
        let message = Message {
            id: MessageId(row.id.id()),
            thread: ThreadId(row.thread.id()),
            number: row.number,
            sender: id_of(row.sender)?,
            sender_count: row.sender_count,
            position: row.position,
            content: row.content,
            send_time: row.send_time,
            edit_time: row.edit_time,
            revision: row.revision,
        };
        loaded.messages.insert(message.id, message);
    }
    for row in present(answer.requests) {
        let past = PastRequest {
            user: id_of(row.user)?,
            id: RequestId(row.request_id.id()),
            fingerprint: rows::fingerprint(&row.fingerprint)?,
            message: MessageId(row.message.id()),
            time: row.time,
        };
        loaded.requests.insert((past.user.clone(), past.id), past);
    }
    for (user, thread, number, count) in answer.sent_up_to.unwrap_or_default() {
        loaded
            .sent_up_to
            .insert((user, ThreadId(thread.id()), number), count);
    }
    Ok((loaded, UserNumbers::new(ids, highest)))
}
