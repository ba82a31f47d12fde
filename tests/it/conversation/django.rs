//! `letterbox import django`, on data that the real package has made and that the package itself
//! tells of (`tests/import/package.py`): every thread of every user, message by message.

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use serde::Deserialize;

use crate::{
    processes::{Deployment, Ended, Process, Server},
    support::prelude::*,
};

/// How many messages the larger data set has; `LETTERBOX_TEST_DJANGO_MESSAGES` says otherwise.
const MANY: &str = "3000";

/// How long a command may take over the larger data set.
const LONG: Duration = Duration::from_mins(10);

/// A database that the package has filled.
struct Package(Deployment);

/// What the package says of its data.
#[derive(Debug, Deserialize)]
struct Told {
    /// The names of users, by their keys.
    names: BTreeMap<String, String>,
    /// Newest message first.
    threads: Vec<ToldThread>,
    /// What the package counts for each user.
    package: BTreeMap<String, Counted>,
}

#[derive(Debug, Deserialize)]
struct ToldThread {
    subject: String,
    /// Sender, content, time in microseconds.
    messages: Vec<(String, String, i64)>,
    /// Where it lies for each user, and how much of it is unread.
    views: BTreeMap<String, (String, i32)>,
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

impl Package {
    /// A database of this kind, filled by this command of `package.py`.
    async fn filled(database: Database, command: &[&str]) -> Self {
        let package = Self(Deployment::new(database).await);
        package.run(command).await;
        package
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
        let mut command = Command::new("python3");
        command
            .current_dir(folder)
            .arg("package.py")
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DJANGO_DATABASE", self.0.url());
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output
            .expect("it is waited for")
            .expect("a python3 with the package is on the path");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("it speaks UTF-8")
    }

    async fn told(&self) -> Told {
        serde_json::from_str(&self.run(&["tell"]).await).expect("it tells JSON")
    }

    /// The import from here.
    fn import(&self, target: &Deployment, arguments: &[&str]) -> Process {
        let mut command = target.command(&["import", "django", "--from", self.0.url()]);
        command.args(arguments);
        Process::start(command)
    }

    /// The import from here, to its good end.
    async fn imported(&self, target: &Deployment, arguments: &[&str]) -> Ended {
        let importing = self.import(target, arguments);
        let ended = importing.ended_within(LONG).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }
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

