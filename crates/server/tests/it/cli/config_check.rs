//! `einmal config check`

use super::{Run, einmal, run};
use std::fs;
use tempfile::TempDir;

const GOOD: &str = "[keyring]\nfile = \"k\"\n[[issuers]]\nissuer = \"https://a\"\naudiences = [\"a\"]\n";

fn check(text: &str, variables: &[(&str, &str)]) -> Run {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("einmal.toml");
    fs::write(&path, text).expect("written");
    let mut command = einmal(&["config", "check", "--config", "einmal.toml"]);
    command.current_dir(directory.path()).envs(variables.iter().copied());
    command.output().expect("the program starts").into()
}

#[test]
fn a_good_configuration_exits_0() {
    let run = check(GOOD, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout, "the configuration is fine\n");
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("einmal.toml");
    fs::write(&path, GOOD).expect("written");
    let output = einmal(&["config", "check"]).env("EINMAL_CONFIG", &path).output().expect("starts");
    assert_eq!(Run::from(output).code, Some(0));
}

#[test]
fn a_fault_exits_2_with_one_clear_line() {
    let run = check(&format!("[http]\nlistn = \"x\"\n{GOOD}"), &[]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert_eq!(
        run.stderr,
        "error: einmal.toml:2: http.listn: unknown key, the nearest known one is http.listen\n"
    );
}

#[test]
fn a_variable_of_the_process_is_laid_over_the_file() {
    let run = check(GOOD, &[("EINMAL__HTTP__LISTEN", "somewhere")]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.starts_with("error: EINMAL__HTTP__LISTEN: http.listen: found \"somewhere\""),
        "{}",
        run.stderr
    );
}

#[test]
fn without_a_configuration_one_line_points_to_the_way_out() {
    let run = run(&["config", "check"]);
    assert_eq!(run.code, Some(2));
    assert_eq!(run.stderr.lines().count(), 1);
    assert!(run.stderr.contains("--config FILE") && run.stderr.contains("einmal dev"), "{}", run.stderr);
}
