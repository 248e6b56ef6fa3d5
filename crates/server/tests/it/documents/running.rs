//! The guides to running it: their samples, in a folder with a configuration, a keyring and an account.

use super::{read, run_samples, shell_samples};
use std::fs;
use tempfile::TempDir;

const CONFIGURATION: &str = "[keyring]\nfile = \"einmal.keys\"\n\
     [[issuers]]\nissuer = \"https://id.example.com\"\naudiences = [\"einmal\"]\n";
const BEFORE: &str = "export EINMAL_CONFIG=einmal.toml\neinmal keys generate\n\
     echo '{\"id\":\"anna\",\"deviceTotps\":[{\"secret\":\"KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S\"}]}' | einmal accounts import -\n";

/// What they say, of so many samples.
fn run(document: &str, count: usize) -> (String, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("einmal.toml"), CONFIGURATION).unwrap();
    let samples = shell_samples(&read(document));
    assert_eq!(samples.len(), count, "{document}");
    let (out, _) = run_samples(&format!("{BEFORE}{}", samples.join("\n")), directory.path());
    (out, directory)
}

#[test]
fn the_samples_of_the_guide_to_backups_run() {
    let (out, directory) = run("docs/BACKUP.md", 4);
    let safe = "1 accounts: 1 TOTP secrets moved on, 0 codes dropped, 0 damaged";
    assert_eq!(out.matches(safe).count(), 2, "the store and the drill: {out}");
    assert_eq!(out.matches("1 accounts, 0 faults").count(), 2, "{out}");
    assert!(out.contains("anna"), "{out}");
    assert!(!directory.path().join("drill").exists());
}

#[test]
fn the_samples_of_the_guide_to_upgrading_run() {
    run("docs/UPGRADING.md", 1);
}
