//! `einmal keys rotate`, `list`, `reseal` and `retire`: what they say, what they refuse, and what they never show.

use crate::harness::installation::{Installation, device};
use crate::harness::program::{PATIENCE, Run};
use einmal::accounts::{Accounts, Keyring};
use einmal::entropy::SystemEntropy;
use einmal::store::sqlite::SqliteStore;
use einmal_core::account::{Account, AccountId};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

fn keyring(installation: &Installation) -> String {
    fs::read_to_string(installation.path("einmal.keys")).unwrap()
}

/// Ids in the order of the file.
fn ids(installation: &Installation) -> Vec<String> {
    let text = keyring(installation);
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line[..8].to_owned()).collect()
}

fn succeed(installation: &Installation, arguments: &[&str]) -> Run {
    let run = installation.run(arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    run
}

/// Exit code 1, nothing on standard output, and the one line about why.
fn refused(installation: &Installation, arguments: &[&str]) -> String {
    let run = installation.run(arguments);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{arguments:?}: {run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    run.stderr.trim_end().to_owned()
}

fn damage(installation: &Installation, sql: &str) {
    rusqlite::Connection::open(installation.path("einmal.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_rotation_from_the_first_command_to_the_last() {
    let installation = Installation::new().await;
    installation.import(device("alice") + &device("bob"));
    let comment = "# kept by the operations team\n";
    fs::write(installation.path("einmal.keys"), comment.to_owned() + &keyring(&installation)).unwrap();
    let old = ids(&installation).remove(0);

    let added = succeed(&installation, &["keys", "rotate"]);
    let new = ids(&installation).remove(1);
    assert_eq!(added.stdout, format!("added {new}, which only opens until it is promoted\n"));
    let list = succeed(&installation, &["keys", "list"]).stdout;
    let before = format!(
        "{old}: seals; guards 2, vaults 2, the store's check value\n\
         {new}: only opens, not promoted yet; guards 0, vaults 0\n"
    );
    assert_eq!(list, before);

    let promoted = succeed(&installation, &["keys", "rotate", "--promote"]);
    assert_eq!(promoted.stdout, format!("{new} seals from now on, {old} only opens\n"));
    installation.import(device("carol"));
    let resealed = succeed(&installation, &["keys", "reseal"]);
    assert_eq!(
        (resealed.stdout.as_str(), resealed.stderr.as_str()),
        ("2 of 3 accounts resealed, 0 failed\n", "")
    );
    let list = succeed(&installation, &["keys", "list"]).stdout;
    let after = format!(
        "{new}: seals; guards 3, vaults 3, the store's check value\n{old}: only opens; guards 0, vaults 0\n"
    );
    assert_eq!(list, after);

    let retired = succeed(&installation, &["keys", "retire", &old]);
    assert_eq!(retired.stdout, format!("took {old} out of the keyring\n"));
    assert_eq!(ids(&installation), [new]);
    assert!(keyring(&installation).starts_with(comment));
    for run in [added, promoted, retired] {
        assert!(run.stderr.contains("losing the keyring loses every secret"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn what_would_lose_something_is_refused_and_changes_nothing() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    let old = ids(&installation).remove(0);
    let nothing = "error: keyring einmal.keys: there is no new key to promote; `einmal keys rotate` adds one";
    assert_eq!(refused(&installation, &["keys", "rotate", "--promote"]), nothing);
    succeed(&installation, &["keys", "rotate"]);
    succeed(&installation, &["keys", "rotate", "--promote"]);
    let new = ids(&installation).remove(0);
    let before = keyring(&installation);

    assert_eq!(refused(&installation, &["keys", "rotate", "--promote"]), nothing, "not back to the old one");
    let seals = format!("error: the key {new} seals; promote another one first");
    assert_eq!(refused(&installation, &["keys", "retire", &new]), seals);
    let unknown = "error: there is no key 00000000 in the keyring";
    assert_eq!(refused(&installation, &["keys", "retire", "00000000"]), unknown);
    let needed = format!(
        "error: the key {old} is needed: guards 1, vaults 1, the store's check value; run `einmal keys reseal`"
    );
    assert_eq!(refused(&installation, &["keys", "retire", &old]), needed);
    for id in ["0", "+0000000", "0000000g", "000000000"] {
        assert_eq!(installation.run(&["keys", "retire", id]).code, Some(2), "{id}");
    }
    assert_eq!(keyring(&installation), before);
}

#[tokio::test]
async fn a_key_that_only_the_check_value_needs_is_not_retired() {
    let installation = Installation::new().await;
    let old = ids(&installation).remove(0);
    succeed(&installation, &["accounts", "list"]);
    succeed(&installation, &["keys", "rotate"]);
    succeed(&installation, &["keys", "rotate", "--promote"]);
    let needed = format!(
        "error: the key {old} is needed: guards 0, vaults 0, the store's check value; run `einmal keys reseal`"
    );
    assert_eq!(refused(&installation, &["keys", "retire", &old]), needed);
}

#[tokio::test]
async fn rows_that_cannot_be_opened_are_counted_named_and_exit_with_1() {
    let installation = Installation::new().await;
    installation.import(device("alice") + &device("bob") + &device("carol"));
    damage(
        &installation,
        "UPDATE guard SET key_id = 7 WHERE subject = 'alice'; DELETE FROM vault WHERE subject = 'bob'",
    );
    let list = installation.run(&["keys", "list"]);
    let old = ids(&installation).remove(0);
    let expected = format!(
        "{old}: seals; guards 1, vaults 2, the store's check value\n\
         00000007: NOT IN THE KEYRING; guards 1, vaults 0\naccounts that cannot be read at all: 1\n"
    );
    assert_eq!((list.code, list.stdout), (Some(1), expected));
    assert_eq!(list.stderr, "error: there are rows whose key is not in the keyring\n");

    succeed(&installation, &["keys", "rotate"]);
    succeed(&installation, &["keys", "rotate", "--promote"]);
    let reseal = installation.run(&["keys", "reseal"]);
    assert_eq!((reseal.code, reseal.stdout.as_str()), (Some(1), "1 of 3 accounts resealed, 2 failed\n"));
    let mut said: Vec<_> = reseal.stderr.lines().collect();
    said.sort_unstable();
    assert_eq!(said[0], "account \"alice\" of issuer main: the keyring has no key 00000007");
    assert!(said[1].starts_with("account \"bob\" of issuer main: store damaged: "), "{}", said[1]);
    let refusal = refused(&installation, &["keys", "retire", &old]);
    assert!(
        refusal.contains("guards 0, vaults 1; run"),
        "alice's vault may be all that is left of her: {refusal}"
    );
}

#[tokio::test]
async fn a_keyring_in_the_environment_is_not_changed_but_listed_and_resealed() {
    let installation = Installation::new().await;
    let config = fs::read_to_string(installation.path("einmal.toml")).unwrap();
    let config = config.replace("file = \"einmal.keys\"", "env = \"SEAL\"");
    fs::write(installation.path("einmal.toml"), config).unwrap();
    let generate = || succeed(&installation, &["keys", "generate"]).stdout.lines().last().unwrap().to_owned();
    let (old, new) = (generate(), generate());
    let with = |value: &str, arguments: &[&str]| -> Run {
        installation.einmal(arguments).env("SEAL", value).output().unwrap().into()
    };
    assert_eq!(with(&old, &["accounts", "list"]).code, Some(0));
    for arguments in
        [&["keys", "rotate"][..], &["keys", "rotate", "--promote"], &["keys", "retire", &old[..8]]]
    {
        let run = with(&old, arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stderr.contains("environment variable SEAL, which no command can change"), "{run:?}");
        assert!(!run.stderr.contains(&old[9..]), "{run:?}");
    }
    // As they say.
    let both = with(&format!("{old},{new}:new"), &["keys", "list"]);
    assert!(both.stdout.contains(&format!("{}: only opens, not promoted yet", &new[..8])), "{both:?}");
    let resealed = with(&format!("{new},{old}"), &["keys", "reseal"]);
    assert_eq!(resealed.stdout, "0 of 0 accounts resealed, 0 failed\n", "{resealed:?}");
    assert_eq!(with(&new, &["keys", "list"]).code, Some(0));
    assert_eq!(with(&old, &["keys", "list"]).code, Some(1));
}

#[tokio::test]
async fn no_command_shows_a_key() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    let old = ids(&installation).remove(0);
    let mut said = String::new();
    let mut keys = Vec::new();
    for arguments in [
        &["keys", "rotate"][..],
        &["keys", "rotate", "--promote"],
        &["keys", "rotate", "--promote"],
        &["keys", "list"],
        &["keys", "reseal"],
        &["keys", "retire", &old],
        &["keys", "list"],
    ] {
        keys.extend(
            keyring(&installation).lines().filter_map(|line| Some(line.split(':').nth(1)?.to_owned())),
        );
        let run = installation.run(arguments);
        said += &(run.stdout + &run.stderr);
    }
    keys.retain(|key| key.len() == 44);
    assert!(keys.len() > 5);
    assert!(keys.iter().all(|key| !said.contains(key)), "{said}");
}

#[tokio::test]
async fn a_keyring_that_the_group_may_read_serves_where_that_is_configured() {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new().await;
    fs::set_permissions(installation.path("einmal.keys"), fs::Permissions::from_mode(0o440)).unwrap();
    let refusal = refused(&installation, &["accounts", "list"]);
    assert!(refusal.contains("group or others may read it (mode 0440)"), "{refusal}");
    let allowed = |arguments: &[&str]| -> Run {
        let mut command = installation.einmal(arguments);
        command.env("EINMAL__KEYRING__GROUP_READABLE", "true").output().unwrap().into()
    };
    assert_eq!(allowed(&["accounts", "list"]).code, Some(0));
    assert_eq!(allowed(&["keys", "rotate"]).code, Some(0));
    let metadata = fs::metadata(installation.path("einmal.keys")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o440, "as it was");
}

/// A server that stood still all the time, with the old keys, writes in the very last moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_needed_again_in_the_last_moment_is_put_back() {
    let installation = Arc::new(Installation::new().await);
    let old = ids(&installation).remove(0);
    let stale = Keyring::parse(&keyring(&installation)).unwrap();
    let store = Arc::new(SqliteStore::open(&installation.path("einmal.db")).unwrap());
    let stale = Accounts::open(store, stale, Arc::new(SystemEntropy)).await.unwrap();
    let account = |subject: String| (AccountId::new("main", subject), Account::default());
    // So many that a count takes longer than one more.
    let many: Vec<_> = (0..20_000).map(|number| account(format!("user-{number}"))).collect();
    stale.insert(many.iter().map(|(id, account)| (id, account))).await.unwrap();
    succeed(&installation, &["keys", "rotate"]);
    succeed(&installation, &["keys", "rotate", "--promote"]);
    succeed(&installation, &["keys", "reseal"]);

    let retiring = tokio::task::spawn_blocking({
        let (installation, old) = (Arc::clone(&installation), old.clone());
        move || installation.run(&["keys", "retire", &old])
    });
    let started = Instant::now();
    while ids(&installation).contains(&old) {
        assert!(started.elapsed() < PATIENCE, "it is never taken out");
        sleep(Duration::from_millis(1)).await;
    }
    // The last one that is counted.
    let (id, last) = account("~".to_owned());
    stale.insert([(&id, &last)]).await.unwrap();
    let run = retiring.await.unwrap();
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains(&format!("the key {old} is needed: guards 1, vaults 1")), "{run:?}");
    assert_eq!(ids(&installation).last(), Some(&old));
    assert_eq!(
        succeed(&installation, &["keys", "reseal"]).stdout,
        "1 of 20001 accounts resealed, 0 failed\n"
    );
}
