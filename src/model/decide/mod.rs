//! What each command does: the rules, one function a command.
//!
//! Here are those that write messages; those that only change what one participant sees are in
//! [`filing`], those of admins in [`admin`], and those of imports in [`import`]. A refusal changes nothing, except that its caller is known from then on.

mod admin;
mod filing;
mod import;

use super::{
    Command, Edit, Event, EventId, EventKind, Ids, LastMessage, Message, MessageId, MessageView,
    Participant, PastRequest, Placement, Refusal, Reply, RequestKey, Revision, Send, State, Thread,
    ThreadId, ThreadState, ThreadView, Time, UserId, UserRecord, snippet,
};

/// What the deployment has settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Only users whom the service knows can be written to.
    pub known_users_only: bool,
    /// A thread lies in its starter's inbox at once, and not only after an answer.
    pub show_started_threads: bool,
}

/// What the rules need besides the rows.
pub struct Context<'a> {
    /// The batch's one time.
    pub now: Time,
    /// Where new ids come from.
    pub ids: &'a dyn Ids,
    /// What the deployment has settled.
    pub policy: Policy,
}

/// A command's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The caller is known.
    Met,
    /// The message that was sent, and its thread as the caller sees it.
    Sent(Box<(MessageView, ThreadView)>),
    /// The message as it is now.
    Edited(Box<MessageView>),
    /// The thread as the caller sees it now.
    Viewed(Box<ThreadView>),
    /// The users as they are now, in the order in which they were named.
    UsersChanged(Vec<UserRecord>),
}

impl State {
    /// Carries out one command, seeing what those before it in the batch have changed.
    pub fn decide(&mut self, command: &Command, context: &Context<'_>) -> Result<Outcome, Refusal> {
        self.changed.time = Some(context.now);
        self.meet(command.caller(), context.now);
        match command {
            Command::Meet(caller, claim) => {
                if let Some(claim) = claim {
                    self.learn(caller, claim);
                }
                Ok(Outcome::Met)
            }
            Command::Send(send) => self.send(send, context),
            Command::Reply(reply) => self.reply(reply, context),
            Command::Edit(edit) => self.edit(edit, context),
            Command::MarkRead(mark) => self.mark_read(mark, context),
            Command::MarkUnread(caller, thread) => self.mark_unread(caller, *thread, context),
            Command::Delete(caller, thread) => self.delete(caller, *thread, context),
            Command::Restore(caller, thread) => self.restore(caller, *thread, context),
            Command::ChangeUsers(users) => self.change_users(users, context),
        }
    }

    fn send(&mut self, send: &Send, context: &Context<'_>) -> Result<Outcome, Refusal> {
        if let Some(earlier) = self.earlier_result(&send.caller, send.request.as_ref())? {
            return Ok(earlier);
        }
        self.check_recipients(send, context.policy)?;
        for recipient in &send.recipients {
            self.mention(recipient);
        }

        let id = ThreadId(context.ids.next());
        let message = Message {
            id: MessageId(context.ids.next()),
            thread: id,
            number: 1,
            sender: send.caller.clone(),
            sender_count: 1,
            position: self.next_position(),
            content: send.content.as_str().to_owned(),
            send_time: context.now,
            edit_time: None,
            revision: 1,
        };
        self.add_thread(ThreadState {
            thread: Thread {
                id,
                subject: send.subject.as_str().to_owned(),
                create_time: context.now,
                update_time: context.now,
                starter: send.caller.clone(),
                message_count: 1,
            },
            first_message_time: context.now,
            last_message: last_message(&message),
            participants: participants(send, &message, context.policy),
        });
        Ok(self.sent(message, 0, send.request.as_ref(), context))
    }

