//! What the package says of its data, and whether a server shows the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{processes::Server, support::prelude::*};

/// What the package says of its data.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    /// The names of users, by their keys.
    names: BTreeMap<String, String>,
    /// Newest message first.
    pub(super) threads: Vec<ToldThread>,
    /// What the package counts for each user.
    package: BTreeMap<String, Counted>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToldThread {
    pub(super) subject: String,
    /// Sender, content, time in microseconds.
    messages: Vec<(String, String, i64)>,
    /// Where it lies for each user, and how much of it is unread.
    pub(super) views: BTreeMap<String, (String, i32)>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Counted {
    inbox: i32,
    unread: i32,
    deleted: i32,
    /// Messages that the user has sent.
    messages: usize,
}

/// A user's view of a thread, in words that both sides have.
#[derive(Debug, PartialEq)]
struct Seen {
    subject: String,
    place: String,
    unread: i32,
    /// Everybody who takes part, in the order of their ids.
    users: Vec<String>,
    starter: bool,
    messages: usize,
    /// When the first and the last message were sent, in microseconds.
    times: [i64; 2],
    last_sender: String,
}

impl ToldThread {
    /// How this user should see it; none: the user takes no part.
    fn seen_by(&self, user: &str) -> Option<Seen> {
        let (place, unread) = self.views.get(user)?;
        let (first, last) = (self.messages.first()?, self.messages.last()?);
        Some(Seen {
            subject: self.subject.clone(),
            place: place.clone(),
            unread: *unread,
            users: self.views.keys().cloned().collect(),
            starter: first.0 == user,
            messages: self.messages.len(),
            times: [first.2, last.2],
            last_sender: last.0.clone(),
        })
    }

    fn has_message_of(&self, user: &str) -> bool {
        self.messages.iter().any(|(sender, ..)| sender == user)
    }
}

impl Told {
    fn messages(&self) -> impl Iterator<Item = &(String, String, i64)> {
        self.threads.iter().flat_map(|thread| &thread.messages)
    }

    pub(super) fn message_count(&self) -> usize {
        self.messages().count()
    }

    /// Everybody who takes part in something, and everybody else whom the package knows.
    fn users(&self) -> Vec<&String> {
        let viewers = self.threads.iter().flat_map(|thread| thread.views.keys());
        let mut users: Vec<&String> = viewers.chain(self.names.keys()).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Checks that the server has all of this and nothing else.
    pub(super) async fn assert_served(&self, server: &Server) {
        for user in self.users() {
            let client = Client::over(server.connect()).with("x-user-id", user);
            let own: Vec<(&ToldThread, Seen)> = self
                .threads
                .iter()
                .filter_map(|thread| Some((thread, thread.seen_by(user)?)))
                .collect();
            for (folder, holds) in folders(user) {
                let listed = everything(&client, folder).await;
                let found: Vec<Seen> = listed.iter().map(seen).collect();
                let expected = own.iter().filter(|(thread, seen)| holds(thread, seen));
                let expected: Vec<&Seen> = expected.map(|(_, seen)| seen).collect();
                assert_eq!(
                    found.iter().collect::<Vec<_>>(),
                    expected,
                    "{user}: {folder:?}"
                );
                let total = client.list(folder).await.total_size;
                assert_eq!(total, count(expected.len()), "{user}: {folder:?}");
                if folder == Folder::All {
                    let mine = own.iter().map(|(thread, _)| *thread);
                    assert_messages(&client, mine.zip(&listed)).await;
                }
            }
            assert_counted(user, &client, own.iter().map(|(_, seen)| seen)).await;
        }
    }

    /// Checks the counts against the package's own.
    pub(super) async fn assert_counted_by_the_package(&self, server: &Server) {
        for (user, counted) in &self.package {
            let client = Client::over(server.connect()).with("x-user-id", user);
            let all = everything(&client, Folder::All).await;
            let started = all.iter().filter(|view| seen(view).place == "started");
            let summary = client.summary().await;
            let found = Counted {
                inbox: summary.inbox_thread_count,
                unread: summary.unread_thread_count,
                // The package has one flag for what is deleted and what waits for an answer.
                deleted: summary.deleted_thread_count + count(started.count()),
                messages: self
                    .messages()
                    .filter(|(sender, ..)| sender == user)
                    .count(),
            };
            assert_eq!(found, *counted, "user {user}");
        }
    }
}

type Holds = fn(&str, &ToldThread, &Seen) -> bool;

/// Every folder of a user's, and what it holds.
fn folders(user: &str) -> impl Iterator<Item = (Folder, impl Fn(&ToldThread, &Seen) -> bool)> {
    let folders: [(Folder, Holds); 5] = [
        (Folder::All, |_, _, _| true),
        (Folder::Inbox, |_, _, seen| seen.place == "inbox"),
        (Folder::Unread, |_, _, seen| {
            seen.place == "inbox" && seen.unread > 0
        }),
        (Folder::Sent, |user, thread, seen| {
            seen.place != "deleted" && thread.has_message_of(user)
        }),
        (Folder::Deleted, |_, _, seen| seen.place == "deleted"),
    ];
    folders.into_iter().map(move |(folder, holds)| {
        (folder, move |thread: &ToldThread, seen: &Seen| {
            holds(user, thread, seen)
        })
    })
}

/// Checks threads message by message.
async fn assert_messages(
    client: &Client,
    threads: impl Iterator<Item = (&ToldThread, &ThreadView)>,
) {
    for (told, view) in threads {
        let found = messages_of(client, &view.thread().id).await;
        assert_eq!(found, told.messages, "{}", told.subject);
    }
}

/// Checks a user's counts against what lies where.
async fn assert_counted(user: &str, client: &Client, own: impl Iterator<Item = &Seen>) {
    let (mut inbox, mut deleted, mut unread, mut unread_messages) = (0, 0, 0, 0);
    for seen in own {
        match seen.place.as_str() {
            "inbox" => {
                inbox += 1;
                unread += i32::from(seen.unread > 0);
                unread_messages += seen.unread;
            }
            "deleted" => deleted += 1,
            _ => {}
        }
    }
    let summary = client.summary().await;
    assert_eq!(summary.inbox_thread_count, inbox, "user {user}");
    assert_eq!(summary.deleted_thread_count, deleted, "user {user}");
    assert_eq!(summary.unread_thread_count, unread, "user {user}");
    assert_eq!(summary.unread_message_count, unread_messages, "user {user}");
}

fn count(count: usize) -> i32 {
    i32::try_from(count).expect("not that many")
}

/// A whole folder.
pub(super) async fn everything(client: &Client, folder: Folder) -> Vec<ThreadView> {
    let mut all = Vec::new();
    let mut request = ListInboxRequest {
        folder: folder.into(),
        page_size: 200,
        ..Default::default()
    };
    loop {
        let page = client.list_inbox(request.clone()).await;
        let page = page.expect("a folder is listed");
        all.extend(page.threads);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return all;
        }
    }
}

/// A view in words that the package has, too.
fn seen(view: &ThreadView) -> Seen {
    let place = match view.placement() {
        Placement::Inbox => "inbox",
        Placement::Started => "started",
        Placement::Deleted => "deleted",
        Placement::Unspecified => "nowhere",
    };
    let mut users: Vec<String> = view.participants().into_iter().map(str::to_owned).collect();
    users.sort_unstable();
    let times = [view.first_message_time, view.last_message_time];
    assert_eq!(view.unread, view.unread_count > 0);
    Seen {
        subject: view.subject().to_owned(),
        place: place.to_owned(),
        unread: view.unread_count,
        users,
        starter: view.started_by_viewer,
        messages: usize::try_from(view.thread().message_count).expect("a count"),
        times: times.map(|time| micros(time.expect("a time"))),
        last_sender: view.last_sender().to_owned(),
    }
}

fn micros(time: prost_types::Timestamp) -> i64 {
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000
}

/// All messages of a thread: sender, content, time.
async fn messages_of(client: &Client, thread: &str) -> Vec<(String, String, i64)> {
    let mut all = Vec::new();
    let mut request = GetThreadRequest {
        thread_id: thread.to_owned(),
        page_size: 200,
        ..Default::default()
    };
    loop {
        let page = client.get_thread(request.clone()).await;
        let page = page.expect("a thread is read");
        all.extend(page.messages.into_iter().map(|message| {
            (
                message.sender.expect("a sender").id,
                message.content,
                micros(message.send_time.expect("a time")),
            )
        }));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return all;
        }
    }
}
