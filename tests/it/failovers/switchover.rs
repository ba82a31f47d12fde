//! An address that leads to a standby for a while, as a name does that follows the primary.

use super::{Cluster, Setting, cluster::Following, insist, user};
use crate::support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_from_a_standby_which_may_be_behind() {
    let setting = Setting::on(Cluster::start(Following::Asynchronous).await).await;
    let server = setting.deployment.serve(&[]).await;
    let (ana, ben) = (user(&server, "ana"), user(&server, "ben"));
    let plans = ana.start("plans", &["ben"], "1").await.thread;
    assert_eq!(ben.lines(&plans).await, ["1 ana: 1"]);
    let Cluster {
        primary, standby, ..
    } = &setting.cluster;
    standby.execute("SELECT pg_wal_replay_pause()").await;

    setting.proxy.turn_to(standby.address());
    let read = ben.list_inbox(ListInboxRequest::default()).await;
    assert_eq!(read.unwrap_err().code(), Code::Unavailable);

    setting.proxy.lead_to(primary.address());
    let reply = ReplyThreadRequest {
        thread_id: plans.clone(),
        content: "2".into(),
        subject: None,
        request_id: request_id(),
    };
    let replied = insist(|| ana.reply_thread(reply.clone())).await;
    assert_eq!(replied.unwrap().message.unwrap().number, 2);
    assert_eq!(ben.lines(&plans).await, ["1 ana: 1", "2 ana: 2"]);
    server.stop().await;
    setting.deployment.check().await;
}
