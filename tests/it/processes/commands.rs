//! The smaller commands: what an operator, a container and a shell ask for.

use std::{fs, path::Path, process::Command};

use super::{
    deployment::{Deployment, Server},
    process::{Ended, Process, letterbox},
};
use crate::support::prelude::*;

/// Runs a command in an empty folder.
async fn run(arguments: &[&str]) -> Ended {
    let folder = tempfile::TempDir::new().expect("a folder to work in");
    let ended = Process::start(letterbox(folder.path(), arguments))
        .ended()
        .await;
    let left = folder.path().read_dir().expect("the folder").count();
    assert_eq!(left, 0, "it leaves no file");
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn config_says_what_holds_and_why_and_hides_passwords() {
    let folder = tempfile::TempDir::new().expect("a folder to work in");
    let file = "calls-max = 77\nlog = \"warn\"\nheartbeat-interval = \"90s\"\n\
        tls-client-ca = \"ca.pem\"\n[clients.mailer]\nscopes = [\"letterbox.act-as\"]\n";
    fs::write(folder.path().join("letterbox.toml"), file).expect("a file");
    let arguments = [
        "config",
        "--log=error",
        "--tls-cert=c.pem",
        "--tls-key=k.pem",
    ];
    let mut command = letterbox(folder.path(), &arguments);
    command.env("LETTERBOX_LOG", "debug");
    command.env("LETTERBOX_DATABASE_URL", "postgres://ana:secret@db/mail");
    let ended = Process::start(command).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "log = \"error\" # given by --log",
        "database-url = \"postgres://ana:***@db/mail\" # given by LETTERBOX_DATABASE_URL",
        "calls-max = 77 # given by letterbox.toml",
        "heartbeat-interval = \"1m 30s\" # given by letterbox.toml",
        "listen = \"127.0.0.1:50051\" # default",
        "require-tenant = false # default",
        "# jwt-key is not set",
        "[clients.mailer]",
    ] {
        assert!(
            ended.stdout.contains(&line.to_owned()),
            "{line}: {ended:#?}"
        );
    }
    assert!(!ended.stdout.join("\n").contains("secret"), "{ended:?}");

    // It can be read again, and comes to the same.
    let again = ended.stdout.join("\n").replace("***", "secret");
    fs::write(folder.path().join("again.toml"), again).expect("a file");
    let repeated = letterbox(folder.path(), &["config", "--config=again.toml"]);
    let repeated = Process::start(repeated).ended().await;
    let settings =
        |ended: &Ended| -> toml::Table { ended.stdout.join("\n").parse().expect("TOML") };
    assert_eq!(settings(&repeated), settings(&ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn config_names_every_setting_that_there_is() {
    let shown = run(&["config"]).await.stdout;
    let help = run(&["serve", "--help"]).await.stdout;
    let options = help
        .iter()
        .filter_map(|line| line.trim().strip_prefix("--"));
    let names = options.filter_map(|option| option.split([' ', '[', '=']).next());
    let mut count = 0;
    for name in names.filter(|name| *name != "config") {
        count += 1;
        let is_named = |line: &String| {
            line.starts_with(&format!("{name} = ")) || *line == format!("# {name} is not set")
        };
        assert!(shown.iter().any(is_named), "{name} is not in {shown:#?}");
    }
    assert!(count > 40, "{help:#?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn migrate_check_says_whether_the_tables_are_up_to_date_and_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let check = || deployment.run(&["migrate", "--check"]);
    for _ in 0..2 {
        let ended = check().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.stdout[0], "not applied: 0001 tables", "{ended:?}");
    }
    if let Some(file) = deployment.url().strip_prefix("sqlite://") {
        assert!(!Path::new(file).exists(), "it makes no file");
    }
    deployment.run(&["migrate"]).await;
    let ended = check().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Beside a server, too.
    let server = deployment.serve(&[]).await;
    assert_eq!(check().await.code, Some(0));
    server.stop().await;

    let newest = "DELETE FROM _sqlx_migrations
        WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    deployment.execute(newest).await;
    let ended = check().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout.len(), 2, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_reader_has_gone_has_done_its_work() {
    let deployment = Deployment::new(Database::Sqlite).await;
    for arguments in ["migrate", "check", "migrate --check"] {
        let command = format!("{{ sleep 0.1; \"$0\" {arguments}; echo $? >&2; }} | true");
        let mut shell = Command::new("bash");
        shell
            .current_dir(deployment.folder())
            .args(["-c", &command, env!("CARGO_BIN_EXE_letterbox")])
            .env("LETTERBOX_DATABASE_URL", deployment.url());
        let ended = Process::start(shell).ended().await;
        assert_eq!(ended.stderr, ["0"], "{arguments}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_words_are_lost_says_that_they_are() {
    let deployment = Deployment::new(Database::Sqlite).await;
    fs::write(deployment.folder().join("secret"), "a secret").expect("written");
    for arguments in [
        "migrate",
        "check",
        "config",
        "--help",
        "man",
        "token --key=secret --user=ana",
    ] {
        let mut shell = Command::new("bash");
        shell
            .current_dir(deployment.folder())
            .args(["-c", &format!("\"$0\" {arguments} > /dev/full")])
            .arg(env!("CARGO_BIN_EXE_letterbox"))
            .env("LETTERBOX_DATABASE_URL", deployment.url());
        let line = Process::start(shell).refused(1).await;
        assert!(line.contains("standard output"), "{arguments}: {line}");
    }
}

/// Asks a server for its health, as its own container would.
fn health(deployment: &Deployment, server: &Server, arguments: &[&str]) -> Process {
    let mut command = deployment.command(&["health"]);
    command.args(arguments);
    command.env("LETTERBOX_LISTEN", server.address().to_string());
    Process::start(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_a_matter_of_an_answer() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let ended = health(&deployment, &server, &[]).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, ["serving"]);
    let port = server.address().port();
    server.stop().await;

    // Where a server listens everywhere, it is asked on loopback.
    let listen = format!("--listen=0.0.0.0:{port}");
    let asking = deployment.command(&["health", "--trust-network", &listen]);
    let line = Process::start(asking).refused(1).await;
    assert!(
        line.contains(&format!("127.0.0.1:{port} does not answer")),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_does_not_wait_for_whoever_says_nothing() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("--listen={}", silent.local_addr().expect("an address"));
    let asking = deployment.command(&["health", "--timeout=200ms", &listen]);
    let line = Process::start(asking).refused(1).await;
    assert!(line.ends_with("has not answered within 200ms"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_over_tls_where_the_server_speaks_it() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls/certs");
    let option = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    let [cert, key, ca] = [
        option("tls-cert", "server-one.pem"),
        option("tls-key", "server-one.key"),
        option("tls-client-ca", "ca-one.pem"),
    ];
    let server = deployment.serve(&[&cert, &key, &ca]).await;
    let shown = [
        option("client-cert", "client-one.pem"),
        option("client-key", "client-one.key"),
    ];
    let own = [&*cert, &*key, &*shown[0], &*shown[1]];
    let ended = health(&deployment, &server, &own).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let trusted = option("ca", "ca-one.pem");
    let by_ca = [&own[..], &[&*trusted, "--name=localhost"]].concat();
    let ended = health(&deployment, &server, &by_ca).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let (other_cert, other_key) = (
        option("tls-cert", "server-two.pem"),
        option("tls-key", "server-two.key"),
    );
    let other = [&*other_cert, &*other_key, &*shown[0], &*shown[1]];
    let line = health(&deployment, &server, &other).refused(1).await;
    assert!(line.contains("another certificate"), "{line}");
    let other_ca = option("ca", "ca-two.pem");
    let by_other = [&own[..], &[&*other_ca, "--name=localhost"]].concat();
    health(&deployment, &server, &by_other).refused(1).await;
    health(&deployment, &server, &own[..2]).refused(1).await;
    server.stop().await;
}

#[rstest]
#[case::bash("bash", &["bash", "-n"])]
#[case::zsh("zsh", &[])]
#[case::fish("fish", &[])]
#[case::powershell("powershell", &[])]
#[case::elvish("elvish", &[])]
#[tokio::test(flavor = "multi_thread")]
async fn completions_are_a_script_of_the_shell(#[case] shell: &str, #[case] check: &[&str]) {
    let ended = run(&["completions", shell]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let script = ended.stdout.join("\n");
    for word in ["letterbox", "import", "database-url"] {
        assert!(script.contains(word), "{word}: {script}");
    }
    if let [program, arguments @ ..] = check {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), script).expect("a script");
        let status = Command::new(program)
            .args(arguments)
            .arg(file.path())
            .status();
        assert!(status.expect("a shell is there").success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manual_names_every_command_and_setting() {
    let ended = run(&["man"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = ended.stdout.join("\n");
    assert!(page.contains(".TH letterbox 1"), "{page}");
    for word in [
        "migrate",
        "check",
        "import",
        "health",
        "bench",
        "LETTERBOX_LISTEN",
        // Of subcommands.
        r"\-\-repair",
        r"\-\-user\-table",
        r"\-\-expires\-in",
    ] {
        assert!(page.contains(word), "{word}: {page}");
    }
    let settings = page.matches(r"\fB\-\-drain\-timeout\fR \fI").count();
    assert_eq!(settings, 1, "a setting is explained once: {page}");
}

#[rstest]
#[case::of_all("--help", &["serve", "migrate", "check", "import", "config", "health", "token"])]
#[case::of_the_import("import django --help", &["--from", "--user-id", "--dry-run", "--merge"])]
#[case::of_the_check("check --help", &["--repair"])]
#[tokio::test(flavor = "multi_thread")]
async fn help_names_what_there_is(#[case] arguments: &str, #[case] named: &[&str]) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let ended = run(&arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = ended.stdout.join("\n");
    for name in named {
        assert!(text.contains(name), "{name} is not in {text}");
    }
}

#[rstest]
#[case::of_the_check("check --help", "--database-url", "--listen")]
#[case::of_the_import("import django --help", "--database-url", "--queue-max")]
#[case::of_health("health --help", "--listen", "--database-url")]
#[case::of_tokens("token --help", "--user", "--config")]
#[tokio::test(flavor = "multi_thread")]
async fn help_leaves_out_what_does_not_concern_the_command(
    #[case] arguments: &str,
    #[case] named: &str,
    #[case] left_out: &str,
) {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let text = run(&arguments).await.stdout.join("\n");
    let is_option = |name: &str| text.contains(&format!(" {name} <"));
    assert!(is_option(named), "{text}");
    assert!(!is_option(left_out), "{text}");
}

#[rstest]
#[case::a_command("chekc", "'chekc': a similar subcommand exists: 'check'")]
#[case::an_option(
    "check --repiar",
    "'--repiar' found: a similar argument exists: '--repair'"
)]
#[case::no_command("import", "the subcommand is missing")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_mistyped_is_told_what_was_meant(#[case] arguments: &str, #[case] told: &str) {
    let folder = tempfile::TempDir::new().expect("a folder to work in");
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let line = Process::start(letterbox(folder.path(), &arguments));
    let line = line.refused(2).await;
    assert!(line.contains(told), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_names_the_commit() {
    let ended = run(&["--version"]).await;
    let [line] = ended.stdout.as_slice() else {
        panic!("not one line: {ended:?}");
    };
    let start = format!("letterbox {} (commit ", env!("CARGO_PKG_VERSION"));
    assert!(line.starts_with(&start) && line.ends_with(')'), "{line}");
}

#[rstest]
#[case::no_file("nothing.sqlite3", "cannot open")]
#[case::no_tables("empty.sqlite3", "has no table django_messages_drf_thread")]
#[case::no_url("postgres://ana:secret@host:port/name", "not a URL such as")]
#[case::another_kind("mysql://ana:secret@host/name", "neither an SQLite file nor")]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_says_in_one_line_why_there_is_nothing_to_import(
    #[case] from: &str,
    #[case] problem: &str,
) {
    let deployment = Deployment::new(Database::Sqlite).await;
    fs::write(deployment.folder().join("empty.sqlite3"), "").expect("a file");
    let import = deployment.command(&["import", "django", "--from", from]);
    let line = Process::start(import).refused(1).await;
    assert!(line.contains(problem) && !line.contains("secret"), "{line}");
}
