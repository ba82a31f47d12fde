//! Accounts of one thread, as if there were no other.

use crate::{
    faults::accounts::{Asked, Call, KeptThread, Told},
    reference::{Action, Answer, MessageSeen, View},
};

/// The last time that there is, at which it stands still: no change of a thread can be later.
pub(super) const STILL: i64 = i64::MAX;

/// A call as it is where its thread is the only one, and time stands still.
pub(super) fn alone(call: &Call) -> Call {
    let mut call = call.clone();
    match &mut call.asked {
        Asked::Act(Action::Meet | Action::Send { .. }) => {}
        Asked::Act(
            Action::Reply { thread, .. }
            | Action::MarkRead { thread, .. }
            | Action::MarkUnread(thread)
            | Action::Delete(thread)
            | Action::Restore(thread),
        )
        | Asked::Read(thread) => *thread = 0,
        Asked::Act(Action::Edit { message, .. }) => message.thread = 0,
    }
    match call.answered.as_mut().map(|(_, told)| told) {
        Some(Told::Answer(Answer::Sent(message, view))) => {
            message_alone(message);
            view_alone(view);
        }
        Some(Told::Answer(Answer::Edited(message))) => message_alone(message),
        Some(Told::Answer(Answer::Viewed(view))) => view_alone(view),
        Some(Told::Read(view, messages)) => {
            view_alone(view);
            messages.iter_mut().for_each(message_alone);
        }
        Some(Told::Answer(Answer::Met) | Told::Refused(_)) | None => {}
    }
    call
}

/// What is kept of a thread, in the same way.
pub(super) fn kept_alone(kept: &KeptThread) -> KeptThread {
    let mut kept = kept.clone();
    kept.messages.iter_mut().for_each(message_alone);
    kept.views.values_mut().for_each(view_alone);
    kept
}

fn message_alone(message: &mut MessageSeen) {
    message.name.thread = 0;
    message.send_time = STILL;
    message.edit_time = message.edit_time.map(|_| STILL);
}

fn view_alone(view: &mut View) {
    view.thread.name = 0;
    view.thread.create_time = STILL;
    view.thread.update_time = STILL;
    view.first_message_time = STILL;
    view.last_message_time = STILL;
}
