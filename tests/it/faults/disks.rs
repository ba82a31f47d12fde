//! Disks that are full, or cannot be written.

use std::{fs, io::Write, path::PathBuf, process::Command, sync::Arc};

use tempfile::TempDir;

use super::{
    dice::Dice,
    postgres::OwnPostgres,
    run::{Crew, Work, assert_agree},
    world::World,
};
use crate::{
    processes::{Deployment, Process},
    support::*,
};

/// A small disk of the test's own, in memory. Only root can have one.
struct Disk(TempDir);

impl Disk {
    /// None where mounting is not allowed.
    fn mount(mebibytes: u32) -> Option<Self> {
        let folder = TempDir::new().expect("a folder to mount on");
        let options = format!("size={mebibytes}m,mode=0777");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            Some(Self(folder))
        } else {
            eprintln!("not tested: only root, where it may mount, can have a small disk");
            None
        }
    }

    /// A folder on it.
    fn folder(&self) -> TempDir {
        TempDir::new_in(&self.0).expect("a folder to write in")
    }

    fn remount(&self, how: &str) {
        let remounted = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(self.0.path())
            .status();
        assert!(remounted.is_ok_and(|status| status.success()), "{how}");
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("a file");
        for size in [1 << 20, 4_096, 1] {
            let bytes = vec![0; size];
            while filler.write_all(&bytes).is_ok() {}
        }
    }

    /// Makes room again.
    fn clear(&self) {
        fs::remove_file(self.filler()).expect("the disk was full");
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: processes on it end with the test, too.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_writes_are_unavailable_and_nothing_acknowledged_is_lost(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let Some(disk) = Disk::mount(match database {
        // More than its write-ahead log grows to before it is taken in.
        Database::Sqlite => 48,
        Database::Postgres => 160,
    }) else {
        return;
    };
    let (world, postgres) = match database {
        Database::Sqlite => {
            let deployment = Deployment::on(TestDatabase::Sqlite(disk.folder()));
            (World::start_on(deployment, None, 1, &[]).await, None)
        }
        Database::Postgres => {
            let postgres = Arc::new(OwnPostgres::start_in(disk.folder()).await);
            let world = World::start(Some(&postgres), 2, &[]).await;
            (world, Some(postgres))
        }
    };
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
