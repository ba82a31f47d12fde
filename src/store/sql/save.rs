//! From what a batch changed to rows, each in the order of its INSERT's columns.

use std::{collections::HashMap, fmt::Write};

use super::{
    insert::{Insert, Rows, TABLES, Value},
    numbers::UserNumbers,
    rows::{fingerprint_text, kind_number, placement_number},
    statements::SAVES,
};
use crate::{
    model::{Changes, Mailbox, Message, Participant, ThreadId, ThreadState, User, UserId},
    store::Result,
};

/// What a batch changed, in the order of the INSERTs that save it.
pub(super) fn rows<'a>(
    numbers: &UserNumbers,
    changes: &'a Changes<'_>,
) -> Result<[Rows<'a>; TABLES]> {
    let [
        save_head,
        save_users,
        add_threads,
        save_threads,
        add_participants,
        save_participants,
        add_messages,
        save_messages,
        add_revisions,
        add_requests,
        add_events,
        add_audience,
    ] = &SAVES;
    Ok([
        head(save_head, changes),
        users(save_users, numbers, changes)?,
        threads(add_threads, numbers, &changes.new_threads)?,
        threads(save_threads, numbers, &changes.threads)?,
        participants(add_participants, numbers, &changes.new_participants)?,
        participants(save_participants, numbers, &changes.participants)?,
        messages(add_messages, numbers, &changes.new_messages)?,
        messages(save_messages, numbers, &changes.messages)?,
        revisions(add_revisions, changes),
        requests(add_requests, numbers, changes)?,
        events(add_events, numbers, changes)?,
        audience(add_audience, numbers, changes)?,
    ])
}

/// That something has changed which no event tells of.
fn head<'a>(insert: &'static Insert, changes: &Changes<'_>) -> Rows<'a> {
    let mut rows = Rows::new(insert);
    if let Some(mark) = changes.unlogged {
        let profiles = if changes.profiles { mark } else { 0 };
        rows.push([mark.into(), profiles.into()]);
    }
    rows
}

fn users<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    changes: &'a Changes<'_>,
) -> Result<Rows<'a>> {
    let mut rows = Rows::new(insert);
    for record in &changes.users {
        let User { id, profile } = &record.user;
        rows.push([
            numbers.of(id)?.into(),
            id.as_str().into(),
            record.known_time.into(),
            profile.first_name.as_str().into(),
            profile.last_name.as_str().into(),
            profile.email.as_str().into(),
            record.profile_time.into(),
            record.deactivated_time.into(),
        ]);
    }
    Ok(rows)
}

fn threads<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    threads: &[&'a ThreadState],
) -> Result<Rows<'a>> {
    let mut rows = Rows::new(insert);
    for state in threads {
        let (thread, last) = (&state.thread, &state.last_message);
        rows.push([
            thread.id.0.into(),
            thread.subject.as_str().into(),
            thread.create_time.into(),
            thread.update_time.into(),
            numbers.of(&thread.starter)?.into(),
            thread.message_count.into(),
            numbers.of(&last.sender)?.into(),
            last.send_time.into(),
            last.snippet.as_str().into(),
            people(numbers, &state.participants)?.into(),
        ]);
    }
    Ok(rows)
}

/// The numbers of those who take part, in their order.
fn people(numbers: &UserNumbers, participants: &[Participant]) -> Result<String> {
    let mut people = String::new();
    for participant in participants {
        let comma = if people.is_empty() { "" } else { "," };
        let number = numbers.of(&participant.user)?;
        // Writing to a String does not fail.
        let _ = write!(people, "{comma}{number}");
    }
    Ok(people)
}

fn participants<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    participants: &[(ThreadId, &Participant)],
) -> Result<Rows<'a>> {
    let mut rows = Rows::new(insert);
    for (thread, participant) in participants {
        rows.push([
            thread.0.into(),
            numbers.of(&participant.user)?.into(),
            participant.place.into(),
            placement_number(participant.placement).into(),
            participant.placement_time.into(),
            participant.read_number.into(),
            participant.unread_count.into(),
            participant.sent_count.into(),
            participant.last_sent_number.into(),
            participant.position.into(),
        ]);
    }
    Ok(rows)
}

fn messages<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    messages: &[&'a Message],
) -> Result<Rows<'a>> {
    let mut rows = Rows::new(insert);
    for message in messages {
        rows.push([
            message.thread.0.into(),
            message.number.into(),
            message.id.0.into(),
            numbers.of(&message.sender)?.into(),
            message.sender_count.into(),
            message.position.into(),
            message.content.as_str().into(),
            message.send_time.into(),
            message.edit_time.into(),
            message.revision.into(),
        ]);
    }
    Ok(rows)
}

fn revisions<'a>(insert: &'static Insert, changes: &'a Changes<'_>) -> Rows<'a> {
    let mut rows = Rows::new(insert);
    for former in changes.revisions {
        rows.push([
            former.message.0.into(),
            former.revision.into(),
            former.content.as_str().into(),
            former.replace_time.into(),
        ]);
    }
    rows
}

fn requests<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    changes: &'a Changes<'_>,
) -> Result<Rows<'a>> {
    let mut rows = Rows::new(insert);
    for request in &changes.requests {
        rows.push([
            numbers.of(&request.user)?.into(),
            request.id.0.into(),
            fingerprint_text(&request.fingerprint).into(),
            request.message.0.into(),
            request.time.into(),
        ]);
    }
    Ok(rows)
}

/// What happened; beside the last of it, how much the tenant then holds.
fn events<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    changes: &'a Changes<'_>,
) -> Result<Rows<'a>> {
    let mut rows = Rows::new(insert);
    let last = changes.events.last().map(|event| event.position);
    for event in changes.events {
        let sizes = (last == Some(event.position)).then_some(changes.sizes);
        rows.push([
            event.position.into(),
            event.id.0.into(),
            kind_number(event.kind).into(),
            event.time.into(),
            event.thread.0.into(),
            event.message.map(|message| message.0).into(),
            numbers.of(&event.actor)?.into(),
            event.request_id.map(|request| request.0).into(),
            Value::Int(sizes.map(|sizes| sizes.threads)),
            Value::Int(sizes.map(|sizes| sizes.messages)),
        ]);
    }
    Ok(rows)
}

/// Who is told of what; beside the last event that tells a user of something, that user's counts.
fn audience<'a>(
    insert: &'static Insert,
    numbers: &UserNumbers,
    changes: &'a Changes<'_>,
) -> Result<Rows<'a>> {
    let mut last: HashMap<&UserId, i64> = HashMap::new();
    for event in changes.events {
        last.extend(event.audience.iter().map(|user| (user, event.position)));
    }
    let mailboxes: HashMap<&UserId, Mailbox> = changes.mailboxes.iter().copied().collect();
    let mut rows = Rows::new(insert);
    for event in changes.events {
        for user in &event.audience {
            let is_last = last.get(user) == Some(&event.position);
            let mailbox = mailboxes.get(user).filter(|_| is_last);
            let count = |of: fn(&Mailbox) -> i32| Value::Int(mailbox.map(of).map(i64::from));
            rows.push([
                numbers.of(user)?.into(),
                event.position.into(),
                count(|mailbox| mailbox.inbox),
                count(|mailbox| mailbox.unread),
                count(|mailbox| mailbox.sent),
                count(|mailbox| mailbox.deleted),
                count(|mailbox| mailbox.all),
                count(|mailbox| mailbox.unread_messages),
            ]);
        }
    }
    Ok(rows)
}
