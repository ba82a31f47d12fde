//! Postgres's own programs, for tests that start servers of their own.

use std::{
    os::unix::fs::chown,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// One of its programs, run by whom it lets run it: it refuses root.
pub(crate) fn postgres_program(name: &str) -> Command {
    let folder = std::env::var("LETTERBOX_TEST_POSTGRES_BIN").expect(
        "LETTERBOX_TEST_POSTGRES_BIN names no folder of Postgres's programs: run ./scripts/test",
    );
    let path = Path::new(&folder).join(name);
    let mut command = if user_of_postgres().is_some() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        command.arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// A folder that its programs can write in.
pub(crate) fn postgres_folder() -> TempDir {
    let folder = TempDir::new().expect("a folder to work in");
    give_to_postgres(folder.path());
    folder
}

/// Lets its programs write in a folder.
pub(crate) fn give_to_postgres(folder: &Path) {
    if let Some(user) = user_of_postgres() {
        chown(folder, Some(user), None).expect("root can give a folder away");
    }
}

/// The user that Postgres is run by where the tests are run by root.
fn user_of_postgres() -> Option<u32> {
    let id = |arguments: &[&str]| {
        let said = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(said.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) == Some(0) {
        id(&["-u", "postgres"])
    } else {
        None
    }
}
