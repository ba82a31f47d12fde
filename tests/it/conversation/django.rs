//! `letterbox import django`, on data that the real package has made and that the package itself
//! tells of (`tests/import/package.py`): every thread of every user, message by message.

mod told;

use std::{path::Path, process::Command, time::Duration};

use self::told::{Told, everything};
use crate::{
    processes::{Deployment, Ended, Process},
    support::prelude::*,
};

/// How many messages the larger data set has; `LETTERBOX_TEST_DJANGO_MESSAGES` says otherwise.
const MANY: &str = "3000";

/// How long a command may take over the larger data set.
const LONG: Duration = Duration::from_mins(10);

/// A database that the package has filled.
pub(super) struct Package(Deployment);

impl Package {
    /// A database of this kind, filled by this command of `package.py`.
    pub(super) async fn filled(database: Database, command: &[&str]) -> Self {
        let package = Self(Deployment::new(database).await);
        package.run(command).await;
        package
    }

    /// The database's URL.
    pub(super) fn url(&self) -> &str {
        self.0.url()
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
