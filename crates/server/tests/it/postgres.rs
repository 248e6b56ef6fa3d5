//! The service and its commands on PostgreSQL: what its users, and its operator, see of an outage.

use crate::harness::installation::{Installation, code_at, device, early_in_a_step, step};
use crate::harness::is_long;
use crate::harness::log::Log;
use crate::harness::postgres::{Database, PostgresServer};
use crate::harness::program::Run;
use crate::harness::service::Service;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn readiness(service: &Service) -> u16 {
    let answer = service.client.get(service.management_url("/health/readiness")).send().await;
    answer.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_database_stands_still_requests_get_503_in_time_and_then_go_on_by_themselves_158() {
    let Some(server) = PostgresServer::start("") else { return };
    let database = server.database();
    let service = Service::start_with(&database.section()).await;
    service.provision_device("alice").await;
    service.provision_device("bob").await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    service.clock.advance(30);
    let code = service.code(0);
    server.pause();
    for subject in ["alice", "bob", "nobody"] {
        let asked = Instant::now();
        let answer = service.answer(subject, &code).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{subject}");
        assert!(answer.header("retry-after").is_some());
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    }
    assert_eq!(readiness(&service).await, 503);
    // However long it lasts.
    let still = Instant::now();
    while is_long() && still.elapsed() < Duration::from_mins(1) {
        let asked = Instant::now();
        assert_eq!(service.verify("bob", &code).await, 503);
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        sleep(Duration::from_millis(500)).await;
    }
    server.go_on();
    let back = Instant::now();
    while readiness(&service).await != 200 {
        assert!(back.elapsed() < Duration::from_secs(5), "not ready again");
        sleep(Duration::from_millis(10)).await;
    }
    // Reading has another connection, which is told.
    let mut status = service.verify("bob", &code).await;
    while status == 503 && back.elapsed() < Duration::from_secs(5) {
        status = service.verify("bob", &code).await;
    }
    assert_eq!(status, 204, "a 503 has spent nothing");
    assert_eq!(service.verify("bob", &code).await, 404);
    assert_eq!(service.verify("alice", &code).await, 204);
}

#[tokio::test]
async fn what_the_operator_hears_of_a_server_that_may_lose_commits_161() {
    let Some(server) = PostgresServer::start("fsync = off") else { return };
    let database = server.database();
    Log::capture();
    drop(Service::start_with(&database.section()).await);
    let lines = Log::lines("the store may lose what it has acknowledged");
    let name = format!("postgres://127.0.0.1:{}/{}", server.port, database.name);
    let error = "fsync is off: a crash of the machine loses commits, or all";
    assert_eq!(lines, [json!({ "message": lines[0]["message"], "store": name, "error": error })]);
}

struct Site {
    installation: Installation,
    database: Database,
}

async fn site() -> Option<Site> {
    let database = PostgresServer::shared()?.database();
    Some(Site { installation: Installation::with(&database.section()).await, database })
}

impl Site {
    /// What a command that must end well prints; its advice is on standard error.
    fn says(&self, arguments: &[&str]) -> String {
        let Run { code, stdout, stderr } = self.installation.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
        stdout.trim_end().to_owned()
    }

    fn refuses(&self, arguments: &[&str]) -> String {
        let Run { code, stdout, stderr } = self.installation.run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?}: {stderr}");
        stderr.trim_end().to_owned()
    }

    fn sql(&self, sql: &str) -> String {
        PostgresServer::shared().unwrap().sql(&self.database.name, sql)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_works_on_postgres_beside_the_service() {
    let Some(site) = site().await else { return };
    let name =
        format!("postgres://127.0.0.1:{}/{}", PostgresServer::shared().unwrap().port, site.database.name);
    for arguments in [&["store", "check"][..], &["store", "after-restore"]] {
        assert_eq!(site.refuses(arguments), format!("error: {name}: there is no store"));
    }
    assert_eq!(site.says(&["store", "migrate"]), format!("{name}: made, with schema 1"));
    assert_eq!(site.says(&["store", "migrate"]), format!("{name}: has schema 1, nothing to do"));
    let serving = site.installation.serve().await;
    let lines: String = (0..1_200).map(|number| device(&format!("user-{number}"))).collect();
    site.installation.import(lines);
    assert_eq!(site.says(&["store", "check"]), "1200 accounts, 0 faults");
    assert_eq!(site.says(&["store", "check", "--without-keyring"]), "1200 accounts, 0 faults");

    early_in_a_step(10).await;
    let (code, token) = (code_at(step()), site.installation.token("user-7"));
    assert_eq!(serving.verify(&token, &code).await, 204);
    assert_eq!(serving.verify(&token, &code).await, 404);
    assert!(site.says(&["accounts", "list"]).contains("main\tuser-1\n"));
    assert!(site.says(&["accounts", "show", "user-7"]).contains("user-7"));
    site.says(&["accounts", "unlock", "user-7"]);
    site.says(&["accounts", "delete", "user-8"]);
    assert_eq!(site.says(&["accounts", "export"]).lines().count(), 1_199);

    let old = site.says(&["keys", "list"]).split(':').next().unwrap().to_owned();
    site.says(&["keys", "rotate"]);
    site.says(&["keys", "rotate", "--promote"]);
    assert!(site.says(&["keys", "reseal"]).contains("1199 accounts resealed, 0 failed"));
    site.says(&["keys", "retire", &old]);
    assert_eq!(site.says(&["store", "check"]), "1199 accounts, 0 faults");
    serving.stop().await;

    let report = site.says(&["store", "after-restore"]);
    assert!(report.starts_with("1199 accounts: 1199 TOTP secrets moved on"), "{report}");
    let refusal = site.refuses(&["store", "backup", "copy.db"]);
    assert!(refusal.contains("pg_dump"), "{refusal}");
}

#[tokio::test]
async fn a_check_on_postgres_names_what_is_damaged_and_changes_nothing() {
    let Some(site) = site().await else { return };
    site.installation.import(["alice", "bob", "carol", "dave"].map(device).concat());
    site.sql(
        "UPDATE guard SET sealed = 'x' WHERE subject = 'alice'; DELETE FROM vault WHERE subject = 'bob';
         DELETE FROM guard WHERE subject = 'carol'",
    );
    let check = site.installation.run(&["store", "check"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(1), "3 accounts, 3 faults\n"), "{check:?}");
    for name in ["alice", "bob", "carol"] {
        assert!(check.stderr.contains(&format!("\"main\" \"{name}\": ")), "{check:?}");
    }
    site.sql("UPDATE einmal_schema SET version = 0");
    assert!(site.refuses(&["store", "check"]).ends_with("there is no store"));
    assert_eq!(site.sql("SELECT version FROM einmal_schema"), "0");
}
