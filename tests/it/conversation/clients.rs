//! The clients of `clients/`, run as their readers would, while the server comes and goes.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, process::Command};

use serde::Deserialize;

use super::{Programs, clone, serve_at};
use crate::{
    processes::{Deployment, Process, Server},
    support::prelude::*,
};

/// One of the clients, beside a server that keeps its address.
struct Workplace {
    deployment: Deployment,
    programs: Programs,
    language: Language,
    address: SocketAddr,
}

#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    TypeScript,
}

/// What a client keeps of the threads.
#[derive(Debug, Deserialize)]
struct Mirror {
    threads: BTreeMap<String, MirroredThread>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct MirroredThread {
    subject: String,
    message_count: i32,
    unread_count: i32,
    placement: String,
    messages: BTreeMap<i32, MirroredMessage>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct MirroredMessage {
    sender: String,
    content: String,
    revision: i32,
}

impl Workplace {
    async fn open(database: Database, language: Language) -> (Self, Server) {
        let deployment = Deployment::new(database).await;
        let server = serve_at(&deployment, None, &[]).await;
        let workplace = Self {
            deployment,
            programs: Programs::new(),
            language,
            address: server.address(),
        };
        (workplace, server)
    }

    /// Starts the server again, at its address.
    async fn serve(&self, arguments: &[&str]) -> Server {
        serve_at(&self.deployment, Some(self.address), arguments).await
    }

    /// Starts one of the client's programs, as this user.
    fn start(&self, user: &str, program: &str, arguments: &[&str]) -> Process {
        Process::start(self.command(user, program, arguments))
    }

    fn command(&self, user: &str, program: &str, arguments: &[&str]) -> Command {
        let (runner, folder, ending) = match self.language {
            Language::Python => ("python3", "python", "py"),
            Language::TypeScript => ("node", "typescript", "ts"),
        };
        let folder = clone().join("clients").join(folder);
        let mut command = self.programs.command(runner, &folder, self.address);
        command
            .arg(format!("{program}.{ending}"))
            .args(arguments)
            .env("LETTERBOX_USER", user);
        command
    }

    /// Sends with the client, as Ana; the thread's id.
    async fn send(&self, arguments: &[&str]) -> String {
        sent(self.start("ana", "send", arguments)).await
    }

    fn mirror_path(&self) -> PathBuf {
        self.deployment.folder().join("mirror.json")
    }

    /// Starts Ben's copy, or goes on with it.
    fn mirror(&self) -> Process {
        let path = self.mirror_path();
        self.start("ben", "watch", &[path.to_str().expect("a path in UTF-8")])
    }

    /// Waits until Ben's copy is what the server has.
    async fn agrees_with(&self, server: &Server) {
        let truth = truth(server).await;
        eventually("a true copy", async || {
            let text = std::fs::read_to_string(self.mirror_path()).ok()?;
            let mirror: Mirror = serde_json::from_str(&text).expect("whole at any moment");
            (mirror.threads == truth).then_some(())
        })
        .await;
    }
}

/// The thread's id, which is what sending prints first.
async fn sent(sending: Process) -> String {
    let ended = sending.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let words = ended.stdout[0].split_once(' ');
    words.expect("an id and a number").0.to_owned()
}

/// Ben's threads as the server has them.
async fn truth(server: &Server) -> BTreeMap<String, MirroredThread> {
    let mut ben = server.client("ben");
    let mut threads = BTreeMap::new();
    let all = ListInboxRequest {
        folder: Folder::All.into(),
        ..Default::default()
    };
    for view in ben.list_inbox(all).await.unwrap().into_inner().threads {
        let thread = view.thread.clone().expect("a thread");
        let request = GetThreadRequest {
            thread_id: thread.id.clone(),
            ..Default::default()
        };
        let page = ben.get_thread(request).await.unwrap().into_inner();
        let messages = page.messages.into_iter().map(|message| {
            let kept = MirroredMessage {
                sender: message.sender.expect("a sender").id,
                content: message.content,
                revision: message.revision,
            };
            (message.number, kept)
        });
        let kept = MirroredThread {
            placement: view.placement().as_str_name().to_owned(),
            subject: thread.subject,
            message_count: thread.message_count,
            unread_count: view.unread_count,
            messages: messages.collect(),
        };
        threads.insert(thread.id, kept);
    }
    threads
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_clients_copy_stays_true_whoever_is_restarted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Language::Python, Language::TypeScript)] language: Language,
) {
    let (place, server) = Workplace::open(database, language).await;
    let plans = place.send(&["ben", "plans", "1"]).await;
    let mirror = place.mirror();
    place.agrees_with(&server).await;
    place.send(&["--to", &plans, "2"]).await;
    place.agrees_with(&server).await;

    // What is sent while there is no server arrives once, when there is one again.
    server.kill();
    let sending = place.start("ana", "send", &["--to", &plans, "3"]);
    let server = place.serve(&[]).await;
    assert_eq!(sent(sending).await, plans);
    place.agrees_with(&server).await;

    // A server that ends in good order, and what the user does elsewhere.
    server.stop().await;
    let server = place.serve(&[]).await;
    let mut ben = server.client("ben");
    let read = MarkThreadReadRequest {
        thread_id: plans.clone(),
        up_to_number: Some(2),
    };
    ben.mark_thread_read(read).await.unwrap();
    let news = place.send(&["ben", "news", "4"]).await;
    place.agrees_with(&server).await;

    // What happens while the client is away, even for so long that its token has expired.
    let first = mirror.kill();
    place.send(&["--to", &news, "5"]).await;
    let again = place.mirror();
    place.agrees_with(&server).await;
    let second = again.kill();
    server.stop().await;
    let server = place.serve(&["--event-retention=1s"]).await;
    place.send(&["--to", &news, "6"]).await;
    place.send(&["--to", &news, "7"]).await;
    expire(&place, &server).await;
    let again = place.mirror();
    place.agrees_with(&server).await;
    place.send(&["--to", &plans, "8"]).await;
    place.agrees_with(&server).await;
    let third = again.kill();
    assert!(
        third.stderr.iter().any(|line| line.contains("resum")),
        "the token had expired: {third:?}"
    );

    // Each message was shown once, whoever stopped in between.
    let mut shown = [first.stdout, second.stdout, third.stdout].concat();
    shown.sort_unstable();
    let expected = [
        "news 1 ana: 4",
        "news 2 ana: 5",
        "news 3 ana: 6",
        "news 4 ana: 7",
        "plans 1 ana: 1",
        "plans 2 ana: 2",
        "plans 3 ana: 3",
        "plans 4 ana: 8",
    ];
    assert_eq!(shown, expected);
}

