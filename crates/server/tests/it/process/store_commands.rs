//! `einmal store migrate|check|backup|after-restore`, as an operator types them.

use crate::harness::crowd::{Crowd, Target};
use crate::harness::installation::{Installation, device};
use crate::harness::program::{PROGRAM, Program, Run};
use rusqlite::{Connection, params};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn database(installation: &Installation) -> Connection {
    Connection::open(installation.path("einmal.db")).unwrap()
}

/// The outcome of a run, in a form that a failed comparison shows as a whole.
fn said(run: &Run) -> (Option<i32>, &str, &str) {
    (run.code, &run.stdout, &run.stderr)
}

/// A run that must end by itself, also of what would go on.
async fn ended(installation: &Installation, arguments: &[&str]) -> Run {
    Program::start(&mut installation.einmal(arguments)).ended().await
}

#[tokio::test]
async fn migrate_makes_the_store_brings_it_up_to_date_or_says_that_nothing_was_to_do() {
    let installation = Installation::new().await;
    let made = installation.run(&["store", "migrate"]);
    let known = made.stdout.strip_prefix("einmal.db: made, with schema ").unwrap().trim_end();
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), ""));
    let again = installation.run(&["store", "migrate"]);
    assert_eq!(said(&again), (Some(0), &*format!("einmal.db: has schema {known}, nothing to do\n"), ""));
    fs::write(installation.path("einmal.db"), "").unwrap();
    let brought = installation.run(&["store", "migrate"]);
    assert_eq!(said(&brought), (Some(0), &*format!("einmal.db: brought from schema 0 to {known}\n"), ""));
    installation.import_device("alice");
}

