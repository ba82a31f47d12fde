//! A backup that is restored underneath running replicas.

use std::sync::Arc;

use super::{
    crowd::Connections,
    dice::Dice,
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree},
    world::World,
};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn when_a_backup_is_restored_lost_tokens_expire_and_nothing_is_silently_skipped() {
    let postgres = Arc::new(OwnPostgres::start().await);
    let world = World::start(Some(&postgres), 2, &[]).await;
    let mut dice = Dice::of_today();
    let work = Work::begin("default", world.places(), Crew::SMALL, dice.split()).await;
    work.progress(60).await;
    let crowd = Arc::clone(&work.crowd);
    assert_agree("before the backup", &work.accounts().await);

    // One through each replica.
    let mut connections = Connections::new("ana", 0);
    let (ana, again) = (connections.next(&crowd), connections.next(&crowd));
    let kept = ana.summary().await.resume_token;
    let name = world.database();
    back_up(&postgres, name).await;
    let request = SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "lost".into(),
        content: "Gone with the backup".into(),
        request_id: request_id(),
    };
    let lost = eventually("a message", async || {
        ana.send_message(request.clone()).await.ok()
    });
    let lost: Sent = lost.await.into();
    let lost_token = again.summary().await.resume_token;
    assert_ne!(kept, lost_token);
    let mut live = [ana.watch().await, again.resume(&kept).await];
    assert_eq!(live[1].sent().await.message, Some(lost.message.clone()));

    restore(&postgres, name).await;

    // A retry of what was lost is carried out anew, and once.
    let retried = eventually("a message", async || {
        ana.send_message(request.clone()).await.ok()
    });
    let retried: Sent = retried.await.into();
    assert_ne!(retried.thread, lost.thread);
    let read = again.get_thread(GetThreadRequest {
        thread_id: lost.thread,
        ..Default::default()
    });
    assert_refused(read.await, Code::NotFound, "THREAD_NOT_FOUND");
    for watch in &mut live {
        // Nobody who stands in the lost history is told of the other one as if nothing were.
        let (lines, mut status) = watch.end().await;
        assert_eq!(lines, [""; 0]);
        if Refusal::of(&status).reason == "DATABASE_UNAVAILABLE" {
            // Resumed, it is refused at its beginning, or later.
            let request = WatchMessagesRequest {
                resume_token: watch.token.clone(),
                ..Default::default()
            };
            status = match again.try_watch(request).await {
                Ok(mut resumed) => {
                    let (lines, status) = resumed.end().await;
                    assert_eq!(lines, [""; 0]);
                    status
                }
                Err(status) => status,
            };
        }
        assert_eq!(Refusal::of(&status).reason, "RESUME_TOKEN_EXPIRED");
    }
    for client in [&ana, &again] {
        let request = WatchMessagesRequest {
            resume_token: lost_token.clone(),
            ..Default::default()
        };
        let refused = client.try_watch(request).await;
        let refused = refused.map(|watch| watch.token);
        assert_refused(refused, Code::OutOfRange, "RESUME_TOKEN_EXPIRED");
        // What both histories have is as good as ever.
        let mut watch = client.resume(&kept).await;
        assert_eq!(watch.sent().await.message, Some(retried.message.clone()));
    }
    drop(live);
    assert_eq!(world.end().await, [""; 0]);
}

/// Copies a database, which lets nobody in meanwhile.
async fn back_up(postgres: &OwnPostgres, name: &str) {
    run(
        postgres,
        [
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
            format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = '{name}'"
            ),
            format!("CREATE DATABASE backup TEMPLATE {name}"),
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
        ],
    )
    .await;
}

/// Puts the copy where the database was.
async fn restore(postgres: &OwnPostgres, name: &str) {
    run(
        postgres,
        [
            format!("DROP DATABASE {name} WITH (FORCE)"),
            format!("ALTER DATABASE backup RENAME TO {name}"),
        ],
    )
    .await;
}

async fn run(postgres: &OwnPostgres, statements: impl IntoIterator<Item = String>) {
    for sql in statements {
        let done = postgres.execute("postgres", &sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}
