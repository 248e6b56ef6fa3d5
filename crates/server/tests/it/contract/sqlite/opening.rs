//! What a file must be to be opened, and what an operator is told about one that is not.

use super::super::accounts::{account, create, id, load, swap, turn_both};
use super::super::{Place, sqlite::beside};
use super::SqlitePlace;
use einmal::store::Migration;
use einmal::store::SwapOutcome::Swapped;
use einmal::store::sqlite::{OpenError, SqliteStore};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn refusal(file: &Path) -> OpenError {
    let before = fs::read(file).ok();
    let Err(error) = SqliteStore::open(file) else { panic!("{} was opened", file.display()) };
    assert!(error.to_string().contains(file.to_str().unwrap()), "does not name the path: {error}");
    assert!(before == fs::read(file).ok(), "a refused file was changed");
    error
}

#[tokio::test]
async fn a_new_database_and_its_log_are_for_their_owner_alone() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    for file in [place.file(), beside(&place.file(), "-wal"), beside(&place.file(), "-shm")] {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn closing_leaves_one_file_with_everything_in_it() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    drop(store);
    let left: Vec<_> = fs::read_dir(place.file().parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() {
    let place = SqlitePlace::new();
    for content in [b"not a database".to_vec(), vec![0x20; 8192], b"SQLite format 3\0".to_vec()] {
        fs::write(place.file(), content).unwrap();
        let error = refusal(&place.file());
        assert!(matches!(error, OpenError::NotADatabase(_) | OpenError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let place = SqlitePlace::new();
    let other = rusqlite::Connection::open(place.file()).unwrap();
    other.execute_batch("CREATE TABLE guard (secret TEXT)").unwrap();
    drop(other);
    assert!(matches!(refusal(&place.file()), OpenError::NotADatabase(_)));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let place = SqlitePlace::new();
    drop(place.open());
    let newer = rusqlite::Connection::open(place.file()).unwrap();
    newer.pragma_update(None, "user_version", 1_000).unwrap();
    drop(newer);
    let error = refusal(&place.file());
    assert!(matches!(error, OpenError::Newer { found: 1_000, .. }));
    assert!(error.to_string().contains("newer"), "{error}");
}

#[test]
fn a_missing_directory_is_named_and_not_made() {
    let place = SqlitePlace::new();
    let file = place.directory().join("not/there.db");
    assert!(matches!(refusal(&file), OpenError::NoDirectory(_)));
    assert!(!file.parent().unwrap().exists());
    assert!(matches!(refusal(place.directory()), OpenError::NotAFile(_)));
}

#[tokio::test]
async fn a_file_cut_short_is_refused() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    drop(store);
    let whole = fs::read(place.file()).unwrap();
    for length in [whole.len() - 4096, 4096, 100] {
        fs::write(place.file(), &whole[..length]).unwrap();
        let error = refusal(&place.file());
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::NotADatabase(_)), "{length}: {error}");
    }
}

#[test]
fn a_log_without_its_database_is_not_thrown_away() {
    let place = SqlitePlace::new();
    fs::write(place.file(), "").unwrap();
    fs::write(beside(&place.file(), "-wal"), "precious").unwrap();
    assert!(matches!(refusal(&place.file()), OpenError::Damaged { .. }));
    assert_eq!(fs::read(beside(&place.file(), "-wal")).unwrap(), b"precious");
}

#[tokio::test]
async fn where_migration_is_refused_nothing_is_made() {
    let place = SqlitePlace::new();
    let refuse = || SqliteStore::open_with(&place.file(), Migration::Refuse).err();
    assert!(matches!(refuse(), Some(OpenError::Absent(_))));
    assert!(!place.file().exists());
    fs::write(place.file(), "").unwrap();
    let error = refuse().unwrap();
    assert!(matches!(error, OpenError::Behind { found: 0, .. }));
    assert!(error.to_string().contains("einmal store migrate"), "{error}");
    drop(place.open());
    assert!(refuse().is_none());
}

#[tokio::test]
async fn a_name_that_looks_like_a_url_or_memory_is_a_file() {
    let place = SqlitePlace::new();
    for name in [":memory:", "file:x?mode=memory", "a b?c#d%20e"] {
        let file = place.directory().join(name);
        let store = SqliteStore::open(&file).unwrap();
        create(&store, &id("a"), 1).await;
        drop(store);
        assert!(fs::metadata(&file).unwrap().len() > 0);
        assert_eq!(load(&SqliteStore::open(&file).unwrap(), &id("a")).await, Some(account(1)));
    }
}

/// `VACUUM INTO` makes one, and so does whoever switches the log off to have a single file.
#[tokio::test]
async fn a_copy_without_a_log_gets_one() {
    let place = SqlitePlace::new();
    let store = place.open();
    create(&*store, &id("a"), 1).await;
    let copy = place.directory().join("copy.db");
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    raw.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    for _ in 0..2 {
        assert_eq!(load(&SqliteStore::open(&copy).unwrap(), &id("a")).await, Some(account(1)));
    }
    let raw = rusqlite::Connection::open(&copy).unwrap();
    let mode: String = raw.query_row("PRAGMA journal_mode", (), |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

/// Wherever it is cut: what is left are whole commits, from the first one on, and never nothing.
#[tokio::test]
async fn a_log_cut_anywhere_is_an_earlier_state_of_the_store_and_never_an_empty_one_157() {
    const COMMITS: u64 = 12;
    let place = SqlitePlace::new();
    create(&*place.open(), &id("a"), 1).await;
    let store = place.open();
    for version in 1..COMMITS {
        assert_eq!(swap(&*store, turn_both(&id("a"), version, version + 1)).await, Swapped);
    }
    let [database, log] = [place.file(), beside(&place.file(), "-wal")].map(|file| fs::read(file).unwrap());
    let mut latest = 0;
    for length in (0..=log.len()).step_by(509).chain([log.len()]) {
        let cut = SqlitePlace::new();
        fs::write(cut.file(), &database).unwrap();
        fs::write(beside(&cut.file(), "-wal"), &log[..length]).unwrap();
        let store = cut.open();
        let found = load(&*store, &id("a")).await.expect("never an empty store").guard.version;
        assert_eq!(load(&*store, &id("a")).await, Some(account(found)), "{length}: of one commit");
        assert!((latest.max(1)..=COMMITS).contains(&found), "{length}: {found} after {latest}");
        assert_eq!(store.check().await.unwrap().faults, Vec::<String>::new(), "{length}");
        latest = found;
    }
    assert_eq!(latest, COMMITS);
}
