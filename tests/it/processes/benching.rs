//! `letterbox bench`: load for a running server, and data for it.

use serde_json::Value;
use tonic::Request;

use super::{
    deployment::{Deployment, Server},
    process::{Ended, Process, letterbox},
};
use crate::support::prelude::*;

/// Runs `letterbox bench` against a server, over few users and for a short time.
async fn bench(deployment: &Deployment, server: &Server, arguments: &[&str]) -> Ended {
    let endpoint = format!("http://{}", server.address());
    let mut command = letterbox(deployment.folder(), &["bench"]);
    command.args(arguments).args(["--endpoint", &endpoint]);
    command.args(["--callers", "4", "--users", "5"]);
    let ended = Process::start(command).ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, [""; 0], "{ended:?}");
    ended
}

/// The one object that a measurement prints; it is made again where no call has ended in so short a time.
async fn measured(deployment: &Deployment, server: &Server, arguments: &[&str]) -> Value {
    let short = ["--duration", "300ms", "--warmup", "50ms", "--json"];
    eventually("a measurement of something", async || {
        let ended = bench(deployment, server, &[arguments, &short].concat()).await;
        let [line] = ended.stdout.as_slice() else {
            panic!("not one line: {ended:?}");
        };
        let figures: Value = serde_json::from_str(line).expect("it is JSON");
        (figures["requests"] != 0).then_some(figures)
    })
    .await
}

async fn inbox_count(server: &Server, tenant: &str, user: &str) -> i32 {
    let mut request = Request::new(GetInboxSummaryRequest {});
    let metadata = request.metadata_mut();
    metadata.insert("x-tenant-id", tenant.parse().expect("a tenant"));
    let summary = server.client(user).get_inbox_summary(request).await;
    summary.expect("a summary").into_inner().inbox_thread_count
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_mix_reports_its_figures_as_one_object(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    for mix in ["send", "reply", "inbox", "thread", "mixed", "watch"] {
        let figures = measured(&deployment, &server, &[mix, "--messages", "3"]).await;
        assert_eq!(figures["mix"], mix);
        assert_eq!(figures["callers"], 4);
        assert_eq!(figures["connections"], 4);
        assert_eq!(figures["errors"], 0);
        assert_eq!(figures["seconds"], 0.3);
        let of = |name: &str| {
            figures[name]
                .as_f64()
                .unwrap_or_else(|| panic!("{figures}"))
        };
        assert!(of("requests") > 0.0, "{figures}");
        let rate = (of("requests") / 0.03).round() / 10.0;
        assert_eq!(figures["requests_per_second"], rate);
        let latencies = ["p50_us", "p90_us", "p99_us", "p999_us"].map(of);
        assert!(latencies.is_sorted() && latencies[0] > 0.0, "{figures}");
        assert_eq!(figures.get("events_per_second").is_some(), mix == "watch");
        if mix == "watch" {
            // A message is an event to its recipient's watches and to its sender's.
            assert!(
                of("events_per_second") > of("requests_per_second"),
                "{figures}"
            );
            assert!(of("delivery_p50_us") <= of("delivery_p99_us"), "{figures}");
        }
    }
    server.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_makes_no_more_calls_than_are_due() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let figures = measured(&deployment, &server, &["send", "--rate", "100"]).await;
    assert_eq!(figures["rate"], 100);
    // 30 are due in 0.3 s; those of the warm-up may end within it, too.
    let requests = figures["requests"].as_u64().expect("a count");
    assert!((1..=35).contains(&requests), "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_a_table() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&[]).await;
    let short = ["watch", "--duration", "200ms", "--warmup", "0s"];
    let ended = bench(&deployment, &server, &short).await;
    let table = ended.stdout.join("\n");
    for part in [
        "watch: 4 callers",
        "closed loop",
        "p99.9",
        "at 100 watchers",
    ] {
        assert!(table.contains(part), "{part} is not in {table}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn fill_makes_what_is_missing_and_nothing_twice(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    let size = [
        "fill",
        "--threads",
        "12",
        "--messages",
        "3",
        "--tenants",
        "2",
    ];
    let ended = bench(&deployment, &server, &size).await;
    assert!(ended.stdout[0].starts_with("72 messages made"), "{ended:?}");
    for tenant in ["bench-0", "bench-1"] {
        let mut threads = 0;
        for user in 0..5 {
            threads += inbox_count(&server, tenant, &format!("bench-user-{user}")).await;
        }
        // Each thread lies in the inbox of its recipient, who replied, and of its starter.
        assert_eq!(threads, 24);
    }

    let ended = bench(&deployment, &server, &size).await;
    assert!(ended.stdout[0].starts_with("0 messages made"), "{ended:?}");
    server.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_said_in_one_line() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let nobody = ["bench", "send", "--endpoint", "http://127.0.0.1:1"];
    let bench = Process::start(letterbox(deployment.folder(), &nobody));
    let line = bench.refused(1).await;
    assert!(line.contains("http://127.0.0.1:1"), "{line}");
    assert!(line.contains("refused"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mix_has_to_be_named() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let bench = Process::start(letterbox(deployment.folder(), &["bench"]));
    let line = bench.refused(2).await;
    assert!(line.contains("<MIX>"), "{line}");
}
