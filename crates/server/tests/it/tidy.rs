//! Holds the house rules that no compiler knows: who may name whom, how large a file may be, what it opens with.

use std::fs;
use std::path::{Path, PathBuf};

/// Files are written for about 300 lines; past this one it is two ideas.
const MAX_SOURCE_LINES: usize = 350;
const MAX_TEST_LINES: usize = 500;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file under `crates/{folder}`, by its path from `crates`, with its text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![crates().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(crates()).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!files.is_empty(), "no file under {folder}");
    files
}

fn all_files() -> Vec<(String, String)> {
    ["bench/src", "bench/tests", "core/src", "core/tests", "server/src", "server/tests"]
        .into_iter()
        .flat_map(rust_files)
        .collect()
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_file_is_larger_than_one_idea() {
    let limit = |name: &str| if name.contains("/tests/") { MAX_TEST_LINES } else { MAX_SOURCE_LINES };
    let faults: Vec<_> = all_files()
        .into_iter()
        .map(|(name, text)| (text.lines().count(), name))
        .filter(|(lines, name)| *lines > limit(name))
        .map(|(lines, name)| format!("{name} has {lines} lines"))
        .collect();
    none(&faults);
}

#[test]
fn every_module_says_what_it_is_for() {
    let opens = |text: &str| text.starts_with("//! ");
    none(&all_files().into_iter().filter(|(_, text)| !opens(text)).map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn no_name_hides_what_is_in_it() {
    let vague = ["util", "helper", "common", "manager", "misc"];
    let is_vague = |name: &str| vague.iter().any(|word| name.to_ascii_lowercase().contains(word));
    none(&all_files().into_iter().map(|(name, _)| name).filter(|name| is_vague(name)).collect::<Vec<_>>());
}

/// A folder, and what nothing in it may name.
const DIRECTIONS: [(&str, &[&str]); 12] = [
    (
        "core/src",
        &["tokio", "axum", "hyper", "rusqlite", "tokio_postgres", "getrandom::", "SystemTime", "serde"],
    ),
    (
        "server/src/store",
        &["crate::accounts", "crate::api", "crate::auth", "crate::http", "crate::cli", "axum", "hyper"],
    ),
    (
        "server/src/accounts",
        &[
            "crate::api",
            "crate::auth",
            "crate::http",
            "crate::cli",
            "axum",
            "hyper",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
    (
        "server/src/auth",
        &["crate::accounts", "crate::store", "crate::cli", "crate::dev", "rusqlite", "tokio_postgres"],
    ),
    ("server/src/api", &["crate::cli", "crate::dev", "rusqlite", "tokio_postgres"]),
    (
        "server/src/config",
        &[
            "crate::api",
            "crate::store",
            "crate::cli",
            "crate::dev",
            "axum",
            "hyper",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
    (
        "server/src/mail",
        &[
            "crate::accounts",
            "crate::api",
            "crate::auth",
            "crate::cli",
            "crate::dev",
            "crate::store",
            "axum",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
    (
        "server/src/page",
        &[
            "crate::accounts",
            "crate::cli",
            "crate::dev",
            "crate::http",
            "crate::mail",
            "crate::store",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
    ("server/src/cli", &["axum", "hyper", "rusqlite", "tokio_postgres"]),
    (
        "server/src/metrics",
        &[
            "crate::accounts",
            "crate::api",
            "crate::auth",
            "crate::http",
            "crate::store",
            "axum",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
    (
        "server/src/events",
        &[
            "crate::accounts",
            "crate::api",
            "crate::auth",
            "crate::cli",
            "crate::http",
            "crate::store",
            "axum",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
    (
        "server/src/trace",
        &[
            "crate::accounts",
            "crate::api",
            "crate::auth",
            "crate::http",
            "crate::store",
            "axum",
            "rusqlite",
            "tokio_postgres",
        ],
    ),
];

#[test]
fn dependencies_point_one_way() {
    let mut faults = Vec::new();
    for (folder, banned) in DIRECTIONS {
        for (name, text) in rust_files(folder) {
            for (number, line) in
                (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                faults.extend(
                    banned
                        .iter()
                        .filter(|word| line.contains(**word))
                        .map(|word| format!("{name}:{number} names {word}")),
                );
            }
        }
    }
    none(&faults);
}

#[test]
fn what_only_try_out_has_no_service_can_reach() {
    let reaches = |(name, text): &(String, String)| {
        !name.starts_with("server/src/dev") && name != "server/src/cli/dev.rs" && text.contains("crate::dev")
    };
    none(
        &rust_files("server/src")
            .iter()
            .filter(|file| reaches(file))
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_is_left_open() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("#[ig", "nore")];
    let open = |text: &str| words.iter().any(|word| text.contains(word));
    none(&all_files().into_iter().filter(|(_, text)| open(text)).map(|(name, _)| name).collect::<Vec<_>>());
}
