//! A `letterbox` process, which never outlives its test.

use std::{
    future::ready,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::watch;

use crate::support::prelude::*;

/// The command in a folder, with no settings but these arguments.
pub(crate) fn letterbox(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_letterbox"));
    command.current_dir(folder).args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LETTERBOX_") {
            command.env_remove(name);
        }
    }
    command
}

/// Sends a process a signal, such as TERM; by the shell, since not every machine has a `kill`.
pub(crate) fn send_signal(process: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &process.to_string()])
        .status()
        .expect("a shell is there");
    assert!(sent.success(), "SIG{name} cannot be sent");
}

/// A process that ends with the test, at the latest.
pub(crate) struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// What a process said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// The lines of its standard output.
    pub(crate) stdout: Vec<String>,
    /// The lines of its standard error.
    pub(crate) stderr: Vec<String>,
}

impl Process {
    /// Starts a command.
    pub(crate) fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command is there");
        let stdout = child.stdout.take().expect("its output is read");
        let stderr = child.stderr.take().expect("its errors are read");
        Self {
            child,
            stdout: Lines::read(stdout),
            stderr: Lines::read(stderr),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line of its log.
    pub(crate) async fn first_line(&self) -> String {
        soon("the first line of the log", self.stderr.first()).await
    }

    /// Where it listens, as the first line of its log tells; the line, where it tells something
    /// else.
    pub(crate) async fn try_address(&self) -> Result<SocketAddr, String> {
        let line = self.first_line().await;
        let said: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        let address = said.and_then(|said| said["address"].as_str()?.parse().ok());
        address.ok_or(line)
    }

    /// The first line of its log that holds this.
    pub(crate) async fn line_with(&self, part: &str) -> String {
        let what = format!("{part} in the log");
        soon(&what, self.stderr.with(part)).await
    }

    /// The first line that it prints which holds this.
    pub(crate) async fn printed(&self, part: &str) -> String {
        let what = format!("{part} to be printed");
        soon(&what, self.stdout.with(part)).await
    }

    /// Sends it a signal, such as TERM.
    pub(crate) fn signal(&self, name: &str) {
        send_signal(self.child.id(), name);
    }

    /// Kills it, as `kill -9` does, and waits until it has gone; what it said until then.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().expect("a process can be killed");
        self.child.wait().expect("a child can be waited for");
        Ended {
            code: None,
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Waits for its end, where that may take longer than what tests wait for.
    pub(crate) async fn ended_within(mut self, patience: Duration) -> Ended {
        let ended = eventually_within(patience, "the end of the process", || {
            ready(self.child.try_wait().expect("a child can be waited for"))
        });
        let code = ended.await.code();
        Ended {
            code,
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }

    /// Waits for its end, and checks that it complained in one line and ended with this status.
    pub(crate) async fn refused(self, code: i32) -> String {
        let ended = self.ended().await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert_eq!(ended.stdout, [""; 0], "{ended:?}");
        let [line] = ended.stderr.as_slice() else {
            panic!("not one line: {ended:?}");
        };
        assert!(line.starts_with("letterbox: "), "{ended:?}");
        line.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines that come from a pipe, as they come.
struct Lines {
    lines: watch::Receiver<Vec<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn read(pipe: impl Read + Send + 'static) -> Self {
        let (kept, lines) = watch::channel(Vec::new());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                let line = line.expect("lines are texts");
                kept.send_modify(|lines| lines.push(line));
            }
        });
        Self {
            lines,
            reader: Some(reader),
        }
    }

    async fn first(&self) -> String {
        let mut lines = self.lines.clone();
        let lines = lines.wait_for(|lines| !lines.is_empty()).await;
        lines.expect("the process says something")[0].clone()
    }

    async fn with(&self, part: &str) -> String {
        let mut lines = self.lines.clone();
        let holds = |line: &&String| line.contains(part);
        let found = lines
            .wait_for(|lines| lines.iter().any(|line| holds(&line)))
            .await;
        let found = found.expect("the process goes on");
        found.iter().find(holds).expect("it is there").clone()
    }

    /// All lines, once the process has ended.
    fn finish(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("lines are texts");
        }
        self.lines.borrow().clone()
    }
}
