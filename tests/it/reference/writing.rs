//! What each action does, and when it is refused.

use std::collections::BTreeSet;

use super::{
    Action, Answer, Message, MessageNo, Participant, Placement, Refusal, Request, Tenant, Thread,
    Version,
    log::{Event, Happening},
};

impl Tenant {
    /// Does what a caller asks for at a time.
    pub(crate) fn act(
        &mut self,
        caller: &str,
        now: i64,
        action: &Action,
    ) -> Result<Answer, Refusal> {
        if breaks_a_rule_of_form(caller, action) {
            return Err(Refusal::InvalidRequest);
        }
        self.meet(caller);
        match action {
            Action::Meet => Ok(Answer::Met),
            Action::Send { .. } => self.send(caller, now, action),
            Action::Reply { .. } => self.reply(caller, now, action),
            Action::Edit {
                message,
                content,
                expected_revision,
            } => self.edit(caller, now, *message, content, *expected_revision),
            Action::MarkRead {
                thread,
                up_to_number,
            } => self.mark_read(caller, now, *thread, *up_to_number),
            Action::MarkUnread(thread) => self.mark_unread(caller, now, *thread),
            Action::Delete(thread) => self.delete(caller, now, *thread),
            Action::Restore(thread) => self.restore(caller, now, *thread),
        }
    }

    pub(crate) fn meet(&mut self, user: &str) {
        if !self.known.iter().any(|known| known == user) {
            self.known.push(user.to_owned());
        }
    }

    fn can_be_written_to(&self, user: &String) -> bool {
        let mut deactivated = self.deactivated.iter();
        self.known.contains(user) && !deactivated.any(|(name, _)| name == user)
    }

    fn send(&mut self, caller: &str, now: i64, action: &Action) -> Result<Answer, Refusal> {
        let Action::Send {
            recipients,
            subject,
            content,
            request,
        } = action
        else {
            unreachable!("asked to send something else");
        };
        if let Some(earlier) = self.earlier(caller, *request, action)? {
            return Ok(earlier);
        }
        let others = others_once(caller, recipients);
        let unknown: Vec<_> = others
            .iter()
            .filter(|other| self.policy.known_users_only && !self.can_be_written_to(other))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(Refusal::RecipientsNotFound(unknown));
        }

