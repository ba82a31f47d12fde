//! What Letterbox is measured beside (`bench/`) does what the comparison takes it to do.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    processes::{Deployment, Ended, Process, connect, letterbox},
    support::prelude::*,
};

/// What the comparison fills an inbox with: either page holds so many.
const PAGE: usize = 50;

fn bench(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("bench")
        .join(path)
}

/// The baselines' program. `cargo test` builds it, `cargo test --test it` does not.
fn program() -> PathBuf {
    let itself = std::env::current_exe().expect("a test is a program");
    let built = itself.ancestors().nth(2).expect("it lies in deps");
    let program = built.join("examples/baselines");
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let entries = fs::read_dir(bench("baselines")).expect("a folder");
    let sources = entries.map(|entry| changed(&entry.expect("an entry").path()));
    assert!(
        changed(&program) > sources.max().flatten(),
        "{} is not there, or older than its sources: cargo build --example baselines",
        program.display()
    );
    program
}

fn baseline(arguments: &[&str]) -> Process {
    let mut command = Command::new(program());
    command.args(arguments);
    Process::start(command)
}

fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Runs `letterbox bench` with the inbox that the comparison reads.
async fn load(deployment: &Deployment, endpoint: &str, arguments: &[&str]) -> Ended {
    let page = PAGE.to_string();
    let mut command = letterbox(deployment.folder(), &["bench"]);
    command.args(arguments).args(["--endpoint", endpoint]);
    command.args(["--users=1", "--threads", &page, "--messages", &page]);
    let ended = Process::start(command).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

#[rstest]
#[case::a_transaction_a_message("1", 1)]
#[case::a_transaction_for_many("100", 100)]
#[tokio::test(flavor = "multi_thread")]
async fn raw_sqlite_writes_the_rows_that_letterbox_writes(
    #[case] batch: &str,
    #[case] messages_a_batch: i64,
) {
    let deployment = Deployment::new(Database::Sqlite).await;
    let folder = deployment.folder().to_str().expect("a text");
    let options = ["--json", "--seconds=0.2", "--batch", batch, "--dir", folder];
    let ended = baseline(&[&["sqlite"], &options[..]].concat());
    let ended = ended.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let figures: Value = serde_json::from_str(&ended.stdout[0]).expect("one object");
    let messages = figures["messages"].as_i64().expect("a count");
    assert!(messages > 0 && messages % messages_a_batch == 0);

    // So many are those of one message that was sent to one recipient.
    let server = deployment.serve(&[]).await;
    let ana = Client::over(server.connect()).with("x-user-id", "ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    server.stop().await;
    for table in ["threads", "participants", "messages", "events", "audience"] {
        let of_one = deployment.count(table, "true").await;
        assert_eq!(figures["rows"][table], of_one * messages, "{table}");
    }
    let mut left = fs::read_dir(folder).expect("the folder is there");
    assert!(left.next().is_none(), "it leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_answers_whole_pages_like_those_of_letterbox() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let model = endpoint(server.address());
    load(&deployment, &model, &["fill"]).await;
    let echo = baseline(&["echo", "--listen=127.0.0.1:0", "--like", &model]);
    let line = echo.printed("listening on ").await;
    let (_, address) = line.rsplit_once(' ').expect("an address");
    let address: SocketAddr = address.parse().expect("an address");

    let echoed = Client::over(connect(address));
    let stored = Client::over(server.connect()).in_tenant("bench");
    let stored = stored.with("x-user-id", "bench-user-0");
    for size in [PAGE, 7] {
        let page_size = i32::try_from(size).expect("a small number");
        let list = ListInboxRequest {
            page_size,
            ..Default::default()
        };
        let answer = echoed.list_inbox(list.clone()).await.expect("a page");
        assert_eq!(answer.threads.len(), size);
        let alike = stored.list_inbox(list).await.expect("a page").threads;
        assert_eq!(answer.threads, alike);
        let thread = answer.threads[0].thread.as_ref().expect("a thread");
        let get = GetThreadRequest {
            thread_id: thread.id.clone(),
            page_size,
            ..Default::default()
        };
        let answer = echoed.get_thread(get.clone()).await.expect("a page");
        assert_eq!(answer.messages.len(), size);
        let alike = stored.get_thread(get).await.expect("a page").messages;
        assert_eq!(answer.messages, alike);
    }
    let short = ["--duration=300ms", "--warmup=0s", "--json"];
    for mix in ["inbox", "thread", "send", "watch"] {
        let arguments = [&[mix], &short[..]].concat();
        let ended = load(&deployment, &endpoint(address), &arguments).await;
        let figures: Value = serde_json::from_str(&ended.stdout[0]).expect("one object");
        assert_eq!(figures["errors"], 0, "{figures}");
        assert!(figures["requests"].as_u64() > Some(0), "{figures}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_watches_stand_until_the_server_ends_them() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&["--metrics-listen=127.0.0.1:0"]).await;
    let address = endpoint(server.address());
    let spread = ["--streams=6", "--tenants=3", "--endpoint", &address];
    let idle = baseline(&[&["idle"], &spread[..]].concat());
    assert_eq!(idle.printed("watches").await, "6 watches stand");
    let metrics = server.metrics_address().await;
    let live = "letterbox_feed_watchers{state=\"live\"}";
    eventually("all are live", async || {
        (Scrape::of(metrics).await.count(live) == 6).then_some(())
    })
    .await;
    assert_eq!(deployment.count("log_heads", "true").await, 3);
    server.stop().await;
    let ended = idle.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_for_pgbench_write_what_a_check_agrees_with_but_for_sizes() {
    let deployment = Deployment::new(Database::Postgres).await;
    assert_eq!(deployment.run(&["migrate"]).await.code, Some(0));
    let run = async |program: &str, arguments: &[&str], script: &str| {
        let mut command = postgres_program(program);
        command.args(arguments).arg("-f").arg(bench(script));
        command.arg(deployment.url());
        let ended = Process::start(command).ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    let psql = ["-qX", "-v", "ON_ERROR_STOP=1"];
    run("psql", &psql, "pgbench/set_up.sql").await;
    let once = ["-n", "-M", "prepared", "-c", "1", "-t", "1"];
    for (script, messages) in [("send", 10_001), ("reply", 10_002)] {
        run("pgbench", &once, &format!("pgbench/{script}.sql")).await;
        assert_eq!(deployment.count("messages", "true").await, messages);
    }
    let checked = deployment.run(&["check"]).await;
    let [sizes, sum] = checked.stdout.as_slice() else {
        panic!("not two lines: {checked:?}");
    };
    assert!(
        sizes.contains("how many threads and messages the tenant holds"),
        "{sizes}"
    );
    assert!(sum.ends_with(": 1 disagreements"), "{sum}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_programs_in_python_can_be_read() {
    let mut files = vec![bench("run"), bench("flood")];
    for folder in ["comparison", "django"] {
        let entries = fs::read_dir(bench(folder)).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "py")));
    }
    assert!(files.len() > 10, "{files:?}");
    // As `python3 -m py_compile` does, which leaves files.
    let compile = "import sys\n\
        for path in sys.argv[1:]: compile(open(path, encoding='utf-8').read(), path, 'exec')";
    let mut python = Command::new("python3");
    python.args(["-W", "error", "-c", compile]).args(files);
    let ended = Process::start(python).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
