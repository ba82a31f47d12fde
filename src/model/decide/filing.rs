//! Marking, deleting and restoring: what changes for one participant alone.

use super::super::{
    Context, Event, EventId, EventKind, MarkRead, Outcome, Participant, Placement, Policy, Refusal,
    State, ThreadId, ThreadState, Time, UserId,
};

impl State {
    pub(super) fn mark_read(
        &mut self,
        mark: &MarkRead,
        context: &Context<'_>,
    ) -> Result<Outcome, Refusal> {
        let (state, index) = self.participation(mark.thread, &mark.caller)?;
        let participant = &state.participants[index];
        let newest = state.thread.message_count;
        let number = mark
            .up_to_number
            .map_or(newest, |number| number.min(newest));
        if number <= participant.read_number {
            return self.viewed(mark.thread, &mark.caller);
        }
        let unread_count = if number == newest {
            0
        } else {
            // The messages after the mark, less one's own among them.
            let sent = self.sent_up_to(&mark.caller, mark.thread, number);
            (newest - number) - (participant.sent_count - sent)
        };
        self.change_view(mark.thread, index, context, |participant| {
            participant.read_number = number;
            participant.unread_count = unread_count;
        })
    }

    pub(super) fn mark_unread(
        &mut self,
        caller: &UserId,
        thread: ThreadId,
        context: &Context<'_>,
    ) -> Result<Outcome, Refusal> {
        let (state, index) = self.participation(thread, caller)?;
        let newest_of_others = state
            .participants
            .iter()
            .filter(|participant| participant.user != *caller)
            .map(|participant| participant.last_sent_number)
            .max()
            .unwrap_or(0);
        if state.participants[index].is_unread() || newest_of_others == 0 {
            return self.viewed(thread, caller);
        }
        self.change_view(thread, index, context, |participant| {
            participant.read_number = newest_of_others - 1;
            participant.unread_count = 1;
        })
    }

    pub(super) fn delete(
        &mut self,
        caller: &UserId,
        thread: ThreadId,
        context: &Context<'_>,
    ) -> Result<Outcome, Refusal> {
        let (state, index) = self.participation(thread, caller)?;
        if state.participants[index].placement == Placement::Deleted {
            return self.viewed(thread, caller);
        }
        self.change_view(thread, index, context, |participant| {
            participant.place_in(Placement::Deleted, context.now);
        })
    }

    pub(super) fn restore(
        &mut self,
        caller: &UserId,
        thread: ThreadId,
        context: &Context<'_>,
    ) -> Result<Outcome, Refusal> {
        let (state, index) = self.participation(thread, caller)?;
        let participant = &state.participants[index];
        if participant.placement != Placement::Deleted {
            return self.viewed(thread, caller);
        }
        let placement = if Self::waits_for_an_answer(state, index, context.policy) {
            Placement::Started
        } else {
            Placement::Inbox
        };
        self.change_view(thread, index, context, |participant| {
            participant.place_in(placement, context.now);
        })
    }

    /// Whether a participant has started the thread, and nobody has answered yet.
    pub(super) fn waits_for_an_answer(state: &ThreadState, index: usize, policy: Policy) -> bool {
        state.participants.len() > 1
            && state.thread.message_count == 1
            && state.participants[index].has_sent()
            && !policy.show_started_threads
    }

    /// Changes what one participant sees, tells that participant's watchers, and answers.
    fn change_view(
        &mut self,
        thread: ThreadId,
        index: usize,
        context: &Context<'_>,
        change: impl FnOnce(&mut Participant),
    ) -> Result<Outcome, Refusal> {
        self.change_participant(thread, index, change);
        let viewer = self.rows.threads[&thread].participants[index].user.clone();
        self.changed.events.push(Event {
            position: self.next_position(),
            id: EventId(context.ids.next()),
            kind: EventKind::ThreadChanged,
            time: context.now,
            thread,
            message: None,
            actor: viewer.clone(),
            request_id: None,
            audience: vec![viewer.clone()],
        });
        self.viewed(thread, &viewer)
    }

    fn viewed(&self, thread: ThreadId, caller: &UserId) -> Result<Outcome, Refusal> {
        let (state, index) = self.participation(thread, caller)?;
        Ok(Outcome::Viewed(Box::new(self.view(state, index))))
    }
}

impl Participant {
    /// Files the thread there, if it does not lie there already.
    pub(super) fn place_in(&mut self, placement: Placement, now: Time) {
        if self.placement != placement {
            self.placement = placement;
            self.placement_time = now;
        }
    }
}
