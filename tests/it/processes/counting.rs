//! Counts that outlive what they are kept beside.

use super::{
    caller::{Client, send, to_send},
    deployment::Deployment,
};
use crate::support::prelude::*;

/// What moves the counts to where a version kept them that knew no others.
const AS_BEFORE: [&str; 2] = [
    "INSERT INTO mailboxes_at_rest (tenant, user_number, inbox, unread, sent, deleted, total,
        unread_messages) SELECT tenant, user_number, inbox, unread, sent, deleted, total,
        unread_messages FROM audience WHERE inbox IS NOT NULL AND position = (
            SELECT max(n.position) FROM audience n WHERE n.tenant = audience.tenant
            AND n.user_number = audience.user_number)",
    "UPDATE audience SET inbox = NULL, unread = NULL, sent = NULL, deleted = NULL, total = NULL,
        unread_messages = NULL",
];

async fn summary(client: &Client) -> GetInboxSummaryResponse {
    let mut client = client.clone();
    let asked = client.get_inbox_summary(GetInboxSummaryRequest {});
    let answer = soon("a summary", asked).await;
    answer.expect("a summary").into_inner()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn counts_outlive_the_events_that_they_were_kept_beside(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&["--event-retention=1s"]).await;
    let ben = server.client("ben");
    for subject in ["plans", "news"] {
        send(
            server.client("ana"),
            to_send(&["ben"], subject, "Hear this"),
        )
        .await;
    }
    // One event is always kept: somebody else's.
    for _ in 0..2 {
        send(
            server.client("cy"),
            to_send(&["dora"], "noise", "Hear this"),
        )
        .await;
    }
    let told = "user_number = (SELECT number FROM users WHERE id = 'ben')";
    eventually("the removal of what ben was told of", async || {
        (deployment.count("audience", told).await == 0).then_some(())
    })
    .await;

    let counts = summary(&ben).await;
    assert_eq!(
        (counts.inbox_thread_count, counts.unread_message_count),
        (2, 2)
    );
    send(server.client("ana"), to_send(&["ben"], "more", "Hear this")).await;
    let counts = summary(&ben).await;
    assert_eq!(
        (counts.inbox_thread_count, counts.unread_message_count),
        (3, 3)
    );
    server.stop().await;
    deployment.check().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn counts_that_an_earlier_version_kept_are_taken_over(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let deployment = Deployment::new(database).await;
    let server = deployment.serve(&[]).await;
    for subject in ["plans", "news"] {
        send(
            server.client("ana"),
            to_send(&["ben"], subject, "Hear this"),
        )
        .await;
    }
    server.stop().await;
    for statement in AS_BEFORE {
        deployment.execute(statement).await;
    }
    let server = deployment.serve(&[]).await;
    assert_eq!(summary(&server.client("ben")).await.unread_thread_count, 2);
    send(server.client("ana"), to_send(&["ben"], "more", "Hear this")).await;
    assert_eq!(summary(&server.client("ben")).await.unread_thread_count, 3);
    server.stop().await;
    deployment.check().await;
}