#[tokio::test]
async fn with_migration_switched_off_a_store_that_is_behind_is_refused_by_all_but_migrate() {
    let installation = Installation::with("[store]\nmigrate = false").await;
    let absent = ended(&installation, &["serve"]).await;
    let nothing = "einmal.db: there is no store; `einmal store migrate` makes an empty one\n";
    assert!(absent.stderr.ends_with(nothing), "{absent:?}");
    assert_eq!(absent.code, Some(1));
    fs::write(installation.path("einmal.db"), "").unwrap();
    for command in [&["serve"][..], &["accounts", "list"], &["store", "check"], &["store", "after-restore"]] {
        let run = ended(&installation, command).await;
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains("its schema is 0 and ") && run.stderr.lines().count() == 1, "{run:?}");
        assert!(run.stderr.ends_with("run `einmal store migrate`\n"), "{run:?}");
    }
    assert_eq!(fs::metadata(installation.path("einmal.db")).unwrap().len(), 0);
    assert_eq!(installation.run(&["store", "migrate"]).code, Some(0));
    installation.import_device("alice");
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_migrate_too() {
    let installation = Installation::new().await;
    installation.import_device("alice");
    database(&installation).pragma_update(None, "user_version", 1_000).unwrap();
    let run = installation.run(&["store", "migrate"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("written by a newer einmal (schema 1000;"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_store_passes_the_check_beside_the_service() {
    let installation = Installation::new().await;
    let subjects: String = (0..1_100).map(|number| device(&format!("user-{number}"))).collect();
    installation.import(subjects);
    let _serving = installation.serve().await;
    let check = installation.run(&["store", "check"]);
    assert_eq!(said(&check), (Some(0), "1100 accounts, 0 faults\n", ""));
    let check = installation.run(&["store", "check", "--without-keyring"]);
    assert_eq!(said(&check), (Some(0), "1100 accounts, 0 faults\n", ""));
}

#[tokio::test]
async fn a_check_leaves_a_backup_as_it_is() {
    let installation = Installation::new().await;
    installation.import_device("alice");
    assert_eq!(installation.run(&["store", "backup", "backup.db"]).code, Some(0));
    let before = fs::read(installation.path("backup.db")).unwrap();
    for arguments in [&["store", "check"][..], &["store", "check", "--without-keyring"]] {
        let mut check = installation.einmal(arguments);
        let check: Run = check.env("EINMAL__STORE__URL", "sqlite:backup.db").output().unwrap().into();
        assert_eq!(said(&check), (Some(0), "1 accounts, 0 faults\n", ""));
        assert!(fs::read(installation.path("backup.db")).unwrap() == before, "{arguments:?}");
        assert!(!installation.path("backup.db-wal").exists());
    }
    // A copy of it is one, too.
    let mut copy = installation.einmal(&["store", "backup", "copy.db"]);
    let copy: Run = copy.env("EINMAL__STORE__URL", "sqlite:backup.db").output().unwrap().into();
    assert_eq!(said(&copy), (Some(0), "copy.db: a copy of backup.db\n", ""));
}

#[tokio::test]
async fn a_check_migrates_nothing() {
    let installation = Installation::new().await;
    installation.import_device("alice");
    database(&installation).pragma_update(None, "user_version", 0).unwrap();
    let check = installation.run(&["store", "check"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(1), ""), "{check:?}");
    assert!(check.stderr.contains("its schema is 0 and "), "{check:?}");
    let check = installation.run(&["store", "check", "--without-keyring"]);
    assert_eq!(said(&check), (Some(0), "1 accounts, 0 faults\n", ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_put_in_place_also_with_migration_switched_off() {
    let installation = Installation::with("[store]\nmigrate = false").await;
    assert_eq!(installation.run(&["store", "migrate"]).code, Some(0));
    installation.import_device("alice");
    assert_eq!(installation.run(&["store", "backup", "backup.db"]).code, Some(0));
    for name in ["einmal.db", "einmal.db-wal", "einmal.db-shm"] {
        let _ = fs::remove_file(installation.path(name));
    }
    fs::rename(installation.path("backup.db"), installation.path("einmal.db")).unwrap();
    let safe = installation.run(&["store", "after-restore"]);
    assert_eq!((safe.code, safe.stderr.as_str()), (Some(0), ""), "{safe:?}");
    let _serving = installation.serve().await;
}

/// One account damaged in each way, among others that are sound.
async fn damaged() -> Installation {
    let installation = Installation::new().await;
    let names = ["blank", "erased", "key", "lonely", "orphan", "swapped", "text", "torn"];
    installation.import(
        names.iter().map(|name| device(name) + &device(&format!("{name}-sound"))).collect::<String>(),
    );
    let database = database(&installation);
    let old: (i64, u32, Vec<u8>) = database
        .query_row("SELECT version, key_id, sealed FROM vault WHERE subject = 'torn'", (), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    // A replacement seals a new vault; putting the old one back makes a pair that was never written together.
    let replaced = device("torn").replace("{\"deviceTotps", "{\"pin\":\"8299\",\"deviceTotps");
    assert_eq!(installation.import_with(&["--replace"], replaced).code, Some(0));
    let set = "UPDATE vault SET version = ?1, key_id = ?2, sealed = ?3 WHERE subject = 'torn'";
    database.execute(set, params![old.0, old.1, old.2]).unwrap();
    database
        .execute_batch(
            "UPDATE guard SET sealed = zeroblob(length(sealed)) WHERE subject = 'erased';
             UPDATE vault SET sealed = x'' WHERE subject = 'blank';
             UPDATE guard SET key_id = 7 WHERE subject = 'key';
             DELETE FROM vault WHERE subject = 'lonely';
             DELETE FROM guard WHERE subject = 'orphan';
             UPDATE vault SET sealed = (SELECT sealed FROM vault WHERE subject = 'swapped-sound') WHERE subject = 'swapped';",
        )
        .unwrap();
    // What no engine with types writes.
    let lax = "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT, ', '') WHERE name = 'guard'";
    database.execute_batch(&format!("PRAGMA writable_schema = ON; {lax};")).unwrap();
    drop(database);
    let database = self::database(&installation);
    database.execute("UPDATE guard SET key_id = 'nine' WHERE subject = 'text'", ()).unwrap();
    installation
}

#[tokio::test]
async fn every_damaged_account_is_reported_by_name_and_the_sound_ones_are_not() {
    let installation = damaged().await;
    let check = installation.run(&["store", "check"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(1), "15 accounts, 8 faults\n"), "{check:?}");
    let does_not_open = "a sealed part does not open: it was changed, moved, or sealed with another key";
    let mut expected = vec![
        "\"main\" \"orphan\": a vault without a guard".to_owned(),
        format!("\"main\" \"blank\": {does_not_open}"),
        format!("\"main\" \"erased\": {does_not_open}"),
        "\"main\" \"key\": the keyring has no key 00000007".to_owned(),
        "\"main\" \"lonely\": store damaged: einmal.db: a guard without a vault".to_owned(),
        format!("\"main\" \"swapped\": {does_not_open}"),
        "\"main\" \"text\": store damaged: einmal.db: Invalid column type Text at index: 1, name: key_id"
            .to_owned(),
        "\"main\" \"torn\": guard and vault of an account do not belong together".to_owned(),
    ];
    expected.push("error: the store is damaged".to_owned());
    let directory = installation.directory.path().canonicalize().unwrap();
    let stderr = check.stderr.replace(&format!("{}/", directory.display()), "");
    assert_eq!(stderr.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn every_damaged_account_can_be_erased_and_then_the_store_is_sound() {
    let installation = damaged().await;
    for name in ["blank", "erased", "key", "lonely", "orphan", "swapped", "text", "torn"] {
        let erased = installation.run(&["accounts", "delete", name]);
        assert_eq!(said(&erased), (Some(0), &*format!("erased {name:?}\n"), ""));
    }
    let check = installation.run(&["store", "check"]);
    assert_eq!(said(&check), (Some(0), "8 accounts, 0 faults\n", ""));
}

#[tokio::test]
async fn after_restore_reports_what_it_cannot_open_and_does_the_rest() {
    let installation = damaged().await;
    let run = installation.run(&["store", "after-restore"]);
    let counts = "15 accounts: 8 TOTP secrets moved on, 0 codes dropped, 7 damaged\n";
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), counts), "{run:?}");
    assert!(run.stderr.ends_with("error: 7 accounts do not open\n"), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 8, "{run:?}");
    let again = installation.run(&["store", "after-restore"]);
    assert_eq!(again.stderr, run.stderr);
}

#[tokio::test]
async fn a_page_that_was_overwritten_is_found_without_the_keyring() {
    let installation = Installation::new().await;
    installation.import((0..200).map(|number| device(&format!("user-{number}"))).collect::<String>());
    let page: i64 = database(&installation)
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'guard'", (), |row| row.get(0))
        .unwrap();
    let mut bytes = fs::read(installation.path("einmal.db")).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    bytes[start + 8..start + 4096].fill(0xA5);
    fs::write(installation.path("einmal.db"), bytes).unwrap();
    for arguments in [&["store", "check", "--without-keyring"][..], &["store", "check"]] {
        let check = installation.run(arguments);
        assert_eq!(check.code, Some(1), "{check:?}");
        assert!(check.stderr.contains("malformed") || check.stderr.contains("out of order"), "{check:?}");
    }
}

#[tokio::test]
async fn work_on_a_store_that_is_not_there_is_refused_and_makes_none() {
    let installation = Installation::new().await;
    for arguments in
        [&["check"][..], &["check", "--without-keyring"], &["after-restore"], &["backup", "b.db"]]
    {
        let run = installation.run(&[&["store"], arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains("einmal.db: there is no store"), "{run:?}");
        assert!(!installation.path("einmal.db").exists() && !installation.path("b.db").exists());
    }
}

#[tokio::test]
async fn what_is_wrong_with_command_line_or_configuration_exits_2() {
    let installation = Installation::new().await;
    for arguments in [&["store"][..], &["store", "backup"], &["store", "check", "x"], &["store", "repair"]] {
        assert_eq!(installation.run(arguments).code, Some(2), "{arguments:?}");
    }
    installation.configure("https://a", "[store]\nmigrate = \"perhaps\"");
    for command in ["migrate", "check", "after-restore"] {
        let run = installation.run(&["store", command]);
        let expected = "error: einmal.toml:10: store.migrate: found \"perhaps\", expected true or false\n";
        assert_eq!(said(&run), (Some(2), "", expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_made_beside_a_busy_service_and_passes_the_check() {
    let installation = Installation::new().await;
    let tokens = installation.accounts("user", 2_000);
    let serving = installation.serve().await;
    let crowd = Crowd::of(tokens);
    let load = crowd.load(Target { address: serving.address, number: 0 }, 0..2_000, 8);
    crowd.has_accepted(50).await;
    let script = "umask 000; exec \"$0\" store backup backup.db";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, PROGRAM]).current_dir(installation.directory.path());
    let backup: Run = command.env("EINMAL_CONFIG", "einmal.toml").output().unwrap().into();
    assert_eq!(said(&backup), (Some(0), "backup.db: a copy of einmal.db\n", ""));
    let mode = fs::metadata(installation.path("backup.db")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600, "whatever the umask");
    crowd.has_accepted(450).await;
    crowd.stop();
    load.join_all().await;
    crowd.assert_lawful("beside a backup");

    let again = installation.run(&["store", "backup", "backup.db"]);
    let refusal = "error: backup.db: exists, and a backup never takes the place of a file\n";
    assert_eq!(said(&again), (Some(1), "", refusal));
    let mut check = installation.einmal(&["store", "check"]);
    let check: Run = check.env("EINMAL__STORE__URL", "sqlite:backup.db").output().unwrap().into();
    assert_eq!(said(&check), (Some(0), "2000 accounts, 0 faults\n", ""));
}
