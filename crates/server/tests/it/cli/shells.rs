//! `einmal completions`

use super::help::commands;
use super::run;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

#[test]
fn the_script_of_every_shell_has_every_command_and_option() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let made = run(&["completions", shell]);
        assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""), "{shell}");
        for (words, command) in commands() {
            let last = words.last().map_or("einmal", String::as_str);
            assert!(made.stdout.contains(last), "{shell}: {words:?}");
            let options = command.get_opts().filter(|option| !option.is_hide_set());
            for option in options.filter_map(|option| option.get_long()) {
                assert!(made.stdout.contains(option), "{shell}: {words:?} --{option}");
            }
        }
    }
    let none = run(&["completions", "command.com"]);
    assert_eq!(none.code, Some(2));
}

/// What bash offers after `words`, of which the last is unfinished.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("einmal.bash");
    fs::write(&path, script).unwrap();
    let ask = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; _einmal einmal {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        path.display(),
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).current_dir(&directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let script = run(&["completions", "bash"]).stdout;
    assert_eq!(offered(&script, &["einmal", "acc"]), ["accounts"]);
    assert_eq!(offered(&script, &["einmal", "accounts", "im"]), ["import"]);
    assert_eq!(offered(&script, &["einmal", "store", "copy", "--to-pass"]), ["--to-password-file"]);
    assert_eq!(offered(&script, &["einmal", "completions", "fi"]), ["fish"]);
}
