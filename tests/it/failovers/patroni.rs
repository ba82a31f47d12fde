//! A cluster that Patroni looks after, started by `tests/patroni/run`.

use std::{path::PathBuf, process::Command};

use super::synchronous::assert_nothing_is_lost;
use crate::processes::{Deployment, Process};

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set by tests/patroni/run"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "tests/patroni/run starts the cluster that it needs"]
async fn what_patroni_does_loses_nothing_acknowledged_and_repeats_nothing() {
    let deployment = Deployment::at(&setting("LETTERBOX_TEST_PATRONI_URL"));
    let script = PathBuf::from(setting("LETTERBOX_TEST_PATRONI_EVENT"));
    // Each in a tenant of its own, as they share the database.
    let tenant = script.file_name().and_then(|name| name.to_str());
    let tenant = tenant.expect("a script is named after its event");
    let event = async {
        let mut command = Command::new("sh");
        command.arg(&script);
        let ended = Process::start(command).ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    Box::pin(assert_nothing_is_lost(&deployment, tenant, event)).await;
}
