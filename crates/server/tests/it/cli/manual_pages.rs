//! `einmal man`

use super::help::commands;
use super::run;
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

#[test]
fn every_command_has_a_manual_page_with_all_its_options_and_there_is_no_other() {
    let directory = TempDir::new().unwrap();
    let pages = directory.path().join("man1");
    let made = run(&["man", pages.to_str().unwrap()]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    let commands = commands();
    assert_eq!(made.stdout, format!("{} pages\n", commands.len()));
    let name = |words: &[String]| format!("{}.1", [&["einmal".to_owned()], words].concat().join("-"));
    let written: BTreeSet<_> =
        fs::read_dir(&pages).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(written, commands.iter().map(|(words, _)| name(words)).collect());
    for (words, command) in commands {
        let page = fs::read_to_string(pages.join(name(&words))).unwrap();
        assert!(page.contains(concat!("\"einmal ", env!("CARGO_PKG_VERSION"), "\"")), "{page}");
        assert!(page.contains("Exit codes: 0 fine, 1 the work was refused"), "{page}");
        let options = command.get_opts().filter(|option| !option.is_hide_set());
        for option in options.filter_map(|option| option.get_long()) {
            let escaped = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(page.contains(&escaped), "{words:?}: --{option}: {page}");
        }
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let run = run(&["man", "/dev/null/man1"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.starts_with("error: /dev/null/man1: "), "{}", run.stderr);
}
