//! Compiles the protos without protoc, keeps their descriptors for reflection, and names the commit.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rustc-env=LETTERBOX_COMMIT={}", commit());

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files([
        "letterbox/v1/messaging_service.proto",
        "letterbox/admin/v1/admin.proto",
    ])?;

    // The encoded form keeps what a decoded set would drop: comments and custom options.
    fs::write(
        out.join("letterbox_descriptor.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let descriptors = compiler.file_descriptor_set();
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds(descriptors.clone())?;
    // The services take the same messages, but for those that are encoded once for many, or to be
    // sent again.
    let services = out.join("services");
    fs::create_dir_all(&services)?;
    tonic_prost_build::configure()
        .build_client(false)
        .out_dir(services)
        .extern_path(".letterbox.v1", "crate::pb")
        .extern_path(".letterbox.admin.v1", "crate::pb::admin")
        .extern_path(".letterbox.v1.WatchMessagesResponse", "crate::pb::Encoded")
        .extern_path(".letterbox.v1.ListInboxResponse", "crate::pb::Encoded")
        .extern_path(".letterbox.v1.GetThreadResponse", "crate::pb::Encoded")
        .compile_fds(descriptors)?;
    Ok(())
}

/// The commit that is built: what `GIT_COMMIT` says, for builds without a clone; else the clone's;
/// `unknown` where this is none, or git is not there.
fn commit() -> String {
    println!("cargo:rerun-if-env-changed=GIT_COMMIT");
    if let Some(commit) = env::var("GIT_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
    {
        return commit;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = output.status.success().then_some(output.stdout)?;
        Some(String::from_utf8(text).ok()?.trim().to_owned())
    };
    // What changes with a commit, and with another branch.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) =
            git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists())
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    // Sources without a history may lie in somebody else's clone.
    let is_root = git(&["rev-parse", "--show-prefix"]).is_some_and(|prefix| prefix.is_empty());
    let commit = is_root.then(|| git(&["rev-parse", "--short=12", "HEAD"]));
    commit.flatten().unwrap_or_else(|| "unknown".to_owned())
}