        let starts_in_the_inbox = others.is_empty() || self.policy.show_started_threads;
        let mut participants = vec![Participant {
            user: caller.to_owned(),
            placement: if starts_in_the_inbox {
                Placement::Inbox
            } else {
                Placement::Started
            },
            placement_time: now,
            read_number: 1,
        }];
        participants.extend(others.into_iter().map(|user| Participant {
            user,
            placement: Placement::Inbox,
            placement_time: now,
            read_number: 0,
        }));
        self.threads.push(Thread {
            subject: subject.clone(),
            participants,
            messages: Vec::new(),
        });
        Ok(self.append(caller, now, self.threads.len() - 1, content, action))
    }

    fn reply(&mut self, caller: &str, now: i64, action: &Action) -> Result<Answer, Refusal> {
        let Action::Reply {
            thread,
            content,
            subject,
            request,
        } = action
        else {
            unreachable!("asked to reply something else");
        };
        if let Some(earlier) = self.earlier(caller, *request, action)? {
            return Ok(earlier);
        }
        self.place_of(caller, *thread)?;
        let send_time = self.time_of_change(*thread, now);
        let state = &mut self.threads[*thread];
        let number = state.newest_number() + 1;
        for participant in &mut state.participants {
            participant.place_in(Placement::Inbox, now);
            if participant.user == caller {
                participant.read_number = number;
            }
        }
        if let Some(subject) = subject {
            state.subject.clone_from(subject);
        }
        Ok(self.append(caller, send_time, *thread, content, action))
    }

    /// Each change of a thread has a later time than the one before.
    fn time_of_change(&self, thread: usize, now: i64) -> i64 {
        now.max(self.thread(thread).update_time.saturating_add(1))
    }

    fn append(
        &mut self,
        caller: &str,
        send_time: i64,
        thread: usize,
        content: &str,
        action: &Action,
    ) -> Answer {
        self.threads[thread].messages.push(Message {
            sender: caller.to_owned(),
            versions: vec![Version {
                content: content.into(),
                time: send_time,
            }],
        });
        let message = MessageNo {
            thread,
            number: self.threads[thread].newest_number(),
        };
        let request = request_id(action);
        if let Some(id) = request {
            self.requests.push(Request {
                user: caller.to_owned(),
                id,
                asked: in_the_form_to_compare(caller, action),
                message,
            });
        }
        self.log.push(Event {
            happening: Happening::Sent(message),
            actor: caller.to_owned(),
            audience: self.threads[thread].people(),
            request,
        });
        self.sent(caller, message)
    }

    fn sent(&self, caller: &str, message: MessageNo) -> Answer {
        let view = self.view(caller, message.thread);
        Answer::Sent(
            self.message(message),
            view.expect("a sender takes part in the thread"),
        )
    }

    /// The answer to a request that was carried out before under the same id.
    fn earlier(
        &self,
        caller: &str,
        request: Option<u32>,
        action: &Action,
    ) -> Result<Option<Answer>, Refusal> {
        let mut requests = self.requests.iter();
        let earlier = requests.find(|past| past.user == caller && Some(past.id) == request);
        match earlier {
            None => Ok(None),
            Some(past) if past.asked == in_the_form_to_compare(caller, action) => {
                Ok(Some(self.sent(caller, past.message)))
            }
            Some(_) => Err(Refusal::RequestIdReused),
        }
    }

    fn edit(
        &mut self,
        caller: &str,
        now: i64,
        name: MessageNo,
        content: &str,
        expected_revision: Option<i32>,
    ) -> Result<Answer, Refusal> {
        self.place_of(caller, name.thread)
            .map_err(|_| Refusal::MessageNotFound)?;
        let index = usize::try_from(name.number - 1).map_err(|_| Refusal::MessageNotFound)?;
        let time = self.time_of_change(name.thread, now);
        let thread = &mut self.threads[name.thread];
        let audience = thread.people();
        let message = thread.messages.get_mut(index);
        let message = message.ok_or(Refusal::MessageNotFound)?;
        if message.sender != caller {
            return Err(Refusal::NotTheSender);
        }
        if *message.newest().content == *content {
            return Ok(Answer::Edited(self.message(name)));
        }
        let current = message.revision();
        if expected_revision.is_some_and(|expected| expected != current) {
            return Err(Refusal::RevisionStale { current });
        }
        message.versions.push(Version {
            content: content.into(),
            time,
        });
        self.log.push(Event {
            happening: Happening::Edited(name),
            actor: caller.to_owned(),
            audience,
            request: None,
        });
        Ok(Answer::Edited(self.message(name)))
    }

    fn mark_read(
        &mut self,
        caller: &str,
        now: i64,
        thread: usize,
        up_to_number: Option<i32>,
    ) -> Result<Answer, Refusal> {
        let place = self.place_of(caller, thread)?;
        let newest = self.threads[thread].newest_number();
        let number = up_to_number.unwrap_or(newest).min(newest);
        let moves = number > self.threads[thread].participants[place].read_number;
        self.change_view(caller, now, thread, moves, |participant, _| {
            participant.read_number = number;
        })
    }

    fn mark_unread(&mut self, caller: &str, now: i64, thread: usize) -> Result<Answer, Refusal> {
        self.place_of(caller, thread)?;
        let of_others = self.threads[thread].numbers_of_others(caller);
        let unread = self.unread_numbers(caller, thread);
        let moves = unread.is_empty() && !of_others.is_empty();
        self.change_view(caller, now, thread, moves, |participant, _| {
            participant.read_number = of_others[of_others.len() - 1] - 1;
        })
    }

    fn delete(&mut self, caller: &str, now: i64, thread: usize) -> Result<Answer, Refusal> {
        let place = self.place_of(caller, thread)?;
        let placement = self.threads[thread].participants[place].placement;
        let moves = placement != Placement::Deleted;
        self.change_view(caller, now, thread, moves, |participant, now| {
            participant.place_in(Placement::Deleted, now);
        })
    }

    fn restore(&mut self, caller: &str, now: i64, thread: usize) -> Result<Answer, Refusal> {
        let place = self.place_of(caller, thread)?;
        let state = &self.threads[thread];
        let moves = state.participants[place].placement == Placement::Deleted;
        let only_message_is_the_callers =
            state.messages.len() == 1 && state.messages[0].sender == caller;
        let started = state.participants.len() > 1
            && only_message_is_the_callers
            && !self.policy.show_started_threads;
        self.change_view(caller, now, thread, moves, |participant, now| {
            let placement = if started {
                Placement::Started
            } else {
                Placement::Inbox
            };
            participant.place_in(placement, now);
        })
    }

    /// Changes the caller's own part where there is something to change; then it is an event.
    fn change_view(
        &mut self,
        caller: &str,
        now: i64,
        thread: usize,
        changes: bool,
        change: impl FnOnce(&mut Participant, i64),
    ) -> Result<Answer, Refusal> {
        let place = self.place_of(caller, thread)?;
        if changes {
            change(&mut self.threads[thread].participants[place], now);
            self.log.push(Event {
                happening: Happening::Changed(thread),
                actor: caller.to_owned(),
                audience: vec![caller.to_owned()],
                request: None,
            });
        }
        let view = self.view(caller, thread);
        view.map(Answer::Viewed).ok_or(Refusal::ThreadNotFound)
    }
}

