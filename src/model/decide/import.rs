//! An import: the rows and counts that history would have left, had it happened here.
//!
//! Each message is appended in its turn, with its event; nobody's read mark and placement move
//! meanwhile, since what came of them in the end is known. The events carry the time of their
//! thread's newest message, which grows along the log as an import goes in that order: retention
//! removes them as old as they are, and a watch from before the import has expired.

use super::{
    super::{
        Context, Import, Imported, ImportedMessage, ImportedParticipant, ImportedThread,
        LastMessage, Message, Participant, Placement, State, Thread, ThreadId, ThreadState,
    },
    last_message,
};

impl State {
    /// Carries out a piece of an import; what is there already stays as it is.
    pub fn import(&mut self, import: &Import, context: &Context<'_>) -> Imported {
        let mut imported = Imported::default();
        self.changed.time = Some(context.now);
        for (user, profile) in &import.users {
            let was_known = self.record(user).known_time.is_some();
            self.meet(user, context.now);
            self.learn_what_nobody_told(user, profile);
            imported.users += u64::from(!was_known);
        }
        for thread in &import.threads {
            self.import_thread(thread, context, &mut imported);
        }
        imported
    }

    fn import_thread(
        &mut self,
        thread: &ImportedThread,
        context: &Context<'_>,
        imported: &mut Imported,
    ) {
        let is_there = |message: &&ImportedMessage| self.rows.messages.contains_key(&message.id);
        let (there, missing): (Vec<_>, Vec<_>) = thread.messages.iter().partition(is_there);
        imported.messages_there += there.len() as u64;
        let Some(first) = missing.first() else {
            return;
        };
        if !self.rows.threads.contains_key(&thread.id) {
            self.begin_thread(thread, first);
            imported.threads += 1;
        }
        let then = Context {
            now: thread.newest_time.min(context.now),
            ..*context
        };
        let mut appended = 0;
        for message in &missing {
            appended += u64::from(self.append_imported(thread.id, message, &then));
        }
        imported.messages += appended;
        imported.messages_of_strangers += missing.len() as u64 - appended;
        if appended == 0 {
            // As it is here, its people may have read and deleted it.
            return;
        }
        self.change_thread(thread.id, thread.update_time, |_| {});
        for participant in &thread.participants {
            self.file(thread.id, participant, context);
        }
    }

    /// Adds a thread that has no message yet.
    fn begin_thread(&mut self, thread: &ImportedThread, first: &ImportedMessage) {
        let participants = thread.participants.iter().zip(0..);
        let participants: Vec<Participant> = participants
            .map(|(participant, place)| Participant {
                user: participant.user.clone(),
                place,
                placement: Placement::Inbox,
                placement_time: first.send_time,
                read_number: 0,
                unread_count: 0,
                sent_count: 0,
                last_sent_number: 0,
                position: self.next_position(),
            })
            .collect();
        for participant in &participants {
            self.mention(&participant.user);
        }
        self.add_thread(ThreadState {
            thread: Thread {
                id: thread.id,
                subject: thread.subject.as_str().to_owned(),
                create_time: first.send_time,
                update_time: first.send_time,
                starter: first.sender.clone(),
                message_count: 0,
            },
            first_message_time: first.send_time,
            last_message: LastMessage {
                sender: first.sender.clone(),
                send_time: first.send_time,
                snippet: String::new(),
            },
            participants,
        });
    }

    /// Appends a message; not one whose sender takes no part.
    fn append_imported(
        &mut self,
        thread: ThreadId,
        imported: &ImportedMessage,
        then: &Context<'_>,
    ) -> bool {
        let Ok((state, sender)) = self.participation(thread, &imported.sender) else {
            return false;
        };
        let message = Message {
            id: imported.id,
            thread,
            number: state.thread.message_count + 1,
            sender: imported.sender.clone(),
            sender_count: state.participants[sender].sent_count + 1,
            position: self.next_position(),
            content: imported.content.as_str().to_owned(),
            send_time: imported.send_time.max(state.last_message.send_time),
            edit_time: None,
            revision: 1,
        };
        for index in 0..state.participants.len() {
            self.change_participant(thread, index, |participant| {
                participant.position = message.position;
                if index == sender {
                    participant.sent_count = message.sender_count;
                    participant.last_sent_number = message.number;
                } else {
                    // What comes of it in the end is not told of those who have left the source.
                    participant.unread_count += 1;
                }
            });
        }
        self.change_thread(thread, message.send_time, |state| {
            state.thread.message_count = message.number;
            state.last_message = last_message(&message);
        });
        self.append(message, None, then);
        true
    }

    /// Sets a participant's read mark and placement.
    fn file(&mut self, thread: ThreadId, imported: &ImportedParticipant, context: &Context<'_>) {
        let Ok((state, index)) = self.participation(thread, &imported.user) else {
            return;
        };
        let newest = state.thread.message_count;
        let time = state.last_message.send_time;
        let placement = if !imported.deleted {
            Placement::Inbox
        } else if Self::waits_for_an_answer(state, index, context.policy) {
            Placement::Started
        } else {
            Placement::Deleted
        };
        self.change_participant(thread, index, |participant| {
            // After one's own last message there are only those of others.
            participant.read_number = if imported.unread {
                participant.last_sent_number
            } else {
                newest
            };
            participant.unread_count = newest - participant.read_number;
            participant.placement = placement;
            participant.placement_time = time;
        });
    }
}
