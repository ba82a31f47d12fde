//! Connections that are cut without a word: neither end is told, and both wait.

use futures_util::future::{join, join_all};

use super::{Cluster, Setting, cluster::Following, insist, user};
use crate::support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fall_silent_cost_time_and_nothing_else() {
    let setting = Setting::on(Cluster::start(Following::Backup).await).await;
    let server = setting.deployment.serve(&[]).await;
    let (ana, ben) = (user(&server, "ana"), user(&server, "ben"));
    let mut watch = ben.watch().await;
    let plans = ana.start("plans", &["ben"], "1").await.thread;
    assert_eq!(watch.line().await, "ana sent plans 1: 1");
    // As many connections as there can be.
    let reads =
        || join_all((0..40).map(|_| insist(|| ben.list_inbox(ListInboxRequest::default()))));
    reads().await;

    setting.proxy.fall_silent();
    let reply = ReplyThreadRequest {
        thread_id: plans.clone(),
        content: "2".into(),
        subject: None,
        request_id: request_id(),
    };
    let write = insist(|| ana.reply_thread(reply.clone()));
    let (read, written) = soon("all answers", join(reads(), write)).await;
    assert!(read.iter().all(Result::is_ok));
    assert_eq!(written.unwrap().message.unwrap().number, 2);
    assert_eq!(watch.line().await, "ana replied in plans 2: 2");
    assert_eq!(ben.lines(&plans).await, ["1 ana: 1", "2 ana: 2"]);
    server.stop().await;
    setting.deployment.check().await;
}
