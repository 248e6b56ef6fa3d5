//! The keyring: nobody else reads its file, nor the memory and the arguments of the process that has it, and no other one
//! starts on the store.

use super::{Canaries, account, code};
use crate::harness::installation::Installation;
use crate::harness::program::Program;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// What a command says that must not do its work.
async fn refusal(site: &Installation, arguments: &[&str]) -> String {
    let run = Program::start(&mut site.einmal(arguments)).ended().await;
    assert!(run.code.is_some_and(|code| code != 0), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    run.stderr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_that_others_can_read_is_refused_148() {
    let site = Installation::new().await;
    let canaries = Canaries::new(&site);
    for mode in [0o640, 0o604, 0o644, 0o660, 0o777, 0o601] {
        fs::set_permissions(site.path("einmal.keys"), fs::Permissions::from_mode(mode)).unwrap();
        let said = refusal(&site, &["serve"]).await;
        assert!(said.contains("einmal.keys") && said.contains("expected mode 0600"), "{said}");
        assert!(said.contains(&format!("{mode:04o}")), "{said}");
        canaries.are_not_in("the refusal", said.as_bytes());
        assert!(!site.path("einmal.db").exists(), "nothing was made");
    }
    fs::set_permissions(site.path("einmal.keys"), fs::Permissions::from_mode(0o400)).unwrap();
    site.serve().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_keyring_does_not_start_on_the_store_146() {
    let site = Installation::new().await;
    site.import(account("alice").to_string());
    fs::rename(site.path("einmal.keys"), site.path("kept.keys")).unwrap();
    let said = refusal(&site, &["serve"]).await;
    assert!(said.contains("einmal.keys") && said.contains("einmal keys generate"), "{said}");

    assert_eq!(site.run(&["keys", "generate"]).code, Some(0));
    let said = refusal(&site, &["serve"]).await;
    assert!(said.contains("einmal.db") && said.contains("this keyring is not the store's"), "{said}");
    Canaries::new(&site).are_not_in("the refusal", said.as_bytes());
    let imported = site.import_with(&[], account("bob").to_string());
    assert!(imported.stderr.contains("this keyring is not the store's"), "{imported:?}");

    // The old keyring's id with the new keyring's key.
    let line = |name: &str| fs::read_to_string(site.path(name)).unwrap().lines().last().unwrap().to_owned();
    let mixed = line("kept.keys")[..8].to_owned() + &line("einmal.keys")[8..];
    fs::write(site.path("einmal.keys"), mixed).unwrap();
    assert!(refusal(&site, &["serve"]).await.contains("this keyring is not the store's"));

    fs::rename(site.path("kept.keys"), site.path("einmal.keys")).unwrap();
    let serving = site.serve().await;
    assert_eq!(serving.verify(&site.token("alice"), &code(0)).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_leaves_no_core_and_its_arguments_name_no_secret_148_149() {
    let site = Installation::new().await;
    let canaries = Canaries::new(&site);
    let serving = site.serve().await;
    let proc = |name: &str| fs::read(format!("/proc/{}/{name}", serving.program.id()));
    let limits = String::from_utf8(proc("limits").unwrap()).unwrap();
    let core: Vec<_> =
        limits.lines().find(|line| line.starts_with("Max core")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    canaries.are_not_in("its arguments", &proc("cmdline").unwrap());
}
