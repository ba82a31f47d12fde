//! A failover to a synchronous standby: what was acknowledged is there.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Cluster, FAILOVER_MAX, Setting, cluster::Following, insist, user};
use crate::{
    processes::{Deployment, Server},
    support::prelude::*,
};

const WRITERS: usize = 6;

/// A reply that can be retried.
fn reply(thread: &str, content: &str) -> ReplyThreadRequest {
    ReplyThreadRequest {
        thread_id: thread.to_owned(),
        content: content.to_owned(),
        subject: None,
        request_id: request_id(),
    }
}

/// Replies until told to stop; each number with what was acknowledged under it.
async fn write(
    ana: Client,
    thread: String,
    writer: usize,
    acknowledged: Arc<watch::Sender<usize>>,
    stop: watch::Receiver<bool>,
) -> Vec<(i32, String)> {
    let mut written = Vec::new();
    while !*stop.borrow() {
        let request = reply(&thread, &format!("{writer} {}", written.len()));
        let answer = insist(|| ana.reply_thread(request.clone())).await;
        let message = answer.unwrap().message.expect("a message");
        written.push((message.number, message.content));
        acknowledged.send_modify(|count| *count += 1);
    }
    written
}

/// Sees the numbers of all messages up to the last one, wherever it has to resume.
async fn follow(ben: Client, mut watch: Watch, last: &str) -> Vec<(i32, String)> {
    let mut seen = Vec::new();
    loop {
        match watch.response().await {
            Ok(pb::watch_messages_response::Event::MessageSent(sent)) => {
                let message = sent.message.expect("a message");
                let ended = message.content == last;
                seen.push((message.number, message.content));
                if ended {
                    return seen;
                }
            }
            Ok(_) => {}
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                let request = WatchMessagesRequest {
                    resume_token: watch.token.clone(),
                    ..Default::default()
                };
                let resumed = insist(|| ben.try_watch(request.clone())).await;
                watch = resumed.expect("no token of a synchronous standby expires");
            }
        }
    }
}

/// Writes and watches while something happens to the database, and checks that nothing that was
/// acknowledged is lost, and nothing comes twice.
pub(super) async fn assert_nothing_is_lost(
    deployment: &Deployment,
    tenant: &str,
    happening: impl Future,
) {
    let server = deployment.serve(&["--heartbeat-interval=1s"]).await;
    let user = |name| user(&server, name).in_tenant(tenant);
    let (ana, ben) = (user("ana"), user("ben"));
    let plans = ana.start("plans", &["ben"], "first").await.thread;
    let watching = ben.watch().await;
    let following = tokio::spawn(follow(ben.clone(), watching, "last"));
    let (stop, stopped) = watch::channel(false);
    let acknowledged = Arc::new(watch::Sender::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (ana, plans) = (user("ana"), plans.clone());
            let acknowledged = Arc::clone(&acknowledged);
            tokio::spawn(write(ana, plans, writer, acknowledged, stopped.clone()))
        })
        .collect();
    let so_many = async |count: usize| {
        let mut reached = acknowledged.subscribe();
        let reached = tokio::time::timeout(FAILOVER_MAX, reached.wait_for(|all| *all >= count));
        let reached = reached.await.expect("progress");
        drop(reached.expect("the test goes on"));
    };
    so_many(100).await;
    happening.await;
    let before = *acknowledged.borrow();
    so_many(before + 100).await;
    stop.send_replace(true);

    let mut expected = Vec::new();
    for writer in writers {
        expected.extend(writer.await.unwrap());
    }
    expected.sort_unstable();
    let count = i32::try_from(expected.len()).unwrap();
    let last = ana.reply(&plans, "last").await.message;
    assert_eq!(last.number, count + 2, "no message that nobody sent");
    expected.push((last.number, last.content));
    let numbers = expected.iter().map(|(number, _)| *number);
    assert!(numbers.eq(2..=count + 2), "each number once");
    assert_eq!(soon("the last event", following).await.unwrap(), expected);
    server.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_under_load_loses_nothing_acknowledged_and_repeats_nothing() {
    let setting = Setting::on(Cluster::start(Following::Synchronous).await).await;
    let Setting {
        mut cluster,
        proxy,
        deployment,
    } = setting;
    let failing_over = async {
        cluster.primary.crash().await;
        cluster.standby.promote().await;
        proxy.turn_to(cluster.standby.address());
    };
    Box::pin(assert_nothing_is_lost(&deployment, "default", failing_over)).await;
}

/// A message that its primary has committed, and that waits for the standby, which is away, when
/// the primary crashes and comes back: the message shows, but no standby has it.
async fn committed_by_the_primary_alone() -> (Setting, Server, ReplyThreadRequest, Replying) {
    let mut setting = Setting::on(Cluster::start(Following::Synchronous).await).await;
    let server = setting.deployment.serve(&[]).await;
    let ana = user(&server, "ana");
    let plans = ana.start("plans", &["ben"], "1").await.thread;
    setting.cluster.standby.crash().await;
    let request = reply(&plans, "2");
    let (asking, asked) = (ana.clone(), request.clone());
    let replying = tokio::spawn(async move { asking.reply_thread(asked).await });
    waits_for_the_standby(&setting).await;
    setting.cluster.primary.crash().await;
    setting.cluster.primary.start().await;
    (setting, server, request, replying)
}

type Replying = tokio::task::JoinHandle<Result<pb::ReplyThreadResponse, tonic::Status>>;

async fn waits_for_the_standby(setting: &Setting) {
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    setting.cluster.primary.until(waits).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_restarted_primary_has_is_not_acknowledged_until_its_standby_has_it() {
    let (mut setting, server, request, replying) = committed_by_the_primary_alone().await;
    // The message is found; and its answer waits as its commit did.
    waits_for_the_standby(&setting).await;
    assert!(!replying.is_finished(), "no standby has it");

    // The standby takes over without the message, and so it is sent there.
    setting.cluster.primary.crash().await;
    setting.cluster.standby.start().await;
    setting.cluster.standby.promote().await;
    setting.proxy.turn_to(setting.cluster.standby.address());
    let answer = soon("an answer", replying).await.unwrap().unwrap();
    assert_eq!(answer.message.unwrap().number, 2);
    let lines = user(&server, "ben").lines(&request.thread_id).await;
    assert_eq!(lines, ["1 ana: 1", "2 ana: 2"]);
    server.stop().await;
    setting.deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_not_acknowledged_either_until_the_standby_has_what_it_finds() {
    let (mut setting, server, request, replying) = committed_by_the_primary_alone().await;
    server.kill();
    let unanswered = soon("the end of the call", replying).await.unwrap();
    unanswered.expect_err("nobody is there to answer");
    // What the killed process has left to wait ends with its connections.
    setting.proxy.turn_to(setting.cluster.primary.address());
    let server = setting.deployment.serve(&[]).await;
    let ana = user(&server, "ana");
    let (retrying, retried) = (ana.clone(), request.clone());
    let retry = tokio::spawn(async move { retrying.reply_thread(retried).await });
    waits_for_the_standby(&setting).await;
    assert!(!retry.is_finished(), "no standby has it");

    setting.cluster.standby.start().await;
    let answer = soon("an answer", retry).await.unwrap().unwrap();
    assert_eq!(answer.message.unwrap().number, 2);
    server.stop().await;
    setting.deployment.check().await;
}
