//! `einmal store copy`, as an operator types it: from one store to another, there and back, beside the service.

use crate::harness::installation::{Installation, Serving, code_at, device, early_in_a_step, step};
use crate::harness::postgres::{Database, PostgresServer};
use crate::harness::program::{Program, Run};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

fn copy(installation: &Installation, arguments: &[&str]) -> Run {
    installation.run(&[&["store", "copy"], arguments].concat())
}

fn copied(installation: &Installation, to: &str) -> String {
    let Run { code, stdout, stderr } = copy(installation, &["--to", to]);
    assert_eq!(code, Some(0), "{stderr}");
    stdout
}

fn refusal(run: &Run) -> String {
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    run.stderr.strip_prefix("error: ").unwrap_or(&run.stderr).trim_end().to_owned()
}

/// Lets the configuration name this store.
fn use_store(installation: &Installation, url: &str) {
    installation.configure(&installation.issuer.url(), &format!("[store]\nurl = \"{url}\"\n"));
}

fn postgres() -> Option<(&'static PostgresServer, Database)> {
    let server = PostgresServer::shared()?;
    Some((server, server.database()))
}

/// What `serve` says that must not serve.
async fn refused_to_serve(installation: &Installation) -> String {
    let run = Program::start(&mut installation.einmal(&["serve"])).ended().await;
    assert_eq!(run.code, Some(1), "{run:?}");
    run.stderr.lines().last().unwrap().to_owned()
}

async fn until(serving: &Serving, readiness: u16) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while serving.readiness().await.status() != readiness {
        assert!(Instant::now() < deadline, "not {readiness}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_move_there_and_back_and_no_store_that_was_left_serves() {
    let Some((_, database)) = postgres() else { return };
    let installation = Installation::new().await;
    let name = |number: usize| format!("user-{number}");
    installation.import((0..2_300).map(|number| device(&name(number))).collect::<String>());
    let export = |installation: &Installation| installation.run(&["accounts", "export"]).stdout;
    let before = export(&installation);
    early_in_a_step(20).await;
    let (code, token) = (code_at(step()), installation.token("user-7"));
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&token, &code).await, 204);

    let said = copied(&installation, &database.url);
    let target = database.settings().to_string();
    assert!(said.starts_with("2300 accounts, the same in both; 2300 copied, 0 removed again, "), "{said}");
    assert!(said.contains(&format!("einmal.db refuses to serve from now on: set store.url to {target}")));
    until(&serving, 503).await;
    for (subject, code) in [("user-7", &code), ("user-8", &code)] {
        assert_eq!(serving.verify(&installation.token(subject), code).await, 503, "{subject}");
    }
    serving.stop().await;
    let moved = format!("error: store einmal.db takes no writes: its accounts were moved to {target}");
    assert_eq!(refused_to_serve(&installation).await, moved);
    assert_eq!(refusal(&installation.run(&["accounts", "unlock", "user-7"])), &moved["error: ".len()..]);
    let line = device("late");
    assert_eq!(installation.import_with(&[], &line).code, Some(1));
    assert!(
        refusal(&copy(&installation, &["--to", "sqlite:other.db"])).starts_with("the source is closed: ")
    );

    use_store(&installation, &database.url);
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&token, &code).await, 404, "it was accepted before the move");
    assert_eq!(serving.verify(&installation.token("user-8"), &code).await, 204);
    assert_eq!(installation.run(&["accounts", "delete", "user-9"]).code, Some(0));
    installation.import(line);
    copied(&installation, "sqlite:back.db");
    until(&serving, 503).await;
    serving.stop().await;
    assert!(refused_to_serve(&installation).await.contains("its accounts were moved to back.db"));

    use_store(&installation, "sqlite:back.db");
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&installation.token("user-8"), &code).await, 404);
    assert_eq!(serving.verify(&installation.token("user-9"), &code).await, 404);
    assert_eq!(serving.verify(&installation.token("late"), &code).await, 204);
    let lines = |export: &str| {
        let mut lines: Vec<_> =
            export.lines().filter(|line| !line.contains("late")).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let (before, after) = (lines(&before), lines(&export(&installation)));
    assert_eq!(after.len(), 2_299);
    assert_eq!(after.iter().filter(|line| !before.contains(line)).count(), 0, "nothing else has changed");
    assert_eq!(installation.run(&["store", "check"]).stdout, "2300 accounts, 0 faults\n");
}

