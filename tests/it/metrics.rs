//! What is counted and measured, as Prometheus scrapes it.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::prelude::*;

/// Waits until a series has a value that is wanted.
async fn reaches(server: &TestServer, series: &str, wanted: impl Fn(i64) -> bool) {
    let what = format!("{series} to get there");
    eventually(&what, async || {
        wanted(server.scrape().await.count(series)).then_some(())
    })
    .await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_counted_by_its_rpc_and_its_code(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    for _ in 0..3 {
        ana.start("plans", &["ben"], "Lunch?").await;
    }
    let blank = SendMessageRequest::default();
    let refused = ana.send_message(blank.clone()).await;
    refused.expect_err("nobody to write to");
    let refused = server.anonymous().send_message(blank).await;
    refused.expect_err("nobody who writes");

    let scrape = server.scrape().await;
    let handled = |code: &str| {
        let labels = format!("code=\"{code}\",rpc=\"SendMessage\"");
        scrape.count(&format!("letterbox_rpc_handled_total{{{labels}}}"))
    };
    assert_eq!(handled("OK"), 3);
    assert_eq!(handled("INVALID_ARGUMENT"), 1);
    assert_eq!(handled("UNAUTHENTICATED"), 1);
    assert_eq!(handled("INTERNAL"), 0);
    let of_rpc = |name: &str| scrape.count(&format!("letterbox_rpc_{name}{{rpc=\"SendMessage\"}}"));
    assert_eq!(of_rpc("started_total"), 5);
    assert_eq!(of_rpc("in_flight"), 0);
    assert_eq!(of_rpc("duration_seconds_count"), 5);
    let took = scrape.value("letterbox_rpc_duration_seconds_sum{rpc=\"SendMessage\"}");
    assert!(took > 0.0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_caller_hangs_up_is_counted_as_cancelled(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let watch = server.client("ana").watch().await;
    reaches(
        &server,
        "letterbox_rpc_in_flight{rpc=\"WatchMessages\"}",
        |open| open == 1,
    )
    .await;
    drop(watch);
    let cancelled = "letterbox_rpc_handled_total{code=\"CANCELLED\",rpc=\"WatchMessages\"}";
    reaches(&server, cancelled, |count| count == 1).await;
    let open = server.scrape().await;
    assert_eq!(
        open.count("letterbox_rpc_in_flight{rpc=\"WatchMessages\"}"),
        0
    );
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn watchers_and_what_they_are_sent_are_counted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let (ana, ben) = (server.client("ana"), server.client("ben"));
    let mut watch = ana.watch().await;
    reaches(&server, "letterbox_feed_watchers{state=\"live\"}", |live| {
        live == 1
    })
    .await;
    ben.start("plans", &["ana"], "Lunch?").await;
    assert_eq!(watch.line().await, "ben sent plans 1: Lunch?");

    reaches(&server, "letterbox_feed_events_delivered_total", |sent| {
        sent == 1
    })
    .await;
    let scrape = server.scrape().await;
    assert_eq!(
        scrape.count("letterbox_feed_watchers{state=\"catching_up\"}"),
        0
    );
    assert_eq!(scrape.count("letterbox_feed_tails"), 1);
    assert_eq!(scrape.count("letterbox_feed_log_head"), 1);
    assert_eq!(scrape.count("letterbox_feed_lag_events"), 0);
    assert!(scrape.value("letterbox_feed_lag_seconds") <= 0.0);
    // The time until it began, not how long it lasts.
    let began = "letterbox_rpc_duration_seconds_count{rpc=\"WatchMessages\"}";
    assert_eq!(scrape.count(began), 1);

    drop(watch);
    reaches(&server, "letterbox_feed_watchers{state=\"live\"}", |live| {
        live == 0
    })
    .await;
    reaches(&server, "letterbox_feed_tails", |tails| tails == 0).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_who_takes_nothing_is_counted_as_it_falls_behind_and_is_cut_off(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.watch_stall_timeout = Duration::from_secs(3))
        .start(database)
        .await;
    let stalled = server.client("ben").watch().await;
    let ana = server.client("ana");
    let content = "x".repeat(65_536);
    let plans = ana.start("plans", &["ben"], &content).await;
    // More than the connection's windows and the watcher's queue hold.
    for _ in 0..80 {
        ana.reply(&plans.thread, &content).await;
    }
    reaches(&server, "letterbox_feed_overflows_total", |count| count > 0).await;
    reaches(&server, "letterbox_feed_watchers_cut_off_total", |count| {
        count == 1
    })
    .await;
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_cannot_read_the_log_says_for_how_long() {
    let server = TestServer::start(Database::Postgres).await;
    let watch = server.client("ana").watch().await;
    reaches(&server, "letterbox_feed_tails", |tails| tails == 1).await;
    server.database().go_down().await;
    let lags = async |wanted: bool| {
        let what = format!("a lag: {wanted}");
        eventually(&what, async || {
            let lag = server.scrape().await.value("letterbox_feed_lag_seconds");
            ((lag > 0.0) == wanted).then_some(())
        })
        .await;
    };
    lags(true).await;
    server.database().come_back().await;
    lags(false).await;
    drop(watch);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn batches_and_their_steps_are_measured(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let scrape = server.scrape().await;
    assert_eq!(scrape.count("letterbox_writer_batch_commands_count"), 1);
    assert_eq!(scrape.count("letterbox_writer_batch_commands_sum"), 1);
    assert_eq!(scrape.count("letterbox_writer_queue_seconds_count"), 1);
    for step in ["begin", "turn", "load", "decide", "save", "commit"] {
        let of_step =
            |part: &str| format!("letterbox_writer_step_seconds_{part}{{step=\"{step}\"}}");
        assert_eq!(scrape.count(&of_step("count")), 1, "{step}");
        assert!(scrape.value(&of_step("sum")) > 0.0, "{step}");
    }
    assert_eq!(scrape.count("letterbox_writer_queue_commands"), 0);
    assert_eq!(scrape.count("letterbox_writer_queue_bytes"), 0);

    // Where nothing but the log tells of it, and nobody else writes, no turn is taken.
    server
        .client("ana")
        .start("plans", &["ben"], "Dinner?")
        .await;
    let scrape = server.scrape().await;
    assert_eq!(scrape.count("letterbox_writer_batch_commands_count"), 2);
    for (step, count) in [("look", 2), ("turn", 1), ("decide", 2), ("commit", 2)] {
        let name = format!("letterbox_writer_step_seconds_count{{step=\"{step}\"}}");
        assert_eq!(scrape.count(&name), count, "{step}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn connections_of_callers_and_to_the_database_are_told(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    ana.summary().await;
    let scrape = server.scrape().await;
    assert_eq!(scrape.count("letterbox_connections_open"), 1);
    assert_eq!(scrape.count("letterbox_connections_accepted_total"), 1);
    for pool in ["writers", "readers"] {
        let of_pool = |name: &str| {
            scrape.count(&format!(
                "letterbox_database_connections_{name}{{pool=\"{pool}\"}}"
            ))
        };
        let (idle, max) = (of_pool("idle"), of_pool("max"));
        assert!(idle >= 1 && max >= idle, "{pool}: {idle} of {max}");
    }
    let wal = scrape.count("letterbox_sqlite_wal_bytes");
    assert_eq!(wal > 0, database == Database::Sqlite, "{wal}");
    drop(ana);
    reaches(&server, "letterbox_connections_open", |open| open == 0).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_hit_is_counted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    let ana = server.client("ana");
    let padded = ana.with("x-padding", &"p".repeat(17 * 1024));
    let refused = padded.get_inbox_summary(GetInboxSummaryRequest {}).await;
    let refusal = assert_refused(refused, Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    assert!(refusal.message.contains("16 KiB"), "{}", refusal.message);
    let large = SendMessageRequest {
        content: "c".repeat(5 << 20),
        ..SendMessageRequest::default()
    };
    let refused = ana.send_message(large).await;
    let refusal = assert_refused(refused, Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    assert!(refusal.message.contains("4 MiB"), "{}", refusal.message);

    let scrape = server.scrape().await;
    for limit in ["metadata_bytes", "request_bytes"] {
        let hits = format!("letterbox_limits_hit_total{{limit=\"{limit}\"}}");
        assert_eq!(scrape.count(&hits), 1, "{limit}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_no_longer_kept_are_counted_as_they_go(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::setup()
        .settings(|settings| settings.event_retention = Duration::from_millis(1))
        .start(database)
        .await;
    let ana = server.client("ana");
    for subject in ["plans", "notes"] {
        ana.start(subject, &["ben"], "Lunch?").await;
    }
    let removed =
        |table: &str| format!("letterbox_retention_removed_rows_total{{table=\"{table}\"}}");
    reaches(&server, &removed("events"), |rows| rows == 1).await;
    reaches(&server, &removed("audience"), |rows| rows == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_label_is_a_name_that_a_caller_makes_up() {
    let server = TestServer::start(Database::Sqlite).await;
    let ana = server.client("ana-the-user").in_tenant("acme-the-tenant");
    ana.start("plans", &["ben-the-user"], "Lunch?").await;
    let watch = ana.watch().await;
    let nowhere = raw_call(&server, "NoSuchRpc", &[("x-user-id", "ana-the-user")], b"").await;
    assert_eq!(nowhere.status.code(), Code::Unimplemented);
    let text = server.scrape().await.text;
    for name in ["the-user", "the-tenant", "plans", "NoSuchRpc"] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
    drop(watch);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_told_with_its_version_and_commit() {
    let server = TestServer::start(Database::Sqlite).await;
    let scrape = server.scrape().await;
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = scrape.text.lines();
    let build = lines.find(|line| line.starts_with("letterbox_build_info{"));
    let build = build.expect("what runs");
    assert!(build.contains(&format!("version=\"{version}\"")), "{build}");
    assert!(
        build.contains("commit=\"") && build.ends_with(" 1"),
        "{build}"
    );
    assert!(scrape.value("process_resident_memory_bytes") > 1e6);
    assert!(scrape.value("process_start_time_seconds") > 1e9);
    assert!(scrape.value("process_open_fds") > 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_at_one_path_and_nothing_else_is() {
    let server = TestServer::start(Database::Sqlite).await;
    let found = fetch(server.metrics_address(), "/metrics").await;
    let format = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(found.head.contains(format), "{}", found.head);
    for path in ["/", "/metrics/", "/debug"] {
        let missing = fetch(server.metrics_address(), path).await;
        assert!(missing.head.contains(" 404 "), "{path}: {}", missing.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_can_be_watched_and_scrapes_do_not_hold_up_the_end() {
    let server = TestServer::start(Database::Sqlite).await;
    let metrics = server.metrics_address();
    // One says nothing at all, and one keeps its connection.
    let silent = TcpStream::connect(metrics).await.expect("it listens");
    let mut kept = TcpStream::connect(metrics).await.expect("it listens");
    let request = b"GET /metrics HTTP/1.1\r\nhost: metrics\r\n\r\n";
    kept.write_all(request).await.expect("it reads");
    kept.read_u8().await.expect("it answers");

    // A client that answers nothing holds up the drain, which lasts for as long as is left.
    let open = TcpStream::connect(server.authority()).await;
    let mut open = open.expect("it listens");
    let begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    open.write_all(begun).await.expect("it reads");
    open.read_u8().await.expect("it speaks HTTP/2");
    let is_open = async || {
        Scrape::of(metrics)
            .await
            .count("letterbox_connections_open")
            == 1
    };
    let ending = server.begin_to_stop();
    eventually("a scrape amid the drain", async || {
        (is_open().await && !ending.is_finished()).then_some(())
    })
    .await;
    drop(open);
    soon("the end", ending)
        .await
        .expect("a server ends in good order");
    drop((silent, kept));
}

/// Compares docs/metrics.md with the families that there are; the message of a failure is what its
/// table has to be.
#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_lists_every_family_and_no_other() {
    let server = TestServer::start(Database::Sqlite).await;
    let mut table = String::new();
    for family in server.scrape().await.families() {
        let labels: BTreeSet<String> = family
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
        let (name, kind, help) = (family.name, family.kind, family.help);
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").expect("a text grows");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(path).expect("the page is there");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let documented: String = rows.flat_map(|row| [row, "\n"]).collect();
    assert!(documented == table, "docs/metrics.md should have\n{table}");
}
