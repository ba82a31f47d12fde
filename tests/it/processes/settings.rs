//! Where settings come from. The heartbeat interval, which every watch begins with, shows it.

use std::{fs, process::Command, time::Duration};

use letterbox::pb::watch_messages_response::Event;

use super::deployment::{Deployment, Server};
use crate::support::prelude::*;

/// The heartbeat interval of a server that is started so.
async fn interval(command: Command) -> Duration {
    let server = Server::start(command).await;
    let mut ana = server.client("ana");
    let begun = soon(
        "a watch",
        ana.watch_messages(WatchMessagesRequest::default()),
    )
    .await;
    let mut responses = begun.expect("a watch begins").into_inner();
    let first = soon("a response", responses.message()).await.unwrap();
    let Some(Event::Ready(ready)) = first.expect("a response").event else {
        panic!("a watch begins with `ready`");
    };
    let interval = ready.heartbeat_interval.expect("an interval");
    interval.try_into().expect("an interval is positive")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_comes_before_a_variable_and_a_variable_before_the_file() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let seconds = Duration::from_secs;
    let listening = "--listen=127.0.0.1:0";
    let by_flag = "--heartbeat-interval=13s";
    let variable = "LETTERBOX_HEARTBEAT_INTERVAL";
    assert_eq!(
        interval(deployment.command(&[listening])).await,
        seconds(30)
    );

    let file = deployment.folder().join("letterbox.toml");
    fs::write(file, "heartbeat-interval = \"11s\"\n").unwrap();
    assert_eq!(
        interval(deployment.command(&[listening])).await,
        seconds(11)
    );
    let mut command = deployment.command(&[listening]);
    command.env(variable, "12s");
    assert_eq!(interval(command).await, seconds(12));
    let mut command = deployment.command(&[listening, by_flag]);
    command.env(variable, "12s");
    assert_eq!(interval(command).await, seconds(13));
    let command = deployment.command(&[listening, by_flag]);
    assert_eq!(interval(command).await, seconds(13));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_named_is_read_instead_of_the_one_in_the_folder() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let seconds = Duration::from_secs;
    let listening = "--listen=127.0.0.1:0";
    for (name, value) in [("letterbox", 11), ("flag", 12), ("variable", 13)] {
        let file = deployment.folder().join(format!("{name}.toml"));
        fs::write(file, format!("heartbeat-interval = \"{value}s\"\n")).unwrap();
    }
    let command = deployment.command(&[listening, "--config=flag.toml"]);
    assert_eq!(interval(command).await, seconds(12));
    let mut command = deployment.command(&[listening]);
    command.env("LETTERBOX_CONFIG", "variable.toml");
    assert_eq!(interval(command).await, seconds(13));
    let mut command = deployment.command(&[listening, "--config=flag.toml"]);
    command.env("LETTERBOX_CONFIG", "variable.toml");
    assert_eq!(interval(command).await, seconds(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_all_that_flags_can() {
    let deployment = Deployment::new(Database::Sqlite).await;
    let settings = format!(
        "listen = \"127.0.0.1:0\"\n\
         database-url = \"{}\"\n\
         auth = \"trusted-header\"\n\
         trust-network = true\n\
         require-tenant = true\n\
         known-users-only = \"on\"\n\
         show_started_threads = true\n\
         heartbeat-interval = \"11s\"\n\
         event-retention = \"1d\"\n\
         drain-timeout = \"1s\"\n\
         metrics-listen = \"127.0.0.1:0\"\n\
         otlp-endpoint = \"http://127.0.0.1:1\"\n\
         otlp-sampling = 0.5\n\
         request-bytes-max = \"256KiB\"\n\
         content-bytes-max = 10000\n\
         receiving-bytes-max = \"64MiB\"\n\
         calls-max = 1000\n\
         call-timeout-max = \"20s\"\n\
         queue-max = 1000\n\
         user-rate-max = \"off\"\n\
         user_watches_max = 10\n\
         watches-max = 1000\n\
         catch-up-bytes-max = \"16MiB\"\n\
         connections-max = 100\n\
         connection-streams-max = 100\n\
         handshake-timeout = \"5s\"\n\
         connection-idle-timeout = \"1h\"\n\
         keepalive-interval = \"1m\"\n\
         keepalive-timeout = \"10s\"\n",
        deployment.url()
    );
    fs::write(deployment.folder().join("letterbox.toml"), settings).unwrap();
    let server = Server::start(super::process::letterbox(deployment.folder(), &[])).await;
    Scrape::of(server.metrics_address().await).await;
    let mut ana = server.client("ana");
    let refused = ana.get_inbox_summary(GetInboxSummaryRequest {}).await;
    assert_refused(refused, Code::Unauthenticated, "CREDENTIALS_MISSING");
}
