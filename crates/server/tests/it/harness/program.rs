//! The program as a process of its own: it has no environment but the one given, is listened to, and does not
//! outlive its test.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_einmal");

/// What no step of a test may take longer than.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The program with an environment of its own, so that nothing of the test's leaks in.
pub(crate) fn einmal(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    // A program that is killed leaves its temporary files behind: where `cargo clean` finds them.
    command.args(arguments).env_clear().env("TMPDIR", env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Run {
    einmal(arguments).output().expect("the program starts").into()
}

/// Runs it with this on standard input.
pub(crate) fn with_input(command: &mut Command, input: &[u8]) -> Run {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // It may print more than a pipe holds before it has read everything.
    std::thread::scope(|scope| {
        // It may refuse its arguments and be gone before it reads.
        scope.spawn(move || stdin.write_all(input).is_ok());
        child.wait_with_output().expect("the program ends").into()
    })
}

/// A run that goes on; killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    stdout: watch::Receiver<String>,
    stderr: watch::Receiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = gather(child.stdout.take().expect("piped"));
        let stderr = gather(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// What it prints is left to whoever starts it, and may stay unread.
    pub(crate) fn start_unread(command: &mut Command) -> (Self, ChildStdout) {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        let stderr = gather(child.stderr.take().expect("piped"));
        let (_, nothing) = watch::channel(String::new());
        (Self { child, stdout: nothing, stderr }, stdout)
    }

    /// Waits until standard output has what `find` looks for, in whole lines.
    pub(crate) async fn printed<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let found = timeout(PATIENCE, self.stdout.wait_for(|text| find(text).is_some())).await;
        let text = found.ok().and_then(|text| Some(text.ok()?.clone()));
        let found = text.and_then(|text| find(&text));
        found.unwrap_or_else(|| panic!("no {what}:\n{}\n{}", self.stdout(), self.stderr()))
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.borrow().clone()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.borrow().clone()
    }

    /// A line on its standard input, which the command must have piped.
    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it listens");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is alive");
    }

    /// As `kill -9`, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is alive");
        self.child.wait().expect("it is gone");
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "does not exit:\n{}\n{}", self.stdout(), self.stderr());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for its end: exit code and everything that it said.
    pub(crate) async fn ended(mut self) -> Run {
        let code = self.exit().await.code();
        for output in [&mut self.stdout, &mut self.stderr] {
            while output.changed().await.is_ok() {}
        }
        Run { code, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads line by line for as long as there is somebody who writes.
fn gather(output: impl Read + Send + 'static) -> watch::Receiver<String> {
    let (said, listener) = watch::channel(String::new());
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            said.send_modify(|text| text.push_str(&String::from_utf8_lossy(&line)));
            line.clear();
        }
    });
    listener
}
