//! The program as a process: what it prints, and its exit code.

mod code;
mod config_check;
mod config_print;
mod help;
mod manual_pages;
mod shells;

use crate::harness::program::{Run, einmal, run, with_input};

fn run_with_input(arguments: &[&str], input: &str) -> Run {
    with_input(&mut einmal(arguments), input.as_bytes())
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
