//! The disk of the database is full: that of its tables, whose writes then fail one by one, or all of it, so that the
//! server itself goes down. What was accepted was durable, nothing is accepted twice, and when there is room the service
//! goes on by itself.

use crate::harness::postgres::PostgresServer;
use crate::harness::service::{SECRET, Service};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

const ACCOUNTS: usize = 200;
const PATIENCE: Duration = Duration::from_mins(1);

fn subject(number: usize) -> String {
    format!("user-{number}")
}

async fn start(section: &str) -> Service {
    let service = Service::start_with(section).await;
    for number in 0..ACCOUNTS {
        service.provision(&json!({ "id": subject(number), "deviceTotps": [{ "secret": SECRET }] })).await;
    }
    service
}

async fn readiness(service: &Service) -> u16 {
    service.client.get(service.management_url("/health/readiness")).send().await.unwrap().status().as_u16()
}

async fn until_ready(service: &Service, within: Duration) {
    let started = Instant::now();
    while readiness(service).await != 200 {
        assert!(started.elapsed() < within, "not ready again");
        sleep(Duration::from_millis(10)).await;
    }
}

/// One right code of each account after the other, on a disk that is kept full, until one is answered 503: how many have
/// been accepted of the codes that are good then.
async fn verify_until_it_fails(service: &Service, server: &PostgresServer, before: impl Fn(usize)) -> usize {
    for _ in 0..20 {
        for number in 0..ACCOUNTS {
            // What the server has freed meanwhile is taken, too.
            server.fill_disk();
            before(number);
            let answer = service.answer(&subject(number), &service.code(0)).await;
            if answer.status == 503 {
                assert_eq!(answer.code(), "unavailable");
                assert!(answer.header("retry-after").is_some());
                return number;
            }
            assert_eq!(answer.status, 204, "{number}");
        }
        service.clock.advance(30);
    }
    panic!("the disk is never full:\n{}", server.log());
}

/// Once all is well: those that had a 204 are refused, those that had none have one at most, and all others have one.
async fn assert_accepted_once(service: &Service, accepted: &[usize], failed: &[usize]) {
    for number in 0..ACCOUNTS {
        let name = subject(number);
        let status = service.verify(&name, &service.code(0)).await;
        if accepted.contains(&number) {
            assert_eq!(status, 404, "{number}: accepted twice");
        } else if failed.contains(&number) {
            assert!([204, 404].contains(&status), "{number}: {status}");
        } else {
            assert_eq!(status, 204, "{number}: nobody has used it");
        }
        assert_eq!(service.verify(&name, &service.code(0)).await, 404, "{number}");
        assert_eq!(service.failures(&name).await, 0, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_tables_find_no_room_nothing_is_accepted_that_is_not_durable_and_then_all_goes_on_154() {
    let Some(mut server) = PostgresServer::start_with_small_disk(false) else { return };
    let database = server.database_on_small_disk();
    let service = start(&database.section()).await;
    // Somebody still reads what there was, so that nothing of it can be written over.
    let (reader, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    let first = verify_until_it_fails(&service, &server, |_| {}).await;
    let (mut accepted, mut failed): (Vec<_>, _) = ((0..first).collect(), vec![first]);
    for number in [first, first + 1, first + 2, first] {
        server.fill_disk();
        match service.verify(&subject(number), &service.code(0)).await {
            503 => failed.push(number),
            // On a page that has room.
            204 => accepted.push(number),
            status => panic!("{number}: {status}"),
        }
    }
    assert!(server.log().contains("No space left on device"), "{}", server.log());
    assert!(server.is_up());

    server.make_room();
    until_ready(&service, Duration::from_secs(5)).await;
    assert_eq!(service.verify(&subject(ACCOUNTS - 1), &service.code(0)).await, 204, "by itself");
    accepted.push(ACCOUNTS - 1);
    // What was accepted is not only in the memory of the server.
    server.kill();
    server.start_again();
    until_ready(&service, Duration::from_secs(5)).await;
    assert_accepted_once(&service, &accepted, &failed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_a_full_disk_takes_the_server_down_what_was_accepted_is_there_after_it_has_room_154() {
    let Some(mut server) = PostgresServer::start_with_small_disk(true) else { return };
    let database = server.database();
    let service = start(&database.section()).await;
    let first = verify_until_it_fails(&service, &server, |number| {
        // What there is of files for its log is used up faster so.
        if number > 50 {
            server.try_sql(&database.name, "SELECT pg_switch_wal()");
        }
    });
    let first = first.await;
    assert!(first > 0, "nothing was accepted before");
    assert!(server.log().contains("No space left on device"), "{}", server.log());
    let mut failed = vec![first];
    for number in [first, first + 1, first] {
        assert_eq!(service.verify(&subject(number), &service.code(0)).await, 503, "{number}");
        failed.push(number);
    }
    assert_eq!(readiness(&service).await, 503);

    server.make_room();
    // It may come back by itself, or have given up, which is then for its operator.
    let down = Instant::now();
    while readiness(&service).await != 200 {
        if !server.is_up() {
            server.start_again();
        }
        assert!(down.elapsed() < PATIENCE, "not ready again:\n{}", server.log());
        sleep(Duration::from_millis(20)).await;
    }
    let accepted: Vec<_> = (0..first).collect();
    assert_accepted_once(&service, &accepted, &failed).await;
}
