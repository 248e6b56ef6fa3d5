//! A connection of somebody else's to a database of the tests.

use crate::harness::postgres::{Database, PostgresServer};
use einmal::store::StoreError;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

/// Stays open for as long as it is held.
pub(super) async fn connect(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Polls until the database answers `t`.
pub(super) async fn until(server: &PostgresServer, database: &Database, question: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.sql(&database.name, question) != "t" {
        assert!(Instant::now() < deadline, "never: {question}\n{}", server.log());
        sleep(Duration::from_millis(10)).await;
    }
}

/// Asks until it is answered, which must be within 5 s, and returns the answer.
pub(super) async fn recovered<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, StoreError>>,
{
    let started = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(5), "does not recover: {error}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}
