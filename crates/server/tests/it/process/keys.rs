//! `einmal keys generate`, and what `serve` thinks of a keyring.

use crate::harness::installation::Installation;
use crate::harness::program::{Program, Run};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn mode(installation: &Installation) -> u32 {
    fs::metadata(installation.path("einmal.keys")).unwrap().permissions().mode() & 0o7777
}

async fn serve_fails(installation: &Installation) -> Run {
    let run = Program::start(&mut installation.einmal(&["serve"])).ended().await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    run
}

#[tokio::test]
async fn a_new_keyring_is_readable_by_its_owner_only() {
    let installation = Installation::new().await;
    assert_eq!(mode(&installation), 0o600);
    fs::remove_file(installation.path("einmal.keys")).unwrap();
    let script = "umask 000; exec \"$0\" keys generate";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, crate::harness::program::PROGRAM]).current_dir(installation.directory.path());
    let run: Run = command.env("EINMAL_CONFIG", "einmal.toml").output().unwrap().into();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(mode(&installation), 0o600, "whatever the umask");
    assert_eq!(run.stdout, "", "the keys are in the file alone");
    assert!(run.stderr.contains("losing the keyring loses every secret"), "{}", run.stderr);
}

#[tokio::test]
async fn a_keyring_is_never_overwritten() {
    let installation = Installation::new().await;
    let before = fs::read(installation.path("einmal.keys")).unwrap();
    let run = installation.run(&["keys", "generate"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.stderr, "error: keyring einmal.keys: exists, and a keyring is never overwritten\n");
    assert_eq!(fs::read(installation.path("einmal.keys")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyring_for_the_environment_goes_to_standard_output_and_serves() {
    let installation = Installation::new().await;
    let path = installation.path("einmal.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("file = \"einmal.keys\"", "env = \"SEAL\"")).unwrap();
    let made = installation.run(&["keys", "generate"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.stdout.lines().last().unwrap().to_owned();
    assert!(!made.stderr.contains(&key), "{}", made.stderr);

    let without = installation.run(&["serve"]);
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.stderr.contains("SEAL"), "{}", without.stderr);
    let with = installation.einmal(&["accounts", "import", "-"]).env("SEAL", key).output().unwrap();
    assert_eq!(with.status.code(), Some(0), "{with:?}");
}

#[tokio::test]
async fn a_keyring_that_others_may_read_is_refused() {
    let installation = Installation::new().await;
    for (mode, shown) in [(0o640, "0640"), (0o604, "0604"), (0o660, "0660"), (0o610, "0610")] {
        fs::set_permissions(installation.path("einmal.keys"), Permissions::from_mode(mode)).unwrap();
        let run = serve_fails(&installation).await;
        let expected = format!("group or others may read it (mode {shown}), expected mode 0600");
        assert!(run.stderr.contains("einmal.keys") && run.stderr.contains(&expected), "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_missing_keyring_says_how_to_make_one() {
    let installation = Installation::new().await;
    fs::remove_file(installation.path("einmal.keys")).unwrap();
    let run = serve_fails(&installation).await;
    assert!(run.stderr.contains("einmal.keys: No such file"), "{}", run.stderr);
    assert!(run.stderr.contains("`einmal keys generate` makes one"), "{}", run.stderr);
    assert!(!installation.path("einmal.db").exists(), "no store that its keyring could not open");
}

#[tokio::test]
async fn a_keyring_of_another_store_is_refused() {
    let installation = Installation::new().await;
    installation.import("{\"id\":\"a\"}");
    fs::remove_file(installation.path("einmal.keys")).unwrap();
    assert_eq!(installation.run(&["keys", "generate"]).code, Some(0));
    let run = serve_fails(&installation).await;
    assert!(run.stderr.contains("this keyring is not the store's"), "{}", run.stderr);
    let import = installation.import_with(&[], "{\"id\":\"b\"}");
    assert_eq!(import.code, Some(1), "{import:?}");
}

#[tokio::test]
async fn a_malformed_keyring_is_refused_without_a_word_of_it() {
    let installation = Installation::new().await;
    let text = fs::read_to_string(installation.path("einmal.keys")).unwrap();
    let key = text.lines().last().unwrap();
    fs::write(installation.path("einmal.keys"), &key[..key.len() - 4]).unwrap();
    let run = serve_fails(&installation).await;
    assert!(run.stderr.contains("einmal.keys: entry 1 is not ID:KEY"), "{}", run.stderr);
    assert!(!run.stderr.contains(&key[9..20]), "{}", run.stderr);
}
