//! What breaks around the service: it must say so, accept nothing meanwhile, and be well again by itself.

use crate::api::{OTHER_SECRET, credential};
use crate::harness::installation::{Installation, Serving, code_at, device, step};
use crate::harness::program::PROGRAM;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::JSON;
use crate::http::client::{Client, within_patience};
use einmal_core::account::Account;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

async fn readiness(service: &Service) -> (u16, Value) {
    let answer = service.client.get(service.management_url("/health/readiness")).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn without_its_directory_the_service_answers_503_and_it_recovers_by_itself_155() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    assert_eq!(service.verify("alice", &service.wrong_code(0)).await, 404);
    let away = service.directory.path().with_extension("away");
    for round in 0..2 {
        let code = service.code(0);
        fs::rename(service.directory.path(), &away).unwrap();
        for otp in [&code, &service.wrong_code(1), &code] {
            let answer = service.answer("alice", otp).await;
            assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
            assert!(answer.header("retry-after").is_some());
        }
        assert_eq!(service.answer("nobody", &code).await.status, 503, "nobody is not told apart");
        assert_eq!(readiness(&service).await, (503, json!({ "status": "not ready", "notReady": ["store"] })));
        let alive = service.client.get(service.management_url("/health/liveness")).send().await.unwrap();
        assert_eq!(alive.status(), 200);

        fs::rename(&away, service.directory.path()).unwrap();
        assert_eq!(readiness(&service).await, (200, json!({ "status": "ok" })));
        assert_eq!(service.failures("alice").await, u32::from(round == 0));
        assert_eq!(service.verify("alice", &code).await, 204, "nothing was spent");
        assert_eq!(service.verify("alice", &code).await, 404);
        service.clock.advance(30);
    }
}

#[tokio::test]
async fn under_somebody_elses_lock_nothing_is_accepted_before_it_is_written_155() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let lock = rusqlite::Connection::open(service.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let code = service.code(0);
    let mut client = service.connect().await;
    client.send(service.verify_request("alice", &[JSON], json!({ "otp": code }).to_string())).await;
    let early = tokio::time::timeout(Duration::from_millis(300), client.answer()).await;
    assert!(early.is_err(), "answered before it could be written: {early:?}");
    lock.execute_batch("COMMIT").unwrap();
    assert_eq!(service.verify("alice", &code).await, 404, "it was spent by the first");
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test]
async fn a_damaged_row_fails_its_own_account_and_no_other() {
    let service = Service::start().await;
    let raw = rusqlite::Connection::open(service.database()).unwrap();
    let damages = [
        "UPDATE guard SET sealed = zeroblob(80)",
        "UPDATE guard SET sealed = x''",
        "UPDATE guard SET version = version + 1",
        "UPDATE guard SET key_id = key_id + 1",
        "UPDATE vault SET sealed = substr(sealed, 2)",
        "UPDATE vault SET version = version + 1",
        "DELETE FROM vault",
    ];
    service.provision_device("alice").await;
    for (number, damage) in damages.iter().enumerate() {
        let subject = format!("damaged-{number}");
        service.provision_device(&subject).await;
        raw.execute(&format!("{damage} WHERE subject = ?1"), [&subject]).unwrap();
        for otp in [service.code(0), service.wrong_code(0)] {
            let answer = service.answer(&subject, &otp).await;
            assert_eq!((answer.status, answer.code().as_str()), (500, "internal"), "{damage}");
            assert_eq!(answer.error().get("detail"), None, "{damage}");
        }
        assert_eq!(service.verify("alice", &service.code(0)).await, 204, "{damage}");
        service.clock.advance(30);
    }
    assert_eq!(readiness(&service).await.0, 200);
}

