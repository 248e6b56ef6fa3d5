//! From one key to the next by the real commands, beside real servers that clients never stop to ask.

use crate::harness::installation::{Installation, Serving, code_at, device, step};
use crate::harness::program::Run;
use serde_json::json;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

const ACCOUNTS: usize = 4_000;

/// Clients of both servers, each code of an account of its own. A right code that is not answered 204 fails the test.
struct Clients {
    workers: JoinSet<Vec<(String, u64)>>,
    accepted: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
}

impl Clients {
    fn of(servers: &[Arc<Serving>], tokens: &[String]) -> Self {
        let (accepted, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut workers = JoinSet::new();
        for (number, tokens) in tokens.chunks(tokens.len().div_ceil(4)).enumerate() {
            let (server, tokens) = (Arc::clone(&servers[number % servers.len()]), tokens.to_vec());
            let (accepted, enough) = (Arc::clone(&accepted), Arc::clone(&enough));
            workers.spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut codes = Vec::new();
                for token in tokens {
                    if enough.load(Ordering::Relaxed) {
                        break;
                    }
                    let step = step();
                    let body = json!({ "otp": code_at(step) });
                    let answer = server.try_verify_with(&client, &token, &body).await.unwrap();
                    assert_eq!(answer.status(), 204, "a right code, {}", server.program.stdout());
                    codes.push((token, step));
                    accepted.fetch_add(1, Ordering::Relaxed);
                    // For as long as the commands take: the accounts must not run out.
                    sleep(Duration::from_millis(20)).await;
                }
                codes
            });
        }
        Self { workers, accepted, enough }
    }

    /// Returns when so many more codes have been accepted.
    async fn go_on(&self, more: usize) {
        let (goal, started) = (self.accepted.load(Ordering::Relaxed) + more, Instant::now());
        while self.accepted.load(Ordering::Relaxed) < goal {
            assert!(started.elapsed() < Duration::from_secs(30), "the clients have stopped");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) -> Vec<(String, u64)> {
        self.enough.store(true, Ordering::Relaxed);
        let codes: Vec<_> = self.workers.join_all().await.into_iter().flatten().collect();
        assert!(codes.len() < ACCOUNTS, "the accounts ran out before the commands were through");
        codes
    }
}

async fn run(installation: &Arc<Installation>, arguments: &[&str]) -> Run {
    let (installation, arguments) = (Arc::clone(installation), arguments.join(" "));
    let run = spawn_blocking(move || installation.run(&arguments.split(' ').collect::<Vec<_>>()));
    run.await.unwrap()
}

/// It succeeded; what it printed.
async fn succeed(installation: &Arc<Installation>, arguments: &[&str]) -> String {
    let run = run(installation, arguments).await;
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    run.stdout
}

fn sealing_key(installation: &Installation) -> String {
    let list = installation.run(&["keys", "list"]).stdout;
    list.lines().find(|line| line.contains(": seals;")).unwrap()[..8].to_owned()
}

fn opens_the_store(installation: &Installation, keyring: &str) -> Run {
    fs::write(installation.path("einmal.keys"), keyring).unwrap();
    installation.run(&["accounts", "list"])
}

async fn all_are_spent(server: &Serving, codes: Vec<(String, u64)>) {
    let mut checked = 0;
    for (token, accepted) in codes.into_iter().rev().take(400) {
        assert_eq!(server.verify(&token, &code_at(accepted)).await, 404);
        // Looked at afterwards: had it left its window by then, the answer would say nothing.
        checked += usize::from((step() - 1..=step() + 1).contains(&accepted));
    }
    assert!(checked > 50, "only {checked} codes were still in their windows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_under_load_and_not_one_request_fails() {
    let installation = Arc::new(Installation::new().await);
    let tokens = installation.accounts("user", ACCOUNTS);
    let servers = [Arc::new(installation.serve().await), Arc::new(installation.serve().await)];
    let (old, old_keyring) =
        (sealing_key(&installation), fs::read_to_string(installation.path("einmal.keys")).unwrap());
    let clients = Clients::of(&servers, &tokens);
    clients.go_on(50).await;
    succeed(&installation, &["keys", "rotate"]).await;
    clients.go_on(50).await;
    succeed(&installation, &["keys", "rotate", "--promote"]).await;
    clients.go_on(50).await;
    let refused = run(&installation, &["keys", "retire", &old]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(&format!("the key {old} is needed: ")), "{refused:?}");
    let resealed = succeed(&installation, &["keys", "reseal"]).await;
    assert!(resealed.contains(&format!(" of {ACCOUNTS} accounts resealed, 0 failed")), "{resealed}");
    clients.go_on(50).await;
    succeed(&installation, &["keys", "retire", &old]).await;
    clients.go_on(50).await;

    let codes = clients.stop().await;
    let new = sealing_key(&installation);
    assert_ne!(new, old);
    let list = installation.run(&["keys", "list"]);
    let expected = format!("{new}: seals; guards {ACCOUNTS}, vaults {ACCOUNTS}, the store's check value\n");
    assert_eq!((list.code, list.stdout), (Some(0), expected));
    all_are_spent(&servers[0], codes).await;
    let refused = opens_the_store(&installation, &old_keyring);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("this keyring is not the store's"), "{refused:?}");
}

/// They know both keys from the start: no unknown one ever makes them look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_started_between_adding_and_promoting_notice_the_promotion() {
    let installation = Arc::new(Installation::new().await);
    let tokens = installation.accounts("user", ACCOUNTS);
    let old = sealing_key(&installation);
    succeed(&installation, &["keys", "rotate"]).await;
    let servers = [Arc::new(installation.serve().await), Arc::new(installation.serve().await)];
    let clients = Clients::of(&servers, &tokens);
    clients.go_on(50).await;
    let promoted = succeed(&installation, &["keys", "rotate", "--promote"]).await;
    assert!(promoted.ends_with(&format!("{old} only opens\n")), "{promoted}");
    // Nothing is resealed: the servers' own writes must turn to the new key.
    let (raw, started) =
        (rusqlite::Connection::open(installation.path("einmal.db")).unwrap(), Instant::now());
    let old_id = u32::from_str_radix(&old, 16).unwrap();
    let newer = "SELECT count(*) FROM guard WHERE key_id <> ?1";
    while raw.query_row(newer, [old_id], |row| row.get::<_, i64>(0)).unwrap() < 100 {
        assert!(started.elapsed() < Duration::from_secs(15), "nobody noticed");
        sleep(Duration::from_millis(20)).await;
    }
    drop(raw);
    succeed(&installation, &["keys", "reseal"]).await;
    succeed(&installation, &["keys", "retire", &old]).await;
    let codes = clients.stop().await;
    all_are_spent(&servers[1], codes).await;
    // New accounts, too.
    installation.import(device("newcomer"));
    assert!(installation.run(&["keys", "list"]).stdout.contains(&format!("guards {},", ACCOUNTS + 1)));
}
