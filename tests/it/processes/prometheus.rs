//! What is in `ops`, by a real Prometheus: it scrapes a server under load, and every query of the
//! dashboard and of the alerts has to find something.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    deployment::{Deployment, Server},
    process::{Process, letterbox},
};
use crate::support::prelude::*;

fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(file)
}

/// A program that `scripts/test` has brought, or that is installed.
fn program(variable: &str, name: &str) -> Command {
    Command::new(std::env::var(variable).unwrap_or_else(|_| name.to_owned()))
}

/// Runs promtool, and returns all that it said where it found nothing wrong.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut promtool = program("LETTERBOX_TEST_PROMTOOL", "promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: ./scripts/test brings it");
    let mut stdin = promtool.stdin.take().expect("its input is written");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("a text");
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// A Prometheus with the configuration of `ops`, that scrapes one server each second.
struct Prometheus {
    address: String,
    _process: Process,
    _folder: TempDir,
}

impl Prometheus {
    fn start(target: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let settings = fs::read_to_string(ops("prometheus/prometheus.yml")).expect("settings");
        let ours = settings
            .replace("127.0.0.1:9464", target)
            .replace("_interval: 15s", "_interval: 1s");
        assert!(ours.contains(target), "{settings}");
        fs::write(file("prometheus.yml"), ours).expect("written");
        fs::copy(ops("prometheus/alerts.yml"), file("alerts.yml")).expect("copied");

        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let mut command = program("LETTERBOX_TEST_PROMETHEUS", "prometheus");
        command
            .current_dir(folder.path())
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg("--log.level=warn")
            .arg(format!("--web.listen-address={address}"));
        Self {
            address,
            _process: Process::start(command),
            _folder: folder,
        }
    }

    /// What one of its pages says under `data`; none before it is there.
    async fn data(&self, path: &str) -> Option<Value> {
        let page = try_fetch(self.address.parse().ok()?, path).await.ok()?;
        let mut said: Value = serde_json::from_str(&page.body).ok()?;
        Some(said["data"].take())
    }

    /// Whether an expression has a result now, in numbers.
    async fn finds(&self, expression: &str) -> Option<()> {
        let query = format!("/api/v1/query?query={}", percent_encoded(expression));
        let data = self.data(&query).await?;
        let found = data["result"].as_array()?.iter().any(|series| {
            let value = series["value"][1].as_str();
            value.is_some_and(|value| value != "NaN")
        });
        found.then_some(())
    }
}

fn percent_encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// The queries of the dashboard, each with its panel, as Grafana sends them.
fn queries() -> Vec<(String, String)> {
    let dashboard = fs::read_to_string(ops("grafana/letterbox.json")).expect("a dashboard");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut queries = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            let query = query
                .replace("$job", "letterbox")
                .replace("$instance", ".*")
                .replace("$__rate_interval", "1m");
            assert!(!query.contains('$'), "{title}: {query}");
            queries.push((title.to_owned(), query));
        }
    }
    queries
}

/// What the alerts compare, without what they compare it to: that there is something to compare.
fn compared(rules: &Value) -> Vec<(String, String)> {
    let groups = rules["groups"].as_array().expect("groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    let compared = rules.map(|rule| {
        let (name, query) = (rule["name"].as_str(), rule["query"].as_str());
        let (name, query) = (name.expect("a name"), query.expect("an expression"));
        let comparisons = [" > ", " == "];
        let left = comparisons.iter().find_map(|sign| query.rsplit_once(sign));
        let (left, right) = left.unwrap_or_else(|| panic!("{name} compares nothing: {query}"));
        right.parse::<f64>().expect("it compares with a number");
        (name.to_owned(), left.to_owned())
    });
    compared.collect()
}

/// Makes calls of every kind to a server, for a while: writes, reads and watches.
fn load(deployment: &Deployment, server: &Server) -> Vec<Process> {
    let endpoint = format!("http://{}", server.address());
    // The last so that SQLite has much to take in, however slow the machine is.
    let mixes = [
        ["mixed", "8", "200"],
        ["watch", "4", "200"],
        ["send", "8", "60000"],
    ];
    let benches = mixes.map(|[mix, callers, size]| {
        let mut bench = letterbox(deployment.folder(), &["bench", mix, "--users", "5"]);
        bench.args(["--callers", callers, "--endpoint", &endpoint]);
        bench.args(["--duration", "30s", "--warmup", "0s"]);
        bench.args(["--size", size]);
        Process::start(bench)
    });
    benches.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_dashboard_and_of_the_alerts_finds_data() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let server = deployment.serve(&["--metrics-listen=127.0.0.1:0"]).await;
    let target = server.metrics_address().await.to_string();
    let prometheus = Prometheus::start(&target);
    let _load = load(&deployment, &server);

    // It has taken the alerts in, as they are.
    let rules = eventually("the rules", async || {
        let rules = prometheus.data("/api/v1/rules?type=alert").await?;
        (!rules["groups"].as_array()?.is_empty()).then_some(rules)
    })
    .await;
    let alerts = compared(&rules);
    let written = fs::read_to_string(ops("prometheus/alerts.yml")).expect("alerts");
    assert_eq!(alerts.len(), written.matches("- alert: ").count());

    let queries = queries();
    assert!(queries.len() > 30, "{queries:?}");
    for (name, query) in queries.into_iter().chain(alerts) {
        let what = format!("data of {name}: {query}");
        eventually(&what, || prometheus.finds(&query)).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_wrong_with_a_scrape(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = TestServer::start(database).await;
    server
        .client("ana")
        .start("plans", &["ben"], "Lunch?")
        .await;
    let scrape = server.scrape().await;
    assert_eq!(promtool(&["check", "metrics"], &scrape.text), "");
}

#[test]
fn promtool_finds_nothing_wrong_with_the_configuration() {
    let config = ops("prometheus/prometheus.yml");
    let said = promtool(&["check", "config", &config.display().to_string()], "");
    assert!(said.contains("SUCCESS: 1 rule files found"), "{said}");
    let rules = ops("prometheus/alerts.yml");
    promtool(&["check", "rules", &rules.display().to_string()], "");
}

#[test]
fn every_alert_says_what_is_wrong_and_where_to_read_on() {
    let alerts = fs::read_to_string(ops("prometheus/alerts.yml")).expect("alerts");
    for alert in alerts.split("- alert: ").skip(1) {
        for part in ["severity: ", "summary: \"", "runbook: docs/runbook.md#"] {
            assert!(alert.contains(part), "{part} in {alert}");
        }
    }
}
