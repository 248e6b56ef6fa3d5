//! A backup, what was accepted after it, and the day on which it is needed.

use crate::harness::installation::{Installation, SECRET, code_at, device, early_in_a_step, step};
use crate::harness::service::{SECRET as DEVICE, Service};
use einmal::accounts::KeyringFile;
use einmal::clock::Clock;
use einmal::config::{Engine, KeyringSource, Store};
use einmal::entropy::SystemEntropy;
use einmal::run::{Purpose, open_accounts};
use einmal::store::Migration;
use einmal::store::sqlite::SqliteStore;
use einmal_core::account::{Account, CodeState, IssuedCode};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// As an operator does it, with the service stopped.
fn put_in_place(directory: &Path, backup: &Path) {
    for name in ["einmal.db", "einmal.db-wal", "einmal.db-shm"] {
        let _ = fs::remove_file(directory.join(name));
    }
    fs::copy(backup, directory.join("einmal.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_no_code_comes_back_that_was_used_since_the_backup() {
    let installation = Installation::new().await;
    installation.import(device("alice") + &device("bob"));
    let serving = installation.serve().await;
    let token = installation.token("alice");
    early_in_a_step(20).await;
    let now = step();
    assert_eq!(serving.verify(&token, &code_at(now - 1)).await, 204);
    let backup = installation.run(&["store", "backup", "backup.db"]);
    assert_eq!((backup.code, backup.stderr.as_str()), (Some(0), ""), "{backup:?}");
    assert_eq!(serving.verify(&token, &code_at(now)).await, 204);
    serving.stop().await;
    put_in_place(installation.directory.path(), &installation.path("backup.db"));

    let made_safe = installation.run(&["store", "after-restore"]);
    assert_eq!((made_safe.code, made_safe.stderr.as_str()), (Some(0), ""), "{made_safe:?}");
    assert_eq!(made_safe.stdout, "2 accounts: 2 TOTP secrets moved on, 0 codes dropped, 0 damaged\n");
    let serving = installation.serve().await;
    for code in (now - 2..=now + 1).map(code_at) {
        assert_eq!(serving.verify(&token, &code).await, 404);
        assert_eq!(serving.verify(&installation.token("bob"), &code).await, 404);
    }
    let exported = installation.run(&["accounts", "export"]).stdout;
    for line in exported.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let last = record["deviceTotps"][0]["lastStep"].as_u64().unwrap();
        assert!((now + 3..=now + 4).contains(&last), "{line}");
    }
    assert!(!exported.contains(SECRET));
}

/// The test above would pass if the service had kept what it knew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_that_nobody_made_safe_accepts_a_code_once_more() {
    let service = with_codes().await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    let service =
        service.restart_after(async |directory| put_in_place(directory, &directory.join("b"))).await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

/// Alice with a device, carol with two codes, dave with nothing, and a backup of them.
async fn with_codes() -> Service {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let issued =
        |digits| Some(IssuedCode::new(Code::parse(digits).unwrap(), service.clock.now().plus_seconds(600)));
    let codes =
        Account { account_code: issued("402913"), login_code: issued("118203"), ..Account::default() };
    service.insert("carol", codes).await;
    service.insert("dave", Account::default()).await;
    let database = SqliteStore::open_with(&service.database(), Migration::Keep).unwrap();
    database.back_up(&service.directory.path().join("b"), &mut |_, _| {}).unwrap();
    service
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_safe_takes_the_first_code_after_the_window_and_no_issued_one() {
    let service = with_codes().await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    let before = (service.versions("alice").await.0, service.versions("dave").await.0);
    let now = service.clock.now();
    let service = service
        .restart_after(async |directory| {
            put_in_place(directory, &directory.join("b"));
            let store = Store { engine: Engine::Sqlite(directory.join("einmal.db")), migrate: true };
            let keyring = KeyringSource::File(KeyringFile {
                path: directory.join("einmal.keys"),
                group_readable: false,
            });
            let opened = open_accounts(&store, &keyring, Purpose::Service, Arc::new(SystemEntropy)).await;
            let policy = Arc::new(Policy::default());
            let report =
                opened.unwrap().after_restore(now, &policy, |_, _| panic!("damaged"), |_| {}).await.unwrap();
            assert_eq!((report.accounts, report.secrets, report.codes), (3, 1, 2));
        })
        .await;
    assert_ne!(service.versions("alice").await.0, before.0);
    assert_ne!(service.versions("dave").await.0, before.1, "no stale copy fits, also where nothing changed");
    for offset in -1..=1 {
        assert_eq!(service.verify("alice", &service.code_of(DEVICE, offset)).await, 404, "{offset}");
    }
    assert_eq!(service.verify("carol", "402913").await, 404);
    let dead = service.look("carol", |account| account.login_code.as_ref().unwrap().state).await;
    assert_eq!(dead, CodeState::Dead);
    service.clock.advance(90);
    assert_eq!(service.verify("alice", &service.code(0)).await, 404, "the last one that was spent for her");
    assert_eq!(service.verify("alice", &service.code(1)).await, 204);
}