/// Waits until the token of Ben's copy has expired.
async fn expire(place: &Workplace, server: &Server) {
    let text = std::fs::read_to_string(place.mirror_path()).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    let request = WatchMessagesRequest {
        resume_token: kept["token"].as_str().expect("a token").to_owned(),
        ..Default::default()
    };
    eventually("the token's expiry", async || {
        let mut ben = server.client("ben");
        let mut watch = match ben.watch_messages(request.clone()).await {
            Ok(watch) => watch.into_inner(),
            Err(refused) => return (refused.code() == Code::OutOfRange).then_some(()),
        };
        // Where it has expired, the first answer says so.
        let first = soon("an answer", watch.message()).await;
        first
            .is_err_and(|refused| refused.code() == Code::OutOfRange)
            .then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_prints_the_whole_inbox_page_by_page(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Language::Python, Language::TypeScript)] language: Language,
) {
    let (place, server) = Workplace::open(database, language).await;
    for subject in ["one", "two", "three"] {
        place.send(&["ben", subject, "Hello"]).await;
    }
    let printed = place.start("ben", "inbox", &["2"]).ended().await;
    let expected = [
        "* three (ana: Hello)",
        "* two (ana: Hello)",
        "* one (ana: Hello)",
    ];
    assert_eq!(printed.stdout, expected, "{printed:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_client_has_the_types_that_it_says() {
    let folder = clone().join("clients/typescript");
    let mut command = Command::new("npm");
    command.current_dir(folder).args(["run", "check"]);
    let ended = Process::start(command).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