    /// Whoever is named must be known and active, where the service only delivers to such; a note
    /// to oneself is always possible.
    fn check_recipients(&self, send: &Send, policy: Policy) -> Result<(), Refusal> {
        if !policy.known_users_only {
            return Ok(());
        }
        let unknown: Vec<UserId> = send
            .recipients
            .iter()
            .filter(|recipient| **recipient != send.caller)
            .filter(|recipient| !self.record(recipient).can_be_written_to())
            .cloned()
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(Refusal::RecipientsNotFound(unknown))
        }
    }

    fn reply(&mut self, reply: &Reply, context: &Context<'_>) -> Result<Outcome, Refusal> {
        if let Some(earlier) = self.earlier_result(&reply.caller, reply.request.as_ref())? {
            return Ok(earlier);
        }
        let (state, replier) = self.participation(reply.thread, &reply.caller)?;
        let message = Message {
            id: MessageId(context.ids.next()),
            thread: reply.thread,
            number: state.thread.message_count + 1,
            sender: reply.caller.clone(),
            sender_count: state.participants[replier].sent_count + 1,
            position: self.next_position(),
            content: reply.content.as_str().to_owned(),
            send_time: time_of_change(state, context.now),
            edit_time: None,
            revision: 1,
        };

        for index in 0..state.participants.len() {
            self.change_participant(reply.thread, index, |participant| {
                participant.place_in(Placement::Inbox, context.now);
                participant.position = message.position;
                if index == replier {
                    participant.sent_count = message.sender_count;
                    participant.last_sent_number = message.number;
                    participant.read_number = message.number;
                    participant.unread_count = 0;
                } else {
                    participant.unread_count += 1;
                }
            });
        }
        self.change_thread(reply.thread, message.send_time, |state| {
            state.thread.message_count = message.number;
            state.last_message = last_message(&message);
            if let Some(subject) = &reply.subject {
                subject.as_str().clone_into(&mut state.thread.subject);
            }
        });
        Ok(self.sent(message, replier, reply.request.as_ref(), context))
    }

    fn edit(&mut self, edit: &Edit, context: &Context<'_>) -> Result<Outcome, Refusal> {
        let message = self.rows.messages.get(&edit.message);
        let message = message.ok_or(Refusal::MessageNotFound(edit.message))?;
        let (state, _) = self
            .participation(message.thread, &edit.caller)
            .map_err(|_| Refusal::MessageNotFound(edit.message))?;
        if message.sender != edit.caller {
            return Err(Refusal::NotTheSender(message.id));
        }
        if message.content == edit.content.as_str() {
            // Before the revision is looked at: this is how a retried edit comes back.
            return Ok(Outcome::Edited(Box::new(self.message_view(message))));
        }
        if let Some(expected) = edit.expected_revision
            && expected != message.revision
        {
            return Err(Refusal::RevisionStale {
                id: message.id,
                current: message.revision,
            });
        }

        let is_newest = message.number == state.thread.message_count;
        let edit_time = time_of_change(state, context.now);
        let mut edited = message.clone();
        edit.content.as_str().clone_into(&mut edited.content);
        edited.edit_time = Some(edit_time);
        edited.revision += 1;
        let former = Revision {
            message: message.id,
            revision: message.revision,
            content: message.content.clone(),
            replace_time: edit_time,
        };

        self.change_thread(edited.thread, edit_time, |state| {
            if is_newest {
                state.last_message = last_message(&edited);
            }
        });
        self.changed.revisions.push(former);
        let answer = self.message_view(&edited);
        self.tell_participants(EventKind::MessageEdited, &edited, None, context);
        self.changed.messages.insert(edited.id);
        self.rows.messages.insert(edited.id, edited);
        Ok(Outcome::Edited(Box::new(answer)))
    }

    /// What an earlier request of the same id made; none where there was none.
    fn earlier_result(
        &self,
        caller: &UserId,
        request: Option<&RequestKey>,
    ) -> Result<Option<Outcome>, Refusal> {
        let Some(request) = request else {
            return Ok(None);
        };
        let Some(earlier) = self.rows.requests.get(&(caller.clone(), request.id)) else {
            return Ok(None);
        };
        if earlier.fingerprint != request.fingerprint {
            return Err(Refusal::RequestIdReused);
        }
        let message = self.rows.messages.get(&earlier.message);
        let message = message.ok_or(Refusal::MessageNotFound(earlier.message))?;
        let (state, index) = self.participation(message.thread, caller)?;
        Ok(Some(Outcome::Sent(Box::new((
            self.message_view(message),
            self.view(state, index),
        )))))
    }

    /// Records a message that was appended, its request id and its event; and answers.
    fn sent(
        &mut self,
        message: Message,
        sender: usize,
        request: Option<&RequestKey>,
        context: &Context<'_>,
    ) -> Outcome {
        if let Some(request) = request {
            let key = (message.sender.clone(), request.id);
            let past = PastRequest {
                user: message.sender.clone(),
                id: request.id,
                fingerprint: request.fingerprint.clone(),
                message: message.id,
                time: context.now,
            };
            self.rows.requests.insert(key.clone(), past);
            self.changed.requests.push(key);
        }
        let answer = (
            self.message_view(&message),
            self.view(&self.rows.threads[&message.thread], sender),
        );
        self.append(message, request, context);
        Outcome::Sent(Box::new(answer))
    }

    /// Records a message and its event.
    fn append(&mut self, message: Message, request: Option<&RequestKey>, context: &Context<'_>) {
        self.appended
            .entry(message.thread)
            .or_default()
            .push((message.number, message.sender.clone()));
        self.tell_participants(EventKind::MessageSent, &message, request, context);
        self.changed.new_messages.insert(message.id);
        self.rows.messages.insert(message.id, message);
    }

    /// Changes a thread's own row; its update time never goes back.
    fn change_thread(
        &mut self,
        thread: ThreadId,
        time: Time,
        change: impl FnOnce(&mut ThreadState),
    ) {
        if let Some(state) = self.rows.threads.get_mut(&thread) {
            change(state);
            state.thread.update_time = state.thread.update_time.max(time);
            self.changed.threads.insert(thread);
        }
    }

    /// Writes the event of a message that was sent or edited.
    fn tell_participants(
        &mut self,
        kind: EventKind,
        message: &Message,
        request: Option<&RequestKey>,
        context: &Context<'_>,
    ) {
        let participants = &self.rows.threads[&message.thread].participants;
        let audience = participants
            .iter()
            .map(|participant| participant.user.clone())
            .collect();
        self.changed.events.push(Event {
            position: self.next_position(),
            id: EventId(context.ids.next()),
            kind,
            time: context.now,
            thread: message.thread,
            message: Some(message.id),
            actor: message.sender.clone(),
            request_id: request.map(|request| request.id),
            audience,
        });
    }

    pub(super) fn next_position(&self) -> i64 {
        let written = self.changed.events.last();
        written.map_or(self.rows.head.number, |event| event.position) + 1
    }
}

