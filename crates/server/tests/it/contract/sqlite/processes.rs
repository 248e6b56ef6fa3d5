//! Several processes, and what becomes of one that is killed or may not write. A test here starts this
//! very binary once more, to run the part of the child.

use super::super::Place;
use super::super::accounts::{account, birth, create, id, load, part, swap};
use super::{SqlitePlace, is_unavailable};
use einmal::store::SwapOutcome::{Conflict, Swapped};
use einmal::store::sqlite::SqliteStore;
use einmal::store::{Store, Swap};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FILE: &str = "EINMAL_TEST_CHILD_FILE";

/// The file a child shall work on; `None` in the ordinary run of the suite.
#[expect(clippy::disallowed_methods, reason = "how the parent speaks to its child")]
fn child_file() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// Starts the test `part` as a process of its own. It ignores the signal of the file size limit, so that it
/// meets the limit as an error.
fn child(part: &str, file: &Path) -> Child {
    let name = format!("contract::sqlite::processes::{part}");
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn of_processes_that_make_one_database_at_once_none_fails() {
    for _ in 0..5 {
        let place = SqlitePlace::new();
        let children: Vec<_> = (0..4).map(|_| child("child_takes_the_one_account", &place.file())).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        assert_eq!(load(&*place.open(), &id("wins")).await, Some(account(1)));
        assert_eq!(place.open().scan(None, 10).await.unwrap().len(), 1 + 4);
    }
}

#[tokio::test]
async fn child_takes_the_one_account() {
    let Some(file) = child_file() else { return };
    let store = SqliteStore::open(&file).unwrap();
    let outcome = swap(&store, birth(&id("wins"), 1)).await;
    assert!(matches!(outcome, Swapped | Conflict));
    create(&store, &id(&format!("process-{}", std::process::id())), 1).await;
}

#[tokio::test]
async fn what_a_killed_process_has_answered_is_there() {
    let place = SqlitePlace::new();
    let mut acknowledged = 0;
    for _ in 0..5 {
        let mut child = child("child_writes_until_it_is_killed", &place.file());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let answered: Vec<_> =
            lines.by_ref().map(Result::unwrap).filter(|line| line.starts_with("user-")).take(200).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        let answered: Vec<_> = answered
            .into_iter()
            .chain(lines.map_while(Result::ok).filter(|line| line.starts_with("user-")))
            .collect();
        acknowledged += answered.len();
        let store = place.open();
        for subject in answered {
            assert_eq!(load(&*store, &id(&subject)).await, Some(account(1)), "{subject}");
        }
    }
    assert!(acknowledged >= 1_000);
    let raw = rusqlite::Connection::open(place.file()).unwrap();
    let verdict: String = raw.pragma_query_one(None, "integrity_check").unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn child_writes_until_it_is_killed() {
    let Some(file) = child_file() else { return };
    let store = SqliteStore::open(&file).unwrap();
    for number in 0.. {
        let subject = format!("user-{}-{number}", std::process::id());
        create(&store, &id(&subject), 1).await;
        println!("\n{subject}");
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    let place = SqlitePlace::new();
    let output = child("child_meets_the_file_size_limit", &place.file()).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("was refused"), "{said}");
}

/// A limit on file sizes stands in for the full disk: any user can set it, and `SQLite` meets it in the
/// same place, a write that writes less than it was given.
#[tokio::test]
async fn child_meets_the_file_size_limit() {
    let Some(file) = child_file() else { return };
    let store = SqliteStore::open(&file).unwrap();
    for round in 0..3 {
        setrlimit(Resource::Fsize, Rlimit { current: Some((round + 1) << 20), maximum: None }).unwrap();
        let (mut kept, mut refused) = (Vec::new(), 0);
        while refused < 3 {
            let subject = id(&format!("user-{round}-{}", kept.len()));
            let mut large = part("", 1);
            large.sealed = vec![7; 64 << 10];
            let birth = Swap { guard: large, ..birth(&subject, 1) };
            match store.swap_many(vec![birth]).await {
                Ok(outcomes) => {
                    assert_eq!(outcomes, [Swapped]);
                    assert!(kept.len() < 1_000, "the limit is never met");
                    kept.push(subject);
                }
                answer => {
                    assert!(is_unavailable(&answer), "{answer:?}");
                    refused += 1;
                }
            }
        }
        assert!(!kept.is_empty());
        setrlimit(Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
        store.probe().await.unwrap();
        assert!(store.load_many(kept).await.unwrap().iter().all(Option::is_some));
    }
    drop(store);
    let raw = rusqlite::Connection::open(&file).unwrap();
    let verdict: String = raw.pragma_query_one(None, "integrity_check").unwrap();
    assert_eq!(verdict, "ok");
    println!("\nwas refused and came back");
}

/// Closing a descriptor of a file gives up all locks that its process has on it.
#[tokio::test]
async fn a_store_that_goes_leaves_its_fellow_in_the_process_the_locks_on_the_file() {
    let place = SqlitePlace::new();
    let (stays, goes) = (place.open(), place.open());
    for (store, name) in [(&stays, "a"), (&goes, "b")] {
        create(&**store, &id(name), 1).await;
    }
    let inode = std::fs::metadata(place.file()).unwrap().ino();
    let locks = || {
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        all.lines().filter(|line| line.contains(&format!(":{inode} "))).count()
    };
    assert!(locks() > 0);
    drop(goes);
    assert!(locks() > 0, "others would take its log for a left one");
    drop(stays);
    assert_eq!(locks(), 0);
}
