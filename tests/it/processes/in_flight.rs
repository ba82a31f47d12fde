//! Calls that are under way when the process is told to end.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;
use tonic::Status;

use super::{
    caller::{Client, to_reply, to_send, whole_thread},
    deployment::Deployment,
};
use crate::support::prelude::*;

const WRITERS: usize = 8;

/// Replies until refused: what was acknowledged, and the request that was not, with why.
async fn reply_until_refused(
    mut client: Client,
    thread: String,
    writer: usize,
    acknowledged: Arc<watch::Sender<usize>>,
) -> (Vec<Message>, ReplyThreadRequest, Status) {
    let mut messages = Vec::new();
    for count in 0.. {
        let request = to_reply(&thread, &format!("{writer} {count}"));
        let answer = client.reply_thread(request.clone());
        match soon("an answer", answer).await {
            Ok(answer) => messages.push(answer.into_inner().message.expect("a message")),
            Err(status) => return (messages, request, status),
        }
        acknowledged.send_modify(|count| *count += 1);
    }
    unreachable!("the server ends before the numbers do");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_are_answered_or_refused_and_none_is_lost_after_its_answer(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("TERM", "INT")] signal: &str,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&["--drain-timeout=1h"]).await;
    let plans = to_send(&["ben"], "plans", "Lunch?");
    let plans = super::caller::send(server.client("ana"), plans).await;
    let acknowledged = Arc::new(watch::Sender::new(0));
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (client, thread) = (server.client("ana"), plans.thread_id.clone());
        let acknowledged = Arc::clone(&acknowledged);
        let replying = reply_until_refused(client, thread, writer, acknowledged);
        writers.push(tokio::spawn(replying));
    }
    let mut reached = acknowledged.subscribe();
    let reached = soon("progress", reached.wait_for(|count| *count >= 50)).await;
    drop(reached.expect("the test goes on"));
    server.stop_by(signal).await;

    let mut acknowledged = BTreeMap::from([(plans.number, plans.clone())]);
    let mut refused = Vec::new();
    for writer in writers {
        let (messages, request, status) = writer.await.unwrap();
        assert!(is_refused_unbegun(&status), "{status:?}");
        for message in messages {
            let before = acknowledged.insert(message.number, message);
            assert_eq!(before, None, "each number is given once");
        }
        refused.push(request);
    }

    let server = deployment.serve(&[]).await;
    let mut ana = server.client("ana");
    let kept = whole_thread(server.client("ben"), &plans.thread_id).await;
    let mut expected: Vec<Message> = acknowledged.into_values().collect();
    assert_eq!(kept, expected);
    for request in refused {
        let retried = ana.reply_thread(request).await.expect("a reply is sent");
        expected.push(retried.into_inner().message.expect("a message"));
    }
    let kept = whole_thread(server.client("ben"), &plans.thread_id).await;
    assert_eq!(kept, expected);
    deployment.check().await;
}

/// Whether a call was refused before it was begun: by the service; by a server that no longer
/// listens; or by its own client, whose connection has been told to open no more streams (gRPC's
/// word for that is UNAVAILABLE as well, but tonic has others).
pub(crate) fn is_refused_unbegun(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        Code::Cancelled | Code::Internal => {
            let said = format!("{status:?}");
            said.contains("(Canceled, \"connection closed\")")
                || said.contains("GoAway(b\"\", NO_ERROR, Remote)")
        }
        _ => false,
    }
}
