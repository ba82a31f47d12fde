//! What a user sees: worked out from the messages, the read marks and the placements.

use super::{
    Action, Answer, Folder, Message, MessageNo, MessageSeen, Order, Placement, Refusal, Tenant,
    Thread, ThreadSeen, Version, View, log::Happening,
};

/// A user's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) inbox_threads: usize,
    pub(crate) unread_threads: usize,
    pub(crate) deleted_threads: usize,
    pub(crate) unread_messages: i32,
}

/// Which of a thread's messages to read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) thread: usize,
    pub(crate) order: Order,
    pub(crate) exclude_sender: Option<String>,
}

impl Reading {
    /// Where a page begins that is to begin with a number, or with the next one in the order.
    pub(crate) fn place_of(&self, start_number: i32, all: &[MessageSeen]) -> usize {
        let mut messages = all.iter();
        let place = messages.position(|message| match self.order {
            _ if start_number == 0 => true,
            Order::OldestFirst => message.name.number >= start_number,
            Order::NewestFirst => message.name.number <= start_number,
        });
        place.unwrap_or(all.len())
    }
}

impl Thread {
    /// How many messages there are.
    pub(crate) fn newest_number(&self) -> i32 {
        number_of(self.messages.len())
    }

    /// Who takes part, in their order.
    pub(crate) fn people(&self) -> Vec<String> {
        let users = self.participants.iter();
        users.map(|participant| participant.user.clone()).collect()
    }

    /// The numbers of the messages that others than this user have sent.
    pub(crate) fn numbers_of_others(&self, user: &str) -> Vec<i32> {
        let numbered = self.messages.iter().zip(1..);
        numbered
            .filter(|(message, _)| message.sender != user)
            .map(|(_, number)| number)
            .collect()
    }
}

impl Message {
    pub(crate) fn newest(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }

    pub(crate) fn send_time(&self) -> i64 {
        self.versions[0].time
    }

    pub(crate) fn revision(&self) -> i32 {
        number_of(self.versions.len())
    }
}

impl Tenant {
    /// A user's place among a thread's participants; outsiders are told that there is no thread.
    pub(crate) fn place_of(&self, user: &str, thread: usize) -> Result<usize, Refusal> {
        let thread = self.threads.get(thread).ok_or(Refusal::ThreadNotFound)?;
        let mut participants = thread.participants.iter();
        participants
            .position(|participant| participant.user == user)
            .ok_or(Refusal::ThreadNotFound)
    }

    /// The numbers of the messages of others after a user's read mark.
    pub(crate) fn unread_numbers(&self, user: &str, thread: usize) -> Vec<i32> {
        let Ok(place) = self.place_of(user, thread) else {
            return Vec::new();
        };
        let mark = self.threads[thread].participants[place].read_number;
        let mut numbers = self.threads[thread].numbers_of_others(user);
        numbers.retain(|number| *number > mark);
        numbers
    }

    /// The position of the event of a thread's newest message.
    pub(crate) fn newest_message_position(&self, thread: usize) -> usize {
        let mut log = self.log.iter();
        let index = log.rposition(
            |event| matches!(event.happening, Happening::Sent(message) if message.thread == thread),
        );
        index.map_or(0, |index| index + 1)
    }

    pub(crate) fn message(&self, name: MessageNo) -> MessageSeen {
        let index = usize::try_from(name.number - 1).expect("numbers begin with 1");
        let message = &self.threads[name.thread].messages[index];
        MessageSeen {
            name,
            sender: message.sender.clone(),
            content: message.newest().content.to_string(),
            send_time: message.send_time(),
            edit_time: (message.versions.len() > 1).then(|| message.newest().time),
            revision: message.revision(),
        }
    }

