//! Clocks of processes, which a test moves: by a library that they load before all others.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
};

/// How far the clock of a process is from the true time, as long as the test says nothing else.
pub(crate) struct Skew {
    path: PathBuf,
    file: File,
}

impl Skew {
    /// None at first, kept in a file of this folder; none at all without a C compiler.
    pub(crate) fn in_folder(folder: &Path, name: &str) -> Option<Self> {
        if !Self::can_be_had() {
            return None;
        }
        let path = folder.join(name);
        let file = File::create(&path).expect("a file to write in");
        let skew = Self { path, file };
        skew.set(0);
        Some(skew)
    }

    /// Whether there are such clocks.
    pub(crate) fn can_be_had() -> bool {
        library().is_some()
    }

    /// Has a process go by this clock, which it is yet to be started as.
    pub(crate) fn give_to(&self, command: &mut Command) {
        if let Some(library) = library() {
            command.env("LD_PRELOAD", library);
            command.env("CLOCK_SKEW_FILE", &self.path);
        }
    }

    /// Has the clock jump to so far ahead of the true time; behind it, where that is negative.
    pub(crate) fn set(&self, millis: i64) {
        let written = self.file.write_all_at(&millis.to_ne_bytes(), 0);
        written.expect("a file can be written");
    }
}

/// Where the library is, compiled at its first use.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(compile).as_deref()
}

fn compile() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults/skew.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = folder.join("skew.so");
    // Put there when it is whole: others may be about to load it.
    let fresh = folder.join(format!("skew-{}.so", process::id()));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"])
        .arg("-o")
        .args([&fresh, &source])
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("not tested: without a C compiler, processes' clocks cannot be moved");
        return None;
    }
    std::fs::rename(&fresh, &library).expect("a file is put in another's place");
    Some(library)
}
