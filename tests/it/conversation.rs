//! The README's first conversation works word for word.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use serde_json::Value;

use crate::{
    processes::{Deployment, Process},
    support::prelude::*,
};

/// The heading whose commands are run.
const HEADING: &str = "## A first conversation";

/// The commands under the heading: its blocks that are marked as a shell's.
fn commands() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("there is a README");
    let (_, section) = readme
        .split_once(HEADING)
        .expect("the README has that heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut commands = String::new();
    let mut in_block = false;
    for line in section.lines() {
        match line {
            "```sh" | "```console" => in_block = true,
            "```" => in_block = false,
            // A console shows a prompt before each command.
            _ if in_block => {
                commands.push_str(line.trim_start_matches("$ "));
                commands.push('\n');
            }
            _ => {}
        }
    }
    assert!(!commands.is_empty(), "the conversation has commands");
    commands
}

/// A folder with grpcurl in it, for the search path.
fn folder_with_grpcurl() -> tempfile::TempDir {
    let grpcurl = std::env::var_os("LETTERBOX_TEST_GRPCURL").expect(
        "LETTERBOX_TEST_GRPCURL names no grpcurl to test with: run ./scripts/test, which brings one",
    );
    let folder = tempfile::TempDir::new().expect("a folder to write in");
    symlink(grpcurl, folder.path().join("grpcurl")).expect("a link can be made");
    folder
}

/// The first of the answers that has this value at this place.
#[track_caller]
fn with<'a>(answers: &'a [Value], place: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    let found = answers
        .iter()
        .find(|answer| answer.pointer(place) == Some(&value));
    found.unwrap_or_else(|| panic!("no answer has {value} at {place}: {answers:#?}"))
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_first_conversation_of_the_readme_goes_as_it_says(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    let address = server.address().to_string();
    let commands = commands()
        .replace("127.0.0.1:50051", &address)
        .replace("localhost:50051", &address);

    let tools = folder_with_grpcurl();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell
        .args(["-e", "-c", &commands])
        .current_dir(deployment.folder())
        .env("PATH", format!("{}:{path}", tools.path().display()));
    let ended = Process::start(shell).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let printed = ended.stdout.join("\n");
    let answers = serde_json::Deserializer::from_str(&printed).into_iter();
    let answers: Vec<Value> = answers.map(|answer| answer.expect("JSON")).collect();
    with(&answers, "/message/content", "At noon?");
    let listed = with(&answers, "/threads/0/snippet", "At noon?");
    assert_eq!(listed["threads"][0]["unread"], true, "{listed}");
    let read = with(&answers, "/messages/0/content", "At noon?");
    assert_eq!(read["view"]["readNumber"], 1, "{read}");
    let reply = with(&answers, "/message/content", "Half past, if you can wait.");
    assert_eq!(reply["message"]["number"], 2, "{reply}");
    with(&answers, "/unreadThreadCount", 1);
    let watched = with(&answers, "/messageSent/message/content", "I am downstairs.");
    assert_eq!(watched["messageSent"]["reply"], true, "{watched}");
    assert!(watched["resumeToken"].is_string(), "{watched}");
    let complaints = ended.stderr.join("\n");
    assert!(complaints.contains("DeadlineExceeded"), "{complaints}");

    let mut ana = server.client("ana");
    let inbox = ana.list_inbox(ListInboxRequest::default()).await.unwrap();
    let view = &inbox.into_inner().threads[0];
    assert_eq!(view.snippet, "I am downstairs.");
    assert_eq!(view.last_sender(), "ben");
}
