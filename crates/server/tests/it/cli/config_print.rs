//! `einmal config print`

use super::{Run, einmal, run};
use std::fs;
use tempfile::TempDir;

#[test]
fn what_is_printed_passes_the_check_in_place_of_the_file() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("einmal.toml");
    fs::write(&path, "[keyring]\nenv = \"SEAL\"\n[[issuers]]\nissuer = \"https://a\"\naudiences = [\"a\"]\n")
        .expect("written");
    let einmal = |command: &str| -> Run {
        let mut command = einmal(&["config", command, "--config", "einmal.toml"]);
        let command = command.current_dir(directory.path()).env("SEAL", "hunter2");
        command.env("EINMAL__HTTP__MAX_CONNECTIONS", "7").output().expect("starts").into()
    };
    let printed = einmal("print");
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    assert!(
        printed.stdout.contains("\nmax_connections = 7 # EINMAL__HTTP__MAX_CONNECTIONS\n"),
        "{printed:?}"
    );
    assert!(!printed.stdout.contains("hunter2"), "{printed:?}");
    fs::write(&path, &printed.stdout).expect("written");
    assert_eq!(einmal("check").code, Some(0));
    let lines_without_origin = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" # ").next().unwrap_or_default().to_owned()).collect()
    };
    let again = einmal("print").stdout;
    assert_eq!(lines_without_origin(&again), lines_without_origin(&printed.stdout));
}

#[test]
fn without_a_configuration_it_exits_2() {
    let run = run(&["config", "print"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("--config FILE"), "{}", run.stderr);
}
