//! Disks that are full, or cannot be written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    dice::Dice,
    disk::Disk,
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree},
    world::World,
};
use crate::{
    processes::{Deployment, Process},
    support::*,
};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_are_unavailable_and_nothing_acknowledged_is_lost(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(disk) = Disk::mount(match database {
        // More than its write-ahead log grows to before it is taken in.
        Database::Sqlite => 96,
        Database::Postgres => 160,
    }) else {
        return;
    };
    let (world, postgres) = match database {
        Database::Sqlite => {
            let world = World::start_on_disk(disk, &[]).await;
            (world, None)
        }
        Database::Postgres => {
            let postgres = Arc::new(OwnPostgres::start_on(disk).await);
            let world = World::start(Some(&postgres), 2, &[]).await;
            (world, Some(postgres))
        }
    };
    let disk = world.disk().expect("it lies on a disk");
    let dice = Dice::of_today();
    let work = Work::begin("default", world.places(), Crew::SMALL, dice).await;
    for _ in 0..2 {
        work.progress(50).await;
        let before = unanswered(&work);
        disk.fill();
        eventually("writes that are refused", async || {
            (unanswered(&work) > before + 10).then_some(())
        })
        .await;
        disk.clear();
        if let Some(postgres) = &postgres {
            // Out of space for its log, it stops.
            postgres.go_on().await;
        }
        work.answers(20).await;
    }
    let mut accounts = work.accounts_in(&world).await;
    accounts.kept.disagreements = world.end().await;
    assert_agree("a full disk", &accounts);
}

/// How many writes have gone unanswered.
fn unanswered(work: &Work) -> usize {
    let calls = locked(&work.crowd.calls);
    let unanswered = calls.iter().filter(|call| call.answered.is_none());
    unanswered.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_to_a_file_on_a_full_disk_is_told_so_at_once() {
    let Some(disk) = Disk::mount(8) else {
        return;
    };
    let deployment = Deployment::on(TestDatabase::Sqlite(disk.folder()));
    let server = deployment.serve(&[]).await;
    let ana = Client::over(server.connect()).with("x-user-id", "ana");
    ana.start("plans", &["ben"], "Lunch?").await;
    let request = |content: &str| SendMessageRequest {
        recipient_ids: vec!["ben".into()],
        subject: "plans".into(),
        content: content.into(),
        request_id: request_id(),
    };
    disk.fill();
    // Its log may have room for the first ones.
    let long = "x".repeat(10_000);
    for _ in 0..5 {
        let _ = ana.send_message(request(&long)).await;
    }
    let dinner = request("Dinner?");
    let since = Instant::now();
    let refused = ana.send_message(dinner.clone()).await;
    assert_refused(refused, Code::Unavailable, "DATABASE_UNAVAILABLE");
    // Sooner than a commit is given up whose outcome is unknown.
    assert!(since.elapsed() < Duration::from_secs(5), "{since:?}");
    disk.clear();
    ana.send_message(dinner).await.expect("there is room");
    server.stop().await;
    deployment.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_ends_the_start_and_is_served_once_it_can() {
    let Some(disk) = Disk::mount(8) else {
        return;
    };
    let deployment = Deployment::on(TestDatabase::Sqlite(disk.folder()));
    let server = deployment.serve(&[]).await;
    let ana = Client::over(server.connect()).with("x-user-id", "ana");
    let plans = ana.start("plans", &["ben"], "Lunch?").await;
    server.stop().await;
    disk.remount("ro");
    let process = Process::start(deployment.command(&["--listen=127.0.0.1:0"]));
    let line = process.refused(1).await;
    assert!(line.contains("letterbox.db"), "{line}");

    disk.remount("rw");
    let server = deployment.serve(&[]).await;
    let ben = Client::over(server.connect()).with("x-user-id", "ben");
    assert_eq!(ben.lines(&plans.thread).await, ["1 ana: Lunch?"]);
    server.stop().await;
    deployment.check().await;
}
