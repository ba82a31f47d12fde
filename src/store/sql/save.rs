//! From what a batch changed to rows, each an array in the order of its statement's columns.

use serde::Serialize;

use super::{Param, json_rows, numbers::UserNumbers, rows};
use crate::{
    model::{Changes, Message, Participant, Thread, ThreadId},
    store::Result,
};

/// How many statements there are to save by; some tables have two.
pub(super) const TABLES: usize = 12;

/// Rows of one table, as a statement's parameter.
pub(super) struct Rows {
    pub(super) json: Param<'static>,
    pub(super) count: u64,
}

/// What a batch changed, in the order of the statements that save it.
pub(super) fn rows(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<[Rows; TABLES]> {
    Ok([
        users(numbers, changes)?,
        threads(numbers, &changes.new_threads)?,
        threads(numbers, &changes.threads)?,
        participants(numbers, &changes.new_participants)?,
        participants(numbers, &changes.participants)?,
        messages(numbers, &changes.new_messages)?,
        messages(numbers, &changes.messages)?,
        revisions(changes)?,
        requests(numbers, changes)?,
        mailboxes(numbers, changes)?,
        events(numbers, changes)?,
        audience(numbers, changes)?,
    ])
}

fn encode<Row: Serialize>(rows: impl Iterator<Item = Result<Row>>) -> Result<Rows> {
    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
    Ok(Rows {
        json: json_rows(&rows)?,
        count: rows.len() as u64,
    })
}

fn users(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    encode(changes.users.iter().map(|record| {
        let id = &record.user.id;
        Ok((numbers.of(id)?, id, record.known_time))
    }))
}

fn threads(numbers: &UserNumbers, threads: &[&Thread]) -> Result<Rows> {
    encode(threads.iter().map(|thread| {
        Ok((
            rows::hex(thread.id.0),
            &thread.subject,
            thread.create_time,
            thread.update_time,
            numbers.of(&thread.starter)?,
            thread.message_count,
        ))
    }))
}

fn participants(numbers: &UserNumbers, participants: &[(ThreadId, &Participant)]) -> Result<Rows> {
    encode(participants.iter().map(|(thread, participant)| {
        Ok((
            rows::hex(thread.0),
            numbers.of(&participant.user)?,
            participant.place,
            rows::placement_number(participant.placement),
            participant.placement_time,
            participant.read_number,
            participant.unread_count,
            participant.sent_count,
            participant.last_sent_number,
            participant.position,
        ))
    }))
}

fn messages(numbers: &UserNumbers, messages: &[&Message]) -> Result<Rows> {
    encode(messages.iter().map(|message| {
        Ok((
            rows::hex(message.id.0),
            rows::hex(message.thread.0),
            message.number,
            numbers.of(&message.sender)?,
            message.sender_count,
            message.position,
            &message.content,
            message.send_time,
            message.edit_time,
            message.revision,
        ))
    }))
}

fn revisions(changes: &Changes<'_>) -> Result<Rows> {
    encode(changes.revisions.iter().map(|former| {
        Ok((
            rows::hex(former.message.0),
            former.revision,
            &former.content,
            former.replace_time,
        ))
    }))
}

fn requests(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    encode(changes.requests.iter().map(|request| {
        Ok((
            numbers.of(&request.user)?,
            rows::hex(request.id.0),
            rows::fingerprint_text(&request.fingerprint),
            rows::hex(request.message.0),
            request.time,
        ))
    }))
}

fn mailboxes(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    encode(changes.mailboxes.iter().map(|(user, mailbox)| {
        Ok((
            numbers.of(user)?,
            mailbox.inbox,
            mailbox.unread,
            mailbox.sent,
            mailbox.deleted,
            mailbox.all,
            mailbox.unread_messages,
        ))
    }))
}

fn events(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    encode(changes.events.iter().map(|event| {
        Ok((
            event.position,
            rows::hex(event.id.0),
            rows::kind_number(event.kind),
            event.time,
            rows::hex(event.thread.0),
            event.message.map(|message| rows::hex(message.0)),
            numbers.of(&event.actor)?,
            event.request_id.map(|request| rows::hex(request.0)),
        ))
    }))
}

fn audience(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    encode(changes.events.iter().flat_map(|event| {
        let told = event.audience.iter();
        told.map(|user| Ok((numbers.of(user)?, event.position)))
    }))
}
