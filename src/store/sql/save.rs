//! From what a batch changed to rows, each an array in the order of its statement's columns.

use serde::Serialize;

use super::{Param, json_rows, numbers::UserNumbers, rows};
use crate::{
    model::{Changes, UserRecord},
    store::Result,
};

/// Rows of one table, as a statement's parameter.
pub(super) struct Rows {
    pub(super) json: Param<'static>,
    pub(super) count: u64,
}

fn rows<Row: Serialize>(rows: impl Iterator<Item = Result<Row>>) -> Result<Rows> {
    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
    Ok(Rows {
        json: json_rows(&rows)?,
        count: rows.len() as u64,
    })
}

pub(super) fn users(numbers: &UserNumbers, users: &[&UserRecord]) -> Result<Rows> {
    rows(users.iter().map(|record| {
        let id = &record.user.id;
        Ok((numbers.of(id)?, id, record.known_time))
    }))
}

pub(super) fn threads(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.threads.iter().map(|thread| {
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

pub(super) fn participants(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.participants.iter().map(|(thread, participant)| {
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

pub(super) fn messages(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.messages.iter().map(|message| {
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

pub(super) fn revisions(changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.revisions.iter().map(|former| {
        Ok((
            rows::hex(former.message.0),
            former.revision,
            &former.content,
            former.replace_time,
        ))
    }))
}

pub(super) fn requests(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.requests.iter().map(|request| {
        Ok((
            numbers.of(&request.user)?,
            rows::hex(request.id.0),
            rows::fingerprint_text(&request.fingerprint),
            rows::hex(request.message.0),
            request.time,
        ))
    }))
}

pub(super) fn mailboxes(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.mailboxes.iter().map(|(user, mailbox)| {
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

pub(super) fn events(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.events.iter().map(|event| {
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

pub(super) fn audience(numbers: &UserNumbers, changes: &Changes<'_>) -> Result<Rows> {
    rows(changes.events.iter().flat_map(|event| {
        let told = event.audience.iter();
        told.map(|user| Ok((numbers.of(user)?, event.position)))
    }))
}
