//! The program as a process: what it prints, and its exit code.

mod code;
mod config_check;
mod config_print;

use crate::harness::program::{Run, einmal, run, with_input};

fn run_with_input(arguments: &[&str], input: &str) -> Run {
    with_input(&mut einmal(arguments), input.as_bytes())
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