impl Participant {
    fn place_in(&mut self, placement: Placement, now: i64) {
        if self.placement != placement {
            self.placement = placement;
            self.placement_time = now;
        }
    }
}

/// The recipients without doubles and without the caller; nobody: a note to oneself.
fn others_once(caller: &str, named: &[String]) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for name in named {
        if name != caller && !others.contains(name) {
            others.push(name.clone());
        }
    }
    others
}

fn in_the_form_to_compare(caller: &str, action: &Action) -> Action {
    let mut asked = action.clone();
    if let Action::Send { recipients, .. } = &mut asked {
        let distinct: BTreeSet<String> = others_once(caller, recipients).into_iter().collect();
        *recipients = distinct.into_iter().collect();
    }
    asked
}

fn request_id(action: &Action) -> Option<u32> {
    match action {
        Action::Send { request, .. } | Action::Reply { request, .. } => *request,
        _ => None,
    }
}

fn breaks_a_rule_of_form(caller: &str, action: &Action) -> bool {
    match action {
        Action::Send {
            recipients,
            subject,
            content,
            ..
        } => {
            recipients.is_empty()
                || recipients.iter().any(|name| is_bad_user_id(name))
                || others_once(caller, recipients).len() > 100
                || is_bad_subject(subject)
                || is_bad_content(content)
        }
        Action::Reply {
            content, subject, ..
        } => is_bad_content(content) || subject.as_deref().is_some_and(is_bad_subject),
        Action::Edit {
            content,
            expected_revision,
            ..
        } => is_bad_content(content) || expected_revision.is_some_and(|number| number < 0),
        Action::MarkRead { up_to_number, .. } => up_to_number.is_some_and(|number| number < 0),
        Action::Meet | Action::MarkUnread(_) | Action::Delete(_) | Action::Restore(_) => false,
    }
}

fn is_bad_user_id(text: &str) -> bool {
    let visible = text
        .chars()
        .all(|character| ('!'..='~').contains(&character));
    text.is_empty() || text.len() > 128 || !visible || text.starts_with("letterbox:")
}

fn is_bad_subject(text: &str) -> bool {
    text.trim().is_empty() || text.chars().count() > 150 || text.chars().any(char::is_control)
}

fn is_bad_content(text: &str) -> bool {
    text.trim().is_empty() || text.len() > 65_536 || text.contains('\0')
}