/// The participants of a new thread: the starter, then the recipients as named.
fn participants(send: &Send, message: &Message, policy: Policy) -> Vec<Participant> {
    let to_oneself = send.recipients == [send.caller.clone()];
    let starters_placement = if to_oneself || policy.show_started_threads {
        Placement::Inbox
    } else {
        Placement::Started
    };
    let starter = Participant {
        user: send.caller.clone(),
        place: 0,
        placement: starters_placement,
        placement_time: message.send_time,
        read_number: 1,
        unread_count: 0,
        sent_count: 1,
        last_sent_number: 1,
        position: message.position,
    };
    let others = send.recipients.iter().filter(|id| **id != send.caller);
    let recipients = others.zip(1..).map(|(recipient, place)| Participant {
        user: recipient.clone(),
        place,
        placement: Placement::Inbox,
        placement_time: message.send_time,
        read_number: 0,
        unread_count: 1,
        sent_count: 0,
        last_sent_number: 0,
        position: message.position,
    });
    std::iter::once(starter).chain(recipients).collect()
}

/// When a thread changes that is about to: now, but after its last change, whatever the clock does and however
/// many changes one batch makes. Whoever compares update times sees that there was one.
fn time_of_change(state: &ThreadState, now: Time) -> Time {
    now.max(Time(state.thread.update_time.0.saturating_add(1)))
}

fn last_message(message: &Message) -> LastMessage {
    LastMessage {
        sender: message.sender.clone(),
        send_time: message.send_time,
        snippet: snippet(&message.content).to_owned(),
    }
}
