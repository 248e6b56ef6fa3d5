//! Documents say what is true: their samples are run, and their links lead somewhere.

use crate::harness::installation::early_in_a_step;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The samples marked as shell, in their order.
fn shell_samples(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// As somebody would paste them, to their end. What they wrote to both outputs.
fn run_samples(script: &str, directory: &Path) -> (String, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_einmal"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env!("PATH"));
    let mut bash = Command::new("bash");
    let output = bash.args(["-euc", script]).current_dir(directory).env("PATH", path).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    (out, err)
}

#[test]
fn the_samples_of_the_operators_manual_run() {
    let directory = tempfile::tempdir().unwrap();
    let samples = shell_samples(&read("docs/OPERATIONS.md"));
    assert_eq!(samples.len(), 9);
    let (out, err) = run_samples(&samples.join("\n"), directory.path());
    for said in [
        "2 imported, 0 replaced, 0 skipped, 0 refused",
        "1 accounts, 0 faults",
        "1 accounts: 1 TOTP secrets moved on, 0 codes dropped, 0 damaged",
        " 1 accounts resealed, 0 failed",
        "took ",
    ] {
        assert!(out.contains(said), "{out}\n{err}");
    }
}

#[test]
fn the_samples_of_the_guide_to_moving_in_run() {
    let directory = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/process/moving_in");
    for name in ["realm.json", "tokens.pi", "tokens.key", "tokens.csv"] {
        fs::copy(fixtures.join(name), directory.path().join(name)).unwrap();
    }
    let configuration = "[keyring]\nfile = \"einmal.keys\"\n\
                         [[issuers]]\nissuer = \"https://id.example.com\"\naudiences = [\"einmal\"]\n";
    fs::write(directory.path().join("einmal.toml"), configuration).unwrap();
    let samples = shell_samples(&read("docs/MOVING_IN.md"));
    assert_eq!(samples.len(), 5);
    let script = format!("export EINMAL_CONFIG=einmal.toml\neinmal keys generate\n{}", samples.join("\n"));
    let (out, err) = run_samples(&script, directory.path());
    let counts: Vec<_> =
        out.lines().filter_map(|line| line.strip_suffix(" 0 replaced, 0 skipped, 0 refused")).collect();
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 2, 2].map(|count| format!("{count} imported,")), "{out}\n{err}");
}

#[tokio::test]
async fn the_samples_of_the_guide_for_support_run() {
    let directory = tempfile::tempdir().unwrap();
    let configuration = "[keyring]\nfile = \"einmal.keys\"\n\
                         [[issuers]]\nissuer = \"https://id.example.com\"\naudiences = [\"einmal\"]\n";
    fs::write(directory.path().join("einmal.toml"), configuration).unwrap();
    // The account that the operator's manual brings in.
    let operations = read("docs/OPERATIONS.md");
    let line = operations.lines().find(|line| line.starts_with("{\"id\":\"7c1b6a4e\"")).unwrap();
    fs::write(directory.path().join("accounts.ndjson"), line).unwrap();
    let samples = shell_samples(&read("docs/HELP_DESK.md"));
    assert_eq!(samples.len(), 2);
    let made = "einmal keys generate --config einmal.toml\n\
                einmal accounts import accounts.ndjson --config einmal.toml";
    run_samples(made, directory.path());
    // How late a code is counts in steps.
    early_in_a_step(15).await;
    let (out, err) = run_samples(&samples.join("\n"), directory.path());
    let said: Vec<_> = out.lines().collect();
    let [accepted, right, refused, slow, last] = &*said else { panic!("{out}\n{err}") };
    assert_eq!(
        [*accepted, *refused, *last],
        ["would be accepted", "would be refused", "refused, as it says"]
    );
    assert!(right.starts_with("  right: ") && slow.starts_with("  clock-slow: "), "{out}");
    assert!(slow.contains("about 4 minutes slow"), "{slow}");
    let shown = slow.strip_prefix("  clock-slow: ").unwrap().replace('"', "\\\"");
    assert!(read("docs/HELP_DESK.md").contains(&format!("\"text\":\"{shown}\"")), "{shown}");
}

#[test]
fn the_guide_for_support_has_every_reason_and_no_other() {
    let guide = read("docs/HELP_DESK.md");
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut told: Vec<_> = rows.map(|(reason, _)| reason.to_owned()).collect();
    let source = read("crates/core/src/account/diagnose/finding.rs");
    let names = source.split_once("fn name(").unwrap().1.split("=> \"").skip(1);
    let mut there: Vec<_> = names.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    told.sort();
    there.sort();
    assert_eq!(told, there);
    assert_eq!(there.len(), 15);
}

#[test]
fn the_samples_for_deploying_run_and_all_others_are_said_not_to_be() {
    let directory = tempfile::tempdir().unwrap();
    crate::deployments::copy(&root().join("deploy"), &directory.path().join("deploy"));
    let text = read("docs/DEPLOYING.md");
    let samples = shell_samples(&text);
    // Every block is one of the two kinds.
    let blocks = text.lines().filter(|line| line.starts_with("```") && line.len() > 3);
    assert!(samples.len() == 3 && blocks.clone().all(|line| ["```sh", "```console"].contains(&line)));
    let (out, err) = run_samples(&samples.join("\n"), directory.path());
    assert!(out.starts_with("EINMAL_USER=") && out.trim_end().ends_with(" pages"), "{out}\n{err}");
    for made in ["compose/keys/einmal.keys", "kubernetes/mine/secrets/einmal.keys"] {
        assert!(directory.path().join("deploy").join(made).is_file(), "{made}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(PathBuf::from).into();
    for folder in ["docs", "docs/decisions"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
        let markdown = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
        documents.extend(markdown.map(|file| file.strip_prefix(root()).unwrap().to_path_buf()));
    }
    let mut dead = Vec::new();
    for document in documents {
        let text = read(document.to_str().unwrap());
        let targets =
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        let local = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
        for target in local {
            let file = target.split('#').next().unwrap();
            if !root().join(document.parent().unwrap()).join(file).exists() {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:?}");
}

/// Every test that a document names exists, so that no promise hangs on a test that was renamed.
#[test]
fn tests_that_documents_name_exist() {
    let mut sources = String::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    for document in ["docs/ARCHITECTURE.md", "docs/THREATS.md"] {
        let text = read(document);
        let named: Vec<_> =
            text.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() >= 3).collect();
        assert!(named.len() > 10, "{document}: {named:?}");
        let missing: Vec<_> =
            named.into_iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
        assert!(missing.is_empty(), "{document}: {missing:#?}");
    }
}