    pub(crate) fn thread(&self, name: usize) -> ThreadSeen {
        let thread = &self.threads[name];
        let versions = thread.messages.iter().flat_map(|message| &message.versions);
        ThreadSeen {
            name,
            subject: thread.subject.clone(),
            create_time: thread.messages[0].send_time(),
            update_time: versions.map(|version| version.time).max().unwrap_or(0),
            participants: thread.people(),
            message_count: thread.newest_number(),
        }
    }

    /// A thread as one user sees it; none for an outsider.
    pub(crate) fn view(&self, viewer: &str, name: usize) -> Option<View> {
        let place = self.place_of(viewer, name).ok()?;
        let thread = &self.threads[name];
        let participant = &thread.participants[place];
        let unread = self.unread_numbers(viewer, name);
        let last = thread.messages.last()?;
        Some(View {
            thread: self.thread(name),
            placement: participant.placement,
            unread: !unread.is_empty(),
            unread_count: number_of(unread.len()),
            read_number: participant.read_number,
            first_message_time: thread.messages[0].send_time(),
            last_message_time: last.send_time(),
            last_sender: last.sender.clone(),
            snippet: last.newest().content.chars().take(200).collect(),
            started_by_viewer: place == 0,
        })
    }

    /// What a folder lists, newest message first.
    pub(crate) fn list(&self, viewer: &str, folder: Folder) -> Vec<View> {
        let mut names: Vec<usize> = (0..self.threads.len()).collect();
        names.sort_by_key(|name| std::cmp::Reverse(self.newest_message_position(*name)));
        let views = names.iter().filter_map(|name| self.view(viewer, *name));
        views
            .filter(|view| {
                let in_inbox = view.placement == Placement::Inbox;
                let deleted = view.placement == Placement::Deleted;
                match folder {
                    Folder::Inbox => in_inbox,
                    Folder::Unread => in_inbox && view.unread,
                    Folder::Sent => !deleted && self.has_sent(viewer, view.thread.name),
                    Folder::Deleted => deleted,
                    Folder::All => true,
                }
            })
            .collect()
    }

    pub(crate) fn has_sent(&self, user: &str, thread: usize) -> bool {
        let mut messages = self.threads[thread].messages.iter();
        messages.any(|message| message.sender == user)
    }

    pub(crate) fn summary(&self, viewer: &str) -> Summary {
        let inbox = self.list(viewer, Folder::Inbox);
        Summary {
            inbox_threads: inbox.len(),
            unread_threads: self.list(viewer, Folder::Unread).len(),
            deleted_threads: self.list(viewer, Folder::Deleted).len(),
            unread_messages: inbox.iter().map(|view| view.unread_count).sum(),
        }
    }

    /// All of a thread's messages that a reading takes in.
    pub(crate) fn read(
        &self,
        viewer: &str,
        reading: &Reading,
    ) -> Result<Vec<MessageSeen>, Refusal> {
        self.place_of(viewer, reading.thread)?;
        let thread = reading.thread;
        let numbers = 1..=self.threads[thread].newest_number();
        let mut messages: Vec<_> = numbers
            .map(|number| self.message(MessageNo { thread, number }))
            .filter(|message| Some(&message.sender) != reading.exclude_sender.as_ref())
            .collect();
        if reading.order == Order::NewestFirst {
            messages.reverse();
        }
        Ok(messages)
    }

    /// What marking the messages of a page as read makes of the view.
    pub(crate) fn mark_page_read(
        &mut self,
        viewer: &str,
        now: i64,
        thread: usize,
        page: &[MessageSeen],
    ) -> Option<View> {
        let numbers = page.iter().map(|message| message.name.number);
        let up_to_number = Some(numbers.max().unwrap_or(0));
        let marked = Action::MarkRead {
            thread,
            up_to_number,
        };
        match self.act(viewer, now, &marked) {
            Ok(Answer::Viewed(view)) => Some(view),
            _ => None,
        }
    }
}

fn number_of(count: usize) -> i32 {
    i32::try_from(count).expect("tests stay small")
}
