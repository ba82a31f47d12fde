//! Tenants take turns of their own on Postgres.

use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{
    caller::{Client, client, send, to_send},
    deployment::{Deployment, Server},
};
use crate::support::prelude::*;

/// A server, and a connection from outside that can hold a tenant's turn.
async fn start() -> (Deployment, Server, PgConnection) {
    let deployment = Deployment::new(Database::Postgres).await;
    let server = deployment.serve(&[]).await;
    for tenant in ["a", "b"] {
        send_in(&server, tenant).await;
    }
    let outside = deployment.postgres().await;
    (deployment, server, outside)
}

fn ana_in(server: &Server, tenant: &str) -> Client {
    let metadata = [("x-user-id", "ana"), ("x-tenant-id", tenant)];
    client(server.address(), &metadata)
}

async fn send_in(server: &Server, tenant: &str) -> Message {
    send(ana_in(server, tenant), to_send(&["ben"], "plans", "Lunch?")).await
}

/// Takes tenant a's turn, and keeps it.
async fn hold_turn(outside: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut turn = outside.begin().await.unwrap();
    sqlx::query("SELECT tenant FROM log_heads WHERE tenant = 'a' FOR UPDATE")
        .fetch_one(&mut *turn)
        .await
        .expect("the tenant has a turn to take");
    turn
}

/// When somebody began to wait for a lock, once somebody does; not the one who began then.
async fn waiting_since(deployment: &Deployment, not: Option<&str>) -> String {
    let connection = tokio::sync::Mutex::new(deployment.postgres().await);
    eventually("somebody who waits for the turn", async || {
        let mut connection = connection.lock().await;
        let since: Option<String> = sqlx::query_scalar(
            "SELECT query_start::text FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_optional(&mut *connection)
        .await
        .unwrap();
        since.filter(|since| not != Some(since.as_str()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_turn_is_taken_holds_up_nobody_else() {
    let (deployment, server, mut outside) = start().await;
    let turn = hold_turn(&mut outside).await;
    let mut ana = ana_in(&server, "a");
    let waiting = tokio::spawn(async move {
        let request = to_send(&["ben"], "more plans", "Dinner?");
        ana.send_message(request).await
    });
    waiting_since(&deployment, None).await;
    for _ in 0..20 {
        send_in(&server, "b").await;
    }
    assert!(!waiting.is_finished(), "tenant a waits");

    turn.rollback().await.unwrap();
    let answer = soon("an answer", waiting).await.unwrap().unwrap();
    assert_eq!(answer.into_inner().message.unwrap().content, "Dinner?");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_comes_later_than_a_statement_may_wait_is_waited_for_anew() {
    let (deployment, server, mut outside) = start().await;
    let turn = hold_turn(&mut outside).await;
    let mut ana = ana_in(&server, "a");
    let waiting = tokio::spawn(async move {
        let request = to_send(&["ben"], "more plans", "Dinner?");
        ana.send_message(request).await
    });
    let first = waiting_since(&deployment, None).await;
    waiting_since(&deployment, Some(&first)).await;
    send_in(&server, "b").await;
    assert!(!waiting.is_finished(), "tenant a waits");

    turn.rollback().await.unwrap();
    let answer = soon("an answer", waiting).await.unwrap().unwrap();
    assert_eq!(answer.into_inner().message.unwrap().content, "Dinner?");
    deployment.check().await;
}
