//! What is in `deploy/` for others to take: every configuration is one that einmal takes, and what names files of the
//! project names files that are there. What other people's schemas make of it is in `third_party/deployments.rs`.

use crate::harness::program::{Run, einmal};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// Copies a folder with all that is below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// `deploy/` in a folder of its own, with secrets where it wants them.
pub(crate) fn deployed() -> TempDir {
    let directory = TempDir::new().unwrap();
    let folder = directory.path();
    copy(&root().join("deploy"), folder);
    let prepared =
        Command::new(folder.join("compose/prepare")).arg(crate::harness::program::PROGRAM).output();
    let prepared: Run = prepared.unwrap().into();
    assert_eq!(prepared.code, Some(0), "{prepared:?}");
    let secrets = folder.join("kubernetes/example/secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::copy(folder.join("compose/keys/einmal.keys"), secrets.join("einmal.keys")).unwrap();
    fs::write(secrets.join("database-password"), "its-password").unwrap();
    fs::write(secrets.join("mail-url"), "smtps://einmal:its-password@mail.example.com").unwrap();
    directory
}

/// Checks a configuration as it would be found, but for its secrets, which are where this says.
fn check(configuration: &Path, moved: &[(&str, PathBuf)]) -> Run {
    let mut text = fs::read_to_string(configuration).unwrap();
    for (from, to) in moved {
        assert!(text.contains(from), "{from}: {text}");
        text = text.replace(from, to.to_str().unwrap());
    }
    let path = configuration.with_extension("moved.toml");
    fs::write(&path, text).unwrap();
    einmal(&["config", "check", "--config", path.to_str().unwrap()]).output().unwrap().into()
}

#[test]
fn every_configuration_to_deploy_is_accepted() {
    let directory = deployed();
    let folder = directory.path();
    let secrets = folder.join("kubernetes/example/secrets");
    let shipped = [
        ("compose/einmal.toml", vec![("/run/secrets", folder.join("compose/secrets"))]),
        (
            "kubernetes/example/einmal.toml",
            vec![("/run/secrets/einmal/passwords", secrets.clone()), ("/run/secrets/einmal/keys", secrets)],
        ),
        ("debian/einmal.toml", vec![]),
    ];
    for (name, moved) in &shipped {
        let checked = check(&folder.join(name), moved);
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{name}");
    }
    // That of deploy/ha is a template, which `up` fills in and the drill runs.
    let mut found = BTreeSet::new();
    let mut open = vec![root().join("deploy")];
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.insert(path.strip_prefix(root().join("deploy")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let known = shipped.iter().map(|(name, _)| (*name).to_owned()).chain(["ha/einmal.toml".to_owned()]);
    assert_eq!(found, known.collect());
}

#[test]
fn preparing_for_compose_a_second_time_changes_nothing() {
    let directory = deployed();
    let folder = directory.path().join("compose");
    let all = || {
        ["keys/einmal.keys", "secrets/database-password", ".env"]
            .map(|name| fs::read(folder.join(name)).unwrap())
    };
    let before = all();
    assert!(before[1].len() > 30 && before[1].iter().all(u8::is_ascii_alphanumeric));
    fs::write(folder.join(".env"), [&before[2][..], b"EINMAL_REPLICAS=3\n"].concat()).unwrap();
    let again = Command::new(folder.join("prepare")).arg("false").status().unwrap();
    assert!(again.success());
    let after = all();
    assert_eq!(before[..2], after[..2]);
    assert!(after[2].ends_with(b"EINMAL_REPLICAS=3\n"));
}

/// A file that the package wants and that is not there, nobody would notice before the next release.
#[test]
fn the_debian_package_names_files_that_are_there_and_its_scripts_are_sound() {
    let manifest = fs::read_to_string(root().join("crates/server/Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let assets = package["assets"].as_array().unwrap();
    let sources = assets.iter().map(|asset| asset[0].as_str().unwrap().strip_prefix("../../").unwrap());
    // What scripts/deb makes first is not there yet.
    let (made, kept): (Vec<_>, Vec<_>) = sources.partition(|source| source.starts_with("target/package/"));
    assert_eq!(made.len(), 5, "{made:?}");
    let missing: Vec<_> = kept.into_iter().filter(|source| !root().join(source).is_file()).collect();
    assert_eq!(missing, Vec::<&str>::new());
    for script in ["postinst", "prerm", "postrm"] {
        let path = root().join("deploy/debian").join(script);
        assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success(), "{script}");
    }
}

/// Everything that the program is compiled from reaches the image's build, and no more than that.
#[test]
fn the_image_is_built_from_what_the_program_is_made_from() {
    let ignore = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let taken: BTreeSet<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let image = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let copied: BTreeSet<_> = image
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split(' ').filter(|word| !word.starts_with("./")))
        .collect();
    assert_eq!(taken, copied);
    let wanted = ["Cargo.toml", "Cargo.lock", "crates", "einmal.example.toml"];
    assert_eq!(taken, BTreeSet::from(wanted));
    // The compiler of the image is one that the program can be compiled with.
    let manifest: toml::Table =
        toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(image.contains(&format!("FROM rust:{version}-bookworm AS build\n")), "{version}");
}
