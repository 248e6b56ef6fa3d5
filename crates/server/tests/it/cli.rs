//! The program as a process: what it prints, and its exit code.

mod code;
mod config_check;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// What a run of the program left behind.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The program with an environment of its own, so that nothing of the test's leaks in.
fn einmal(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_einmal"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Run {
    einmal(arguments).output().expect("the program starts").into()
}

fn run_with_input(arguments: &[&str], input: &str) -> Run {
    let mut child = einmal(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The program may refuse its arguments and be gone before it reads.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends").into()
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for text in ["config", "code", "Exit codes: 0"] {
        assert!(help.stdout.contains(text), "{}", help.stdout);
    }
}

#[test]
fn a_wrong_command_line_exits_2() {
    for arguments in [&[][..], &["frobnicate"], &["config"], &["code"], &["code", "--digits", "6"], &["--x"]]
    {
        let run = run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}
