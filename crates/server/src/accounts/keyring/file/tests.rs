//! Changes of the file, one after the other and at once, and who may read it.

use super::*;
use crate::accounts::keyring::Role;
use crate::entropy::SystemEntropy;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn made() -> (TempDir, KeyringFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = KeyringFile::private(directory.path().join("keys"));
    file.create(&SystemEntropy).unwrap();
    (directory, file)
}

fn keys(file: &KeyringFile) -> Vec<(KeyId, Role)> {
    file.read().unwrap().keys().collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_key_is_added_promoted_and_retired() {
    let (_directory, file) = made();
    let first = keys(&file)[0].0;
    assert!(matches!(file.promote(), Err(KeyringChangeError::NothingNew)));

    let second = file.rotate(&SystemEntropy).unwrap();
    assert_eq!(keys(&file), [(first, Role::Seals), (second, Role::New)]);
    assert_eq!(file.promote().unwrap(), Promotion { from: first, to: second });
    assert_eq!(keys(&file), [(second, Role::Seals), (first, Role::Old)]);
    assert!(
        matches!(file.promote(), Err(KeyringChangeError::NothingNew)),
        "the old one is not promoted again"
    );

    assert!(matches!(file.retire(second), Err(KeyringChangeError::Seals(_))));
    assert!(matches!(file.retire(second ^ first), Err(KeyringChangeError::Unknown(_))));
    let before = fs::read_to_string(&file.path).unwrap();
    let retired = file.retire(first).unwrap();
    assert_eq!(keys(&file), [(second, Role::Seals)]);
    file.put_back(retired).unwrap();
    assert_eq!(fs::read_to_string(&file.path).unwrap(), before, "the very key");
}

#[test]
fn of_several_new_keys_the_last_one_is_promoted() {
    let (_directory, file) = made();
    let first = keys(&file)[0].0;
    let second = file.rotate(&SystemEntropy).unwrap();
    let third = file.rotate(&SystemEntropy).unwrap();
    assert_eq!(file.promote().unwrap().to, third);
    assert_eq!(keys(&file), [(third, Role::Seals), (first, Role::Old), (second, Role::Old)]);
}

#[test]
fn of_changes_at_once_none_is_lost() {
    let (directory, file) = made();
    let added: BTreeSet<_> = std::thread::scope(|scope| {
        let rotate = || (0..8).map(|_| file.rotate(&SystemEntropy).unwrap()).collect::<Vec<_>>();
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(rotate)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let found: BTreeSet<_> = keys(&file).into_iter().skip(1).map(|(id, _)| id).collect();
    assert_eq!(found, added);
    assert_eq!(found.len(), 64);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_changed_file_keeps_its_mode_and_what_a_link_points_to_is_changed() {
    let (directory, file) = made();
    fs::set_permissions(&file.path, Permissions::from_mode(0o400)).unwrap();
    let link = KeyringFile::private(directory.path().join("link"));
    symlink("keys", &link.path).unwrap();
    link.rotate(&SystemEntropy).unwrap();
    assert_eq!(keys(&file).len(), 2);
    assert_eq!(mode(&file.path), 0o400);
    assert!(fs::symlink_metadata(&link.path).unwrap().is_symlink());
}

#[test]
fn a_broken_or_exposed_file_is_not_changed() {
    let (_directory, file) = made();
    fs::set_permissions(&file.path, Permissions::from_mode(0o644)).unwrap();
    let exposed = file.rotate(&SystemEntropy);
    assert!(matches!(exposed, Err(KeyringChangeError::Keyring(KeyringError::Exposed(0o644)))));
    fs::set_permissions(&file.path, Permissions::from_mode(0o600)).unwrap();
    fs::write(&file.path, "half a k").unwrap();
    let broken = file.rotate(&SystemEntropy);
    assert!(matches!(broken, Err(KeyringChangeError::Keyring(KeyringError::Malformed(1)))));
    assert_eq!(fs::read_to_string(&file.path).unwrap(), "half a k");
}

#[test]
fn the_group_may_read_it_only_where_that_is_configured_and_others_never_148() {
    let (_directory, private) = made();
    let shared = KeyringFile { group_readable: true, ..private.clone() };
    for (mode, is_private, is_shared) in [
        (0o600, true, true),
        (0o400, true, true),
        (0o640, false, true),
        (0o440, false, true),
        (0o660, false, false),
        (0o650, false, false),
        (0o644, false, false),
        (0o604, false, false),
        (0o441, false, false),
    ] {
        fs::set_permissions(&private.path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(private.read().is_ok(), is_private, "{mode:o}");
        assert_eq!(shared.read().is_ok(), is_shared, "{mode:o}, shared");
    }
}

/// Only root can give a file to a group that is not its own; for anybody else there is nothing to see here.
#[test]
fn a_group_that_is_not_the_processs_own_may_not_read_it() {
    let (_directory, file) = made();
    fs::set_permissions(&file.path, Permissions::from_mode(0o640)).unwrap();
    let shared = KeyringFile { group_readable: true, ..file };
    assert!(shared.read().is_ok());
    let foreign = 4_242;
    if std::os::unix::fs::chown(&shared.path, None, Some(foreign)).is_ok() {
        assert!(matches!(shared.read(), Err(KeyringError::ForeignGroup(4_242))));
    }
}

/// As of two servers that start on one new directory: who finds it there reads it at once.
#[test]
fn a_new_file_is_never_seen_before_it_is_whole() {
    for _ in 0..100 {
        let directory = tempfile::tempdir().unwrap();
        let file = KeyringFile::private(directory.path().join("einmal.keys"));
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| {
                loop {
                    match file.read() {
                        Err(KeyringError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {}
                        seen => break seen.map(drop),
                    }
                }
            });
            file.create(&SystemEntropy).unwrap();
            seen.join().unwrap().unwrap();
        });
    }
}
