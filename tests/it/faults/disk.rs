//! A disk that is full when a test wants it.

use std::{fs, io::Write, path::PathBuf, process::Command, sync::OnceLock};

use tempfile::TempDir;

/// Room for what a long run keeps, and for a Postgres whose databases come and go.
pub(crate) const DISK_MIB: u32 = 256;

/// A small disk of the test's own, in memory. Only root can have one.
pub(crate) struct Disk(TempDir);

impl Disk {
    /// None where mounting is not allowed.
    pub(crate) fn mount(mebibytes: u32) -> Option<Self> {
        Self::can_be_had().then(|| Self::try_mount(mebibytes).expect("it could be had before"))
    }

    /// Whether there are such disks.
    pub(crate) fn can_be_had() -> bool {
        static CAN: OnceLock<bool> = OnceLock::new();
        *CAN.get_or_init(|| {
            let can = Self::try_mount(1).is_some();
            if !can {
                eprintln!("not tested: only root, where it may mount, can have a small disk");
            }
            can
        })
    }

    fn try_mount(mebibytes: u32) -> Option<Self> {
        let folder = TempDir::new().expect("a folder to mount on");
        let options = format!("size={mebibytes}m,mode=0777");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        mounted.then_some(Self(folder))
    }

    /// A folder on it.
    pub(crate) fn folder(&self) -> TempDir {
        TempDir::new_in(&self.0).expect("a folder to write in")
    }

    /// Mounts it in another way, such as `ro`.
    pub(crate) fn remount(&self, how: &str) {
        let remounted = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(self.0.path())
            .status();
        assert!(remounted.is_ok_and(|status| status.success()), "{how}");
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).expect("a file");
        for size in [1 << 20, 4_096, 1] {
            let bytes = vec![0; size];
            while filler.write_all(&bytes).is_ok() {}
        }
    }

    /// Makes room again.
    pub(crate) fn clear(&self) {
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