#[tokio::test]
async fn rows_of_two_users_that_are_swapped_open_for_neither_146() {
    for tables in [&["guard"][..], &["vault"], &["guard", "vault"]] {
        let service = Service::start().await;
        let device = |secret| Account { devices: vec![credential(secret)], ..Account::default() };
        service.insert("alice", device(SECRET)).await;
        service.insert("bob", device(OTHER_SECRET)).await;
        let raw = rusqlite::Connection::open(service.database()).unwrap();
        for table in tables {
            let sql = format!(
                "UPDATE {table} SET subject = 'aside' WHERE subject = 'alice';
                 UPDATE {table} SET subject = 'alice' WHERE subject = 'bob';
                 UPDATE {table} SET subject = 'bob' WHERE subject = 'aside';"
            );
            raw.execute_batch(&sql).unwrap();
        }
        for subject in ["alice", "bob"] {
            for secret in [SECRET, OTHER_SECRET] {
                let code = service.code_of(secret, 0);
                assert_eq!(service.verify(subject, &code).await, 500, "{subject}, {tables:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_older_vault_does_not_open_beside_a_newer_guard_146() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let raw = rusqlite::Connection::open(service.database()).unwrap();
    raw.execute_batch("CREATE TEMP TABLE old AS SELECT * FROM vault").unwrap();
    let accounts = service.running.accounts();
    let enroll = |account: &mut Account| {
        account.devices = vec![credential(OTHER_SECRET)];
        einmal_core::account::Verification::Accepted
    };
    let id = einmal_core::account::AccountId::new("main", "alice");
    assert!(accounts.update(id, enroll).await.unwrap().is_some());
    assert_eq!(service.verify("alice", &service.code_of(OTHER_SECRET, 0)).await, 204);
    raw.execute_batch("DELETE FROM vault; INSERT INTO vault SELECT * FROM old").unwrap();
    assert_eq!(service.verify("alice", &service.code(0)).await, 500);
}

/// What the service has not read yet of the connection from this port: proc(5), `rx_queue`. `None` if it has
/// closed the connection.
fn unread(service: &Service, port: u16) -> Option<u64> {
    let ends = (format!(":{:04X}", service.running.address.port()), format!(":{port:04X}"));
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row[1].ends_with(&ends.0) && row[2].ends_with(&ends.1));
    let row = rows.next()?;
    // State 01 is ESTABLISHED; after a reset the row goes when the service closes its end.
    (row[3] == "01").then(|| u64::from_str_radix(row[4].split_once(':').unwrap().1, 16).unwrap())
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    within_patience(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Sends a wrong guess, and returns when the service has read it.
async fn guess(service: &Service, number: usize) -> Client {
    let mut client = service.connect().await;
    let body = json!({ "otp": service.wrong_code(number) }).to_string();
    client.send(service.verify_request("alice", &[JSON], body)).await;
    let port = client.stream.local_addr().unwrap().port();
    until("reading a request", || unread(service, port) == Some(0)).await;
    client
}

#[tokio::test]
async fn a_guess_whose_sender_has_gone_is_counted_104() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    // The token is known from here on, so that reading a request and taking up its attempt are one step.
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    let lock = rusqlite::Connection::open(service.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut first = guess(&service, 0).await;
    for number in 1..4 {
        // These wait for the first one's turn to end, and their senders do not.
        let client = guess(&service, number).await;
        let port = client.stream.local_addr().unwrap().port();
        client.stream.set_zero_linger().unwrap();
        drop(client);
        until("closing", || unread(&service, port).is_none()).await;
    }
    lock.execute_batch("COMMIT").unwrap();
    assert_eq!(first.answer().await.status, 404);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while service.failures("alice").await < 4 {
        assert!(tokio::time::Instant::now() < deadline, "{} counted of 4", service.failures("alice").await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(service.failures("alice").await, 4);
}

#[tokio::test]
async fn a_pin_whose_sender_has_gone_is_counted_104() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let send = async |pin: &str| {
        let mut client = service.connect().await;
        client.send(service.create_request("alice", json!({ "pin": pin }).to_string())).await;
        let port = client.stream.local_addr().unwrap().port();
        until("reading a request", || unread(&service, port) == Some(0)).await;
        client
    };
    // As above: the token is known, and those behind the first one wait for its turn to end.
    assert_eq!(send("8299").await.answer().await.status, 201);
    let lock = rusqlite::Connection::open(service.database()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut first = send("4711").await;
    for _ in 1..3 {
        let client = send("4711").await;
        let port = client.stream.local_addr().unwrap().port();
        client.stream.set_zero_linger().unwrap();
        drop(client);
        until("closing", || unread(&service, port).is_none()).await;
    }
    lock.execute_batch("COMMIT").unwrap();
    assert_eq!(first.answer().await.status, 404);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while service.proof_failures("alice").await != (0, 3) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", service.proof_failures("alice").await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(send("8299").await.answer().await.status, 201, "a fourth one was free");
}

fn limit_files(serving: &Serving, bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: None };
    let pid = Pid::from_raw(i32::try_from(serving.program.id()).unwrap());
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

/// A limit on file sizes stands in for the full disk, which takes rights that not every machine gives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_full_disk_the_service_answers_503_until_there_is_room_154() {
    let installation = Installation::new().await;
    installation.import(["alice", "bob", "carol"].map(device).concat());
    // The limit must be met as an error and not as the signal that ends the process.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", PROGRAM, "serve"]).env_clear();
    command.current_dir(installation.directory.path()).env("EINMAL_CONFIG", "einmal.toml");
    let serving = Serving::start(&mut command).await;
    serving.until_ready().await;
    let code = code_at(step());
    let verify = async |subject: &str| serving.try_verify(&installation.token(subject), &code).await.unwrap();
    assert_eq!(verify("alice").await.status(), 204);

    limit_files(&serving, Some(1));
    for subject in ["bob", "carol", "alice"] {
        let answer = verify(subject).await;
        assert_eq!(answer.status(), 503, "{subject}");
        assert!(answer.headers().contains_key("retry-after"));
    }
    let readiness = serving.readiness().await;
    assert_eq!(readiness.status(), 503);
    assert!(readiness.text().await.unwrap().contains("store"));
    let alive = serving.client.get(format!("http://{}/health/liveness", serving.management)).send().await;
    assert_eq!(alive.unwrap().status(), 200);

    limit_files(&serving, None);
    assert_eq!(serving.readiness().await.status(), 200);
    for (subject, status) in [("bob", 204), ("carol", 204), ("bob", 404), ("alice", 404)] {
        assert_eq!(verify(subject).await.status(), status, "{subject}");
    }
    serving.stop().await;
    let raw = rusqlite::Connection::open(installation.path("einmal.db")).unwrap();
    let verdict: String = raw.pragma_query_one(None, "integrity_check").unwrap();
    assert_eq!(verdict, "ok");
}
