//! What every command says about itself, and what it says to somebody who uses it wrongly.

use super::run;
use clap::{Arg, Command};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every command with the words that call it; groups of commands too.
pub(super) fn commands() -> Vec<(Vec<String>, Command)> {
    let mut found = Vec::new();
    let mut open = vec![(Vec::new(), einmal::cli::command())];
    while let Some((words, command)) = open.pop() {
        open.extend(command.get_subcommands().map(|inner| {
            let name = inner.get_name().to_owned();
            ([words.as_slice(), &[name]].concat(), inner.clone())
        }));
        found.push((words, command));
    }
    assert!(found.len() > 20, "{}", found.len());
    found
}

/// The commands that do something.
fn leaves() -> Vec<(Vec<String>, Command)> {
    commands().into_iter().filter(|(_, command)| !command.has_subcommands()).collect()
}

fn run_with(words: &[String], more: &[&str]) -> crate::harness::program::Run {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    run(&words)
}

#[test]
fn every_command_and_argument_says_what_it_is_for() {
    for (words, command) in commands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.len() > 10 && !about.contains('\n'), "{words:?}: {about:?}");
        let told = |argument: &&Arg| {
            argument.is_hide_set() || argument.get_help().is_some_and(|help| help.to_string().len() > 5)
        };
        let silent: Vec<_> = command.get_arguments().filter(|argument| !told(argument)).collect();
        assert!(silent.is_empty(), "{words:?}: {silent:?}");
    }
}

#[test]
fn every_help_has_all_of_it_and_the_exit_codes() {
    for (words, command) in commands() {
        let help = run_with(&words, &["--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(help.stdout.ends_with("\nExit codes: 0 fine, 1 the work was refused or only partly done, 2 usage or configuration.\n"), "{}", help.stdout);
        for inner in command.get_subcommands() {
            assert!(help.stdout.contains(&format!("\n  {} ", inner.get_name())), "{}", help.stdout);
        }
    }
}

#[test]
fn every_command_is_in_the_operators_manual_and_no_other() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs/OPERATIONS.md");
    let manual = fs::read_to_string(manual).unwrap();
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `einmal ")?.split_once('`'));
    let told: BTreeSet<_> = rows.map(|(words, _)| words.to_owned()).collect();
    let there: BTreeSet<_> = leaves().into_iter().map(|(words, _)| words.join(" ")).collect();
    assert_eq!(told, there);
}

#[test]
fn whoever_uses_a_command_wrongly_is_told_how_to_and_exits_2() {
    for (words, _) in commands() {
        let wrong = run_with(&words, &["--no-such-option"]);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""), "{words:?}");
        assert!(
            wrong.stderr.contains("--no-such-option") && wrong.stderr.contains("--help"),
            "{}",
            wrong.stderr
        );
    }
}

#[test]
fn without_a_configuration_every_command_that_needs_one_exits_2_in_one_line() {
    let mut needing = 0;
    for (words, command) in leaves() {
        if command.get_arguments().all(|argument| argument.get_long() != Some("config")) {
            continue;
        }
        needing += 1;
        // `-` for a file is standard input, which is empty.
        let positionals: Vec<&str> =
            command.get_positionals().filter(|argument| argument.is_required_set()).map(|_| "-").collect();
        let options = command.get_opts().filter(|argument| argument.is_required_set());
        let options: Vec<_> =
            options.map(|argument| format!("--{}=-", argument.get_long().unwrap())).collect();
        let arguments: Vec<_> = positionals.into_iter().chain(options.iter().map(String::as_str)).collect();
        let run = run_with(&words, &arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{words:?}: {run:?}");
        assert!(run.stderr.starts_with("error: no configuration: "), "{words:?}: {run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{words:?}: {run:?}");
    }
    assert!(needing > 10, "{needing}");
}
