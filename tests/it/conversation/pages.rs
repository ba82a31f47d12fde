//! The documentation's pages work word for word: what they tell to type is typed, and what they show
//! is what comes.
//!
//! Of a page, blocks marked `sh` are run, in their order and by one shell. A block marked `json` or
//! `text` shows what the block before it prints: of JSON some answers and some of their fields, of
//! text some lines, and `…` stands for anything. Other blocks are only read.

use std::{fs, path::Path};

use serde_json::Value;

use super::{Programs, clone, django::Package, serve_at};
use crate::{
    processes::{Deployment, Process, Server},
    support::prelude::*,
};

/// What stands between the outputs of two blocks: no program prints it.
const SEPARATOR: &str = "\u{1e}";

/// A block that is run, and what the page shows of what it prints.
#[derive(Default)]
struct Step {
    commands: String,
    json: String,
    text: String,
}

/// The steps of a page, or of the section with this heading.
fn steps(page: &str, heading: Option<&str>) -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = fs::read_to_string(path).expect("there is that page");
    let section = match heading {
        None => page.as_str(),
        Some(heading) => {
            let (_, section) = page.split_once(heading).expect("there is that heading");
            section.split("\n## ").next().unwrap_or_default()
        }
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut marked = None;
    for line in section.lines() {
        match (marked, line.strip_prefix("```")) {
            (None, Some(mark)) => {
                marked = Some(mark);
                if mark == "sh" {
                    steps.push(Step::default());
                }
            }
            (Some(_), Some(_)) => marked = None,
            (Some(mark), None) => {
                let step = steps.last_mut();
                let block = match (mark, step) {
                    ("sh", Some(step)) => &mut step.commands,
                    ("json", Some(step)) => &mut step.json,
                    ("text", Some(step)) => &mut step.text,
                    _ => continue,
                };
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(!steps.is_empty(), "a page that is tested has commands");
    steps
}

/// What a page calls something, and what that is in the test.
type Place<'a> = (&'a str, &'a str);

/// Follows the steps at a server; what each printed, errors included.
async fn follow(
    steps: &[Step],
    folder: &Path,
    deployment: &Deployment,
    server: &Server,
    places: &[Place<'_>],
) -> Vec<String> {
    let mut script = "exec 2>&1\n".to_owned();
    for step in steps {
        let mut commands = step.commands.clone();
        for (named, there) in places {
            commands = commands.replace(named, there);
        }
        script.push_str(&commands);
        script.push_str("printf '\\036\\n'\n");
    }
    let programs = Programs::new();
    let mut shell = programs.command("bash", folder, server.address());
    shell
        .args(["-e", "-c", &script])
        .env("DATABASE_URL", deployment.url());
    let ended = Process::start(shell).ended().await;
    let printed = ended.stdout.join("\n");
    assert_eq!(ended.code, Some(0), "{printed}");
    let printed = printed.split(SEPARATOR).map(str::to_owned);
    printed.take(steps.len()).collect()
}

/// Checks that a step printed what the page shows of it.
#[track_caller]
fn assert_shown(step: &Step, printed: &str) {
    let mut answers = answers(printed).into_iter();
    for shown in serde_json::Deserializer::from_str(&step.json).into_iter() {
        let shown: Value = shown.unwrap_or_else(|error| panic!("{error}: {}", step.json));
        assert!(
            answers.any(|answer| fits(&shown, &answer)),
            "{}\nshown: {shown:#}\nprinted: {printed}",
            step.commands
        );
    }
    let mut lines = printed.lines();
    for shown in step.text.lines() {
        assert!(
            lines.any(|line| reads(shown, line)),
            "{}\nshown: {shown}\nprinted: {printed}",
            step.commands
        );
    }
}

/// The JSON of what was printed, up to where it is something else.
fn answers(printed: &str) -> Vec<Value> {
    let answers = serde_json::Deserializer::from_str(printed).into_iter();
    answers.map_while(Result::ok).collect()
}

/// Whether an answer has all that is shown of it.
fn fits(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => shown.iter().all(|(name, shown)| {
            let answer = answer.get(name);
            answer.is_some_and(|answer| fits(shown, answer))
        }),
        (Value::Array(shown), Value::Array(answer)) => {
            let mut pairs = shown.iter().zip(answer);
            shown.len() == answer.len() && pairs.all(|(shown, answer)| fits(shown, answer))
        }
        (Value::String(shown), Value::String(answer)) => reads(shown, answer),
        (shown, answer) => shown == answer,
    }
}

/// Whether a text reads as it is shown, with anything in the place of each `…`.
fn reads(shown: &str, text: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// Follows a page, or a section of it, and checks all that it shows.
async fn assert_works(page: &str, heading: Option<&str>, deployment: &Deployment, server: &Server) {
    let steps = steps(page, heading);
    // Pages about clients begin at the root of a clone.
    let folder = if page.starts_with("clients/") {
        clone()
    } else {
        deployment.folder().to_owned()
    };
    let address = server.address().to_string();
    let file = deployment.url().trim_start_matches("sqlite://");
    let places = [
        ("127.0.0.1:50051", address.as_str()),
        ("/var/lib/letterbox/letterbox.db", file),
    ];
    let printed = follow(&steps, &folder, deployment, server, &places).await;
    for (step, printed) in steps.iter().zip(&printed) {
        assert_shown(step, printed);
    }
}

#[rstest]
#[case::the_first_conversation("README.md", Some("## A first conversation"))]
#[case::users("README.md", Some("## Users and tenants"))]
#[case::every_call("docs/calling.md", None)]
#[case::health("docs/running.md", Some("## Health"))]
#[case::in_python("clients/python/README.md", Some("## Run it"))]
#[case::in_typescript("clients/typescript/README.md", Some("## Run it"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_works_word_for_word(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] page: &str,
    #[case] heading: Option<&str>,
) {
    let deployment = Deployment::new(database).await;
    let server = serve_at(&deployment, None, &["--grpc-web"]).await;
    assert_works(page, heading, &deployment, &server).await;
}

#[rstest]
#[case::sqlite(Database::Sqlite, "## Backup and restore: SQLite")]
#[case::postgres(Database::Postgres, "## Backup and restore: Postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_and_restored_as_the_page_says(
    #[case] database: Database,
    #[case] heading: &str,
) {
    let deployment = Deployment::new(database).await;
    let server = serve_at(&deployment, None, &[]).await;
    assert_works("docs/running.md", Some(heading), &deployment, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_made_as_the_page_says() {
    let file = Package::filled(Database::Sqlite, &["leftovers"]).await;
    let postgres = Package::filled(Database::Postgres, &["leftovers"]).await;
    let deployment = Deployment::new(Database::Postgres).await;
    let server = serve_at(&deployment, None, &[]).await;
    let places = [
        (
            "/srv/app/db.sqlite3",
            file.url().trim_start_matches("sqlite://"),
        ),
        ("postgres://reader@host/app", postgres.url()),
        ("postgres://letterbox@host/letterbox", deployment.url()),
    ];
    let steps = steps("docs/importing.md", None);
    let printed = follow(&steps, deployment.folder(), &deployment, &server, &places).await;
    for (step, printed) in steps.iter().zip(&printed) {
        assert_shown(step, printed);
    }
    assert!(deployment.count("messages", "true").await > 0);
}

#[rstest]
#[case::the_same("ana", "ana", true)]
#[case::another("ana", "ben", false)]
#[case::anything("…", "ana", true)]
#[case::a_beginning("an…", "ana", true)]
#[case::an_end_that_overlaps("ana…ana", "ana", false)]
#[case::a_middle("…n…", "ana", true)]
#[case::no_middle("…x…", "ana", false)]
fn what_is_shown_is_compared_but_for_what_is_left_out(
    #[case] shown: &str,
    #[case] text: &str,
    #[case] same: bool,
) {
    assert_eq!(reads(shown, text), same);
}
