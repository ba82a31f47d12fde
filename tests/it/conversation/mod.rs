//! Conversations with what is not ours: grpcurl and a shell, as the documentation shows them, the
//! clients of `clients/`, and the gRPC libraries of other languages.
//!
//! `./scripts/test` brings all that; `--skip conversation` leaves these tests out.

mod clients;
mod django;
mod libraries;
mod pages;
mod pgbouncer;

use std::{
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::processes::Deployment;

/// A tool or folder that `./scripts/test` brings, by the variable that names it.
fn brought(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    let path = path.unwrap_or_else(|| {
        panic!("{variable} is not set: run ./scripts/test, which brings what it names")
    });
    path.into()
}

/// The clone in which the clients are generated and installed.
fn clone() -> PathBuf {
    brought("LETTERBOX_TEST_CLONE")
}

/// A folder with the programs that pages speak of, for the search path.
struct Programs(tempfile::TempDir);

impl Programs {
    fn new() -> Self {
        let folder = tempfile::TempDir::new().expect("a folder to write in");
        let link = |program: PathBuf, name: &str| {
            symlink(program, folder.path().join(name)).expect("a link can be made");
        };
        link(brought("LETTERBOX_TEST_GRPCURL"), "grpcurl");
        link(brought("LETTERBOX_TEST_BUF"), "buf");
        link(env!("CARGO_BIN_EXE_letterbox").into(), "letterbox");
        let postgres = brought("LETTERBOX_TEST_POSTGRES_BIN");
        for name in ["createdb", "dropdb", "pg_dump", "pg_restore", "psql"] {
            link(postgres.join(name), name);
        }
        Self(folder)
    }

    /// A command with these programs before all others, told where the server is and nothing else.
    fn command(&self, program: &str, folder: &Path, server: SocketAddr) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env("PATH", format!("{}:{path}", self.0.path().display()))
            .env("LETTERBOX_TARGET", server.to_string());
        command
    }
}

/// A server on an address that it had before, or on any.
async fn serve_at(
    deployment: &Deployment,
    address: Option<SocketAddr>,
    arguments: &[&str],
) -> crate::processes::Server {
    let mut command = deployment.command(arguments);
    let listen = address.map_or("127.0.0.1:0".to_owned(), |address| address.to_string());
    command.env("LETTERBOX_LISTEN", listen);
    crate::processes::Server::start(command).await
}
