//! A Postgres whose tables are spread over machines, as far as can be tested without one: Citus is
//! known by its catalogue, and what a batch saves then goes table by table.

use sqlx::Executor;

use super::{
    caller::{send, to_reply, to_send, whole_thread},
    deployment::Deployment,
};
use crate::support::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn where_tables_are_spread_a_batch_is_saved_table_by_table() {
    let deployment = Deployment::new(Database::Postgres).await;
    let mut postgres = deployment.postgres().await;
    let catalogue = postgres.execute("CREATE TABLE pg_dist_partition ()").await;
    catalogue.expect("a table is made");

    let server = deployment.serve(&[]).await;
    let (mut ana, mut ben) = (server.client("ana"), server.client("ben"));
    let mut start = to_send(&["ben", "cy"], "plans", "Lunch?");
    start.request_id = request_id();
    let plans = send(ana.clone(), start.clone()).await;
    assert_eq!(send(ana.clone(), start).await, plans, "a retry");
    let replies = (0..40).map(|_| {
        let (mut ben, reply) = (ben.clone(), to_reply(&plans.thread_id, "Yes"));
        async move { ben.reply_thread(reply).await.expect("a reply is sent") }
    });
    futures_util::future::join_all(replies).await;
    let edit = EditMessageRequest {
        message_id: plans.id.clone(),
        content: "Dinner?".into(),
        expected_revision: Some(1),
    };
    ana.edit_message(edit).await.expect("an edit is made");
    let thread_id = plans.thread_id.clone();
    let read = MarkThreadReadRequest {
        thread_id: thread_id.clone(),
        up_to_number: None,
    };
    ana.mark_thread_read(read).await.expect("it is read");
    let delete = letterbox::pb::DeleteThreadRequest { thread_id };
    ben.delete_thread(delete).await.expect("it is deleted");

    let messages = whole_thread(server.client("cy"), &plans.thread_id).await;
    assert_eq!(messages.len(), 41);
    assert_eq!(messages[0].content, "Dinner?");
    server.stop().await;
    deployment.check().await;
}
