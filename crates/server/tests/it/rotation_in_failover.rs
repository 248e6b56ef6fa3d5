//! The worst of days: an issuer changes its keys in the very moment in which the database goes away, under load.

use crate::harness::is_long;
use crate::harness::issuer::{KEYS, SigningKey};
use crate::harness::postgres::PostgresServer;
use crate::harness::service::Service;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const ACCOUNTS: usize = 24;
/// A start of the database, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn subject(number: usize) -> String {
    format!("user-{number}")
}

/// Asks until it is answered anything but 503. Returns what it was answered, each once, and at last.
async fn until_answered(service: &Service, token: &str, code: &str) -> (BTreeSet<u16>, u16) {
    let started = Instant::now();
    let mut told = BTreeSet::new();
    loop {
        let request = service.request_with_token(token, &json!({ "otp": code }));
        let status = request.send().await.unwrap().status().as_u16();
        told.insert(status);
        if status != 503 {
            return (told, status);
        }
        assert!(started.elapsed() < PATIENCE, "does not recover");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn new_keys_of_the_issuer_while_the_database_is_lost_under_load_refuse_nobody_and_accept_nothing_twice_176()
 {
    let Some(mut server) = PostgresServer::start("") else { return };
    let service = Arc::new(Service::start_with(&server.database().section()).await);
    for number in 0..ACCOUNTS {
        service.provision_device(&subject(number)).await;
    }
    let new_key = SigningKey::new("ES256", Some("new"));
    for round in 0..if is_long() { 5 } else { 1 } {
        let (first, next) = (service.code(0), service.code(1));
        let old_key = if round == 0 { &service.key } else { &new_key };
        let old_token = |number| old_key.token(&service.claims(&subject(number)));
        for number in 0..ACCOUNTS {
            assert_eq!(until_answered(&service, &old_token(number), &first).await.1, 204, "round {round}");
        }
        // Half a minute in which no key set was fetched, as everybody's token was good.
        service.clock.advance(31);
        let fetched = service.issuer.count(KEYS);
        let kid = format!("new-{round}");
        let key = Arc::new(SigningKey::new("ES256", Some(kid.leak())));
        let may_go = Arc::new(Semaphore::new(0));
        let mut asking = JoinSet::new();
        for number in 0..ACCOUNTS {
            let (service, key, next) = (Arc::clone(&service), Arc::clone(&key), next.clone());
            let may_go = Arc::clone(&may_go);
            asking.spawn(async move {
                let token = key.token(&service.claims(&subject(number)));
                may_go.acquire().await.unwrap().forget();
                (number, token.clone(), until_answered(&service, &token, &next).await)
            });
        }
        // A few are under way when it happens, and the rest comes after it.
        service.issuer.publish(&[&key]);
        may_go.add_permits(ACCOUNTS / 3);
        server.kill();
        may_go.add_permits(ACCOUNTS);
        server.start_again();
        let mut lost = 0;
        for (number, token, (told, last)) in asking.join_all().await {
            // One that was told 503 may have spent its code.
            let expected: &[u16] = if told.contains(&503) { &[204, 404] } else { &[204] };
            assert!(expected.contains(&last), "round {round}, {number}: {told:?}");
            assert!(told.iter().all(|status| [204, 404, 503].contains(status)), "round {round}: {told:?}");
            lost += usize::from(told.contains(&503));
            for code in [&first, &next] {
                assert_eq!(until_answered(&service, &token, code).await.1, 404, "round {round}: it is spent");
            }
        }
        assert!(lost > 0, "nobody noticed that the database was gone");
        assert_eq!(service.issuer.count(KEYS), fetched + 1, "one fetch for all");
        let withdrawn = until_answered(&service, &old_token(0), &service.code(2)).await.1;
        assert_eq!(withdrawn, 401, "round {round}");
        service.issuer.publish(&[&key, &new_key]);
        service.clock.advance(61);
        let refetch = new_key.token(&service.claims(&subject(0)));
        assert_eq!(until_answered(&service, &refetch, "000000").await.1, 404);
    }
}