/// A client of the old place, for as long as it is answered. Returns what was accepted and what was not.
async fn verify_until_refused(
    serving: Arc<Serving>,
    tokens: Vec<String>,
    code: String,
) -> (Vec<String>, Vec<String>) {
    let mut accepted = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match serving.verify(token, &code).await {
            204 => accepted.push(token.clone()),
            503 => return (accepted, tokens[place..].to_vec()),
            status => panic!("{status}"),
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("all accounts were used before the store was closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beside_a_service_that_goes_on_no_code_is_accepted_in_both_places() {
    let installation = Installation::new().await;
    let names: Vec<_> = (0..6_000).map(|number| format!("user-{number}")).collect();
    installation.import(names.iter().map(|name| device(name)).collect::<String>());
    let serving = Arc::new(installation.serve().await);
    early_in_a_step(25).await;
    // Good for one and a half minutes from here.
    let code = code_at(step() + 1);
    let mut clients = JoinSet::new();
    for names in names.chunks(1_500) {
        let tokens = names.iter().map(|name| installation.token(name)).collect();
        clients.spawn(verify_until_refused(Arc::clone(&serving), tokens, code.clone()));
    }
    let mut command = installation.einmal(&["store", "copy", "--to", "sqlite:new.db"]);
    let said: Run = spawn_blocking(move || command.output().unwrap().into()).await.unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("einmal.db: closed, its service answers 503"), "{said:?}");
    let (mut accepted, mut left) = (Vec::new(), Vec::new());
    for (some, others) in clients.join_all().await {
        accepted.extend(some);
        left.extend(others);
    }
    assert!(accepted.len() > 50, "{}", accepted.len());
    use_store(&installation, "sqlite:new.db");
    let new = installation.serve().await;
    for token in &accepted {
        assert_eq!(new.verify(token, &code).await, 404);
    }
    for token in left.iter().take(200) {
        assert_eq!(serving.verify(token, &code).await, 503);
        assert_eq!(new.verify(token, &code).await, 204);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_in_use_is_refused_and_left_as_it_is() {
    let installation = Installation::new().await;
    installation.import_device("alice");
    use_store(&installation, "sqlite:other.db");
    installation.import_device("bob");
    use_store(&installation, "sqlite:einmal.db");
    let in_use = "the target has accounts, and they are not those of an unfinished copy";
    for further in [&[][..], &["--resume"]] {
        assert_eq!(refusal(&copy(&installation, &[&["--to", "sqlite:other.db"], further].concat())), in_use);
    }
    assert_eq!(
        refusal(&copy(&installation, &["--to", "sqlite:./einmal.db"])),
        "source and target are the same store"
    );
    assert_eq!(refusal(&copy(&installation, &["--to", "sqlite:new.db", "--cancel"])), "no copy is under way");
    for url in ["sqlite:einmal.db", "sqlite:other.db", "sqlite:new.db"] {
        use_store(&installation, url);
        installation.serve().await.stop().await;
    }
}

#[tokio::test]
async fn a_target_of_another_keyring_is_refused() {
    let installation = Installation::new().await;
    installation.import_device("alice");
    let keyring = fs::read(installation.path("einmal.keys")).unwrap();
    fs::remove_file(installation.path("einmal.keys")).unwrap();
    assert_eq!(installation.run(&["keys", "generate"]).code, Some(0));
    use_store(&installation, "sqlite:other.db");
    assert_eq!(installation.run(&["accounts", "list"]).code, Some(0));
    fs::write(installation.path("einmal.keys"), keyring).unwrap();
    use_store(&installation, "sqlite:einmal.db");
    let refused = refusal(&copy(&installation, &["--to", "sqlite:other.db"]));
    assert!(refused.starts_with("store other.db: this keyring is not the store's"), "{refused}");
}

#[tokio::test]
async fn an_account_that_does_not_open_is_named_and_the_source_goes_on() {
    let installation = Installation::new().await;
    installation.import(["alice", "bob", "carol"].map(device).concat());
    let database = rusqlite::Connection::open(installation.path("einmal.db")).unwrap();
    database.execute("UPDATE guard SET sealed = x'00' WHERE subject = 'bob'", ()).unwrap();
    let run = copy(&installation, &["--to", "sqlite:new.db"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("\"main\" \"bob\": "), "{run:?}");
    assert!(run.stderr.ends_with(
        "error: 1 account does not open in the source, which goes on serving; `einmal store check` tells more\n"
    ));
    installation.serve().await.stop().await;
    assert_eq!(installation.run(&["accounts", "delete", "bob"]).code, Some(0));
    let unfinished = "the target is an unfinished copy of einmal.db; --resume goes on with it";
    assert_eq!(refusal(&copy(&installation, &["--to", "sqlite:new.db"])), unfinished);
    let run = copy(&installation, &["--to", "sqlite:new.db", "--resume"]);
    assert!(run.stdout.starts_with("2 accounts, the same in both; 0 copied, 0 removed again, "), "{run:?}");
}

#[tokio::test]
async fn what_is_no_target_is_a_clear_error() {
    let installation = Installation::new().await;
    installation.import_device("alice");
    for (url, expected) in [
        ("mysql://x", "error: --to: expected sqlite:PATH or postgres://USER@HOST/DATABASE\n"),
        ("sqlite:", "error: --to: expected a path after sqlite:\n"),
    ] {
        let run = copy(&installation, &["--to", url]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(2), expected), "{run:?}");
    }
    let run = copy(&installation, &["--to", "sqlite:nowhere/new.db"]);
    assert!(refusal(&run).contains("nowhere"), "{run:?}");
    installation.serve().await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_targets_password_comes_from_a_file() {
    let Some(server) = PostgresServer::start("") else { return };
    let database = server.database();
    server.sql("postgres", "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'geheim'");
    let rules = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    server.write("pg_hba.conf", rules);
    server.sql("postgres", "SELECT pg_reload_conf()");
    let installation = Installation::new().await;
    installation.import_device("alice");
    fs::write(installation.path("password"), "geheim\n").unwrap();
    let url = database.url.replace("einmal@", "guarded@");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !copy(&installation, &["--to", &url, "--cancel"]).stderr.contains("password") {
        assert!(Instant::now() < deadline, "no password is asked for");
    }
    let run = copy(&installation, &["--to", &url, "--to-password-file", "password"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!format!("{run:?}").contains("geheim"), "{run:?}");
}