    fn message_count(&self) -> usize {
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
    async fn assert_served(&self, server: &Server) {
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
    async fn assert_counted_by_the_package(&self, server: &Server) {
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
async fn everything(client: &Client, folder: Folder) -> Vec<ThreadView> {
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

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_keeps_what_the_package_has_and_repairs_what_its_bugs_left(
    #[values(Database::Sqlite, Database::Postgres)] source: Database,
    #[values(Database::Sqlite, Database::Postgres)] target: Database,
) {
    let package = Package::filled(source, &["leftovers"]).await;
    let told = package.told().await;
    let target = Deployment::new(target).await;

    let ended = package.imported(&target, &["--dry-run"]).await;
    assert!(
        ended
            .stdout
            .contains(&"imported: nothing (--dry-run)".to_owned())
    );
    target.check().await;
    assert_eq!(target.count("messages", "true").await, 0);

    let account = package.imported(&target, &[]).await.stdout;
    let (threads, messages) = (told.threads.len(), told.message_count());
    let mut expected = vec![
        format!("imported: 5 users, {threads} threads, {messages} messages"),
        "repaired: 2 further rows of the same user".to_owned(),
        "repaired: 2 senders who take no part".to_owned(),
        "repaired: 3 threads unread by the sender".to_owned(),
        "repaired: 1 users who are gone".to_owned(),
        "repaired: 1 threads that are gone".to_owned(),
        "repaired: 1 blank subjects".to_owned(),
        "repaired: 1 subjects with control characters".to_owned(),
        "repaired: 1 blank messages".to_owned(),
        "repaired: 1 messages over 65,536 bytes".to_owned(),
        "skipped: 2 threads without a message".to_owned(),
        "skipped: 2 rows of users in threads without a message".to_owned(),
    ];
    if source == Database::Sqlite {
        expected.push("repaired: 1 subjects over 150 characters".to_owned());
        expected.push("repaired: 1 messages with NUL characters".to_owned());
    }
    for line in expected {
        let found = account.iter().any(|found| found.starts_with(&line));
        assert!(found, "{line:?} is not in {account:#?}");
    }

    let again = package.imported(&target, &[]).await.stdout;
    assert_eq!(again[1], "imported: 0 users, 0 threads, 0 messages");
    let there = format!("there already: 5 users, {threads} threads, {messages} messages");
    assert_eq!(again[2], there);
    target.check().await;

    let server = target.serve(&["--known-users-only"]).await;
    told.assert_served(&server).await;
    let ana = Client::over(server.connect()).with("x-user-id", "1");
    let sent = ana.start("now", &["2"], "Ben is known.").await;
    let user = sent.message.sender.expect("a sender");
    assert_eq!(
        (user.first_name, user.email),
        ("Ana".into(), "ana@example.org".into())
    );
    server.stop().await;
    target.check().await;
}

#[rstest]
#[case::from_a_file(Database::Sqlite, Database::Postgres)]
#[case::from_postgres(Database::Postgres, Database::Sqlite)]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_goes_on_and_ends_as_one_that_was_not(
    #[case] source: Database,
    #[case] target: Database,
) {
    let many = std::env::var("LETTERBOX_TEST_DJANGO_MESSAGES").unwrap_or(MANY.to_owned());
    let package = Package::filled(source, &["many", &many]).await;
    let told = package.told().await;
    let target = Deployment::new(target).await;
    let ended = target.run(&["migrate"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let all = i64::try_from(told.message_count()).expect("a count");
    let mut before = 0;
    // At the beginning, and in the middle.
    for share in [0, all / 3] {
        let importing = package.import(&target, &[]);
        let enough = share.max(before);
        let written =
            async || Some(target.count("messages", "true").await).filter(|now| *now > enough);
        before = eventually_within(LONG, "some of the messages", written).await;
        importing.kill();
        target.check_within(LONG).await;
    }
    assert!(before < all, "{before} of {all} before it was killed last");

    package.imported(&target, &[]).await;
    assert_eq!(target.count("messages", "true").await, all);
    target.check_within(LONG).await;
    let server = target.serve(&[]).await;
    told.assert_served(&server).await;
    told.assert_counted_by_the_package(&server).await;
    server.stop().await;
    target.check_within(LONG).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_to_a_tenant_of_its_own_unless_told_to_merge() {
    let package = Package::filled(Database::Sqlite, &["leftovers"]).await;
    let target = Deployment::new(Database::Sqlite).await;
    let server = target.serve(&[]).await;
    let ana = Client::over(server.connect()).with("x-user-id", "1");
    ana.start("before", &["2"], "Somebody was here.").await;
    let token = ana.summary().await.resume_token;
    server.stop().await;

    let line = package.import(&target, &[]).refused(1).await;
    assert!(
        line.contains("1 threads that this import has not made"),
        "{line}"
    );
    package.imported(&target, &["--tenant", "old"]).await;
    package.imported(&target, &["--merge"]).await;
    let line = package.import(&target, &[]).refused(1).await;
    assert!(line.contains("--merge"), "{line}");
    target.check().await;

    let server = target.serve(&[]).await;
    let ana = Client::over(server.connect()).with("x-user-id", "1");
    let merged = everything(&ana, Folder::All).await;
    assert_eq!(merged.last().expect("threads").subject(), "before");
    let told = package.told().await;
    let own = told
        .threads
        .iter()
        .filter(|thread| thread.views.contains_key("1"));
    assert_eq!(merged.len(), own.count() + 1);
    // Nobody is told of years-old messages as of something new: whoever watched lists again.
    let resume = WatchMessagesRequest {
        resume_token: token,
        ..Default::default()
    };
    let expired = "RESUME_TOKEN_EXPIRED";
    assert_watch_refused(&ana, resume, Code::OutOfRange, expired).await;
    server.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn users_are_called_by_the_column_that_is_named(
    #[values(Database::Sqlite, Database::Postgres)] source: Database,
) {
    let package = Package::filled(source, &["leftovers"]).await;
    package
        .0
        .execute("UPDATE auth_user SET email = 'same@example.org', last_name = 'b c' WHERE id < 3")
        .await;
    let target = Deployment::new(Database::Sqlite).await;

    let shared = package.import(&target, &["--user-id", "email"]);
    let line = shared.refused(1).await;
    assert!(line.contains("1 values of the column email"), "{line}");
    let missing = package.import(&target, &["--user-id", "nickname"]);
    let line = missing.refused(1).await;
    assert!(line.contains("no column nickname"), "{line}");

    let by_name = ["--user-id", "username"];
    let account = package.imported(&target, &by_name).await.stdout;
    let counts: Vec<&String> = account
        .iter()
        .filter(|line| line.contains("django:"))
        .collect();
    assert_eq!(counts, [""; 0], "{account:?}");
    target.check().await;
    let server = target.serve(&[]).await;
    let ben = Client::over(server.connect()).with("x-user-id", "ben");
    let told = package.told().await;
    let own = told
        .threads
        .iter()
        .filter(|thread| thread.views.contains_key("2"));
    let subjects: Vec<String> = own.map(|thread| thread.subject.clone()).collect();
    assert_eq!(ben.subjects(Folder::All).await, subjects);
    // Who is gone has no name left.
    let ghost = Client::over(server.connect()).with("x-user-id", "django:7");
    assert_eq!(ghost.subjects(Folder::All).await, ["of a ghost"]);
    server.stop().await;
}
