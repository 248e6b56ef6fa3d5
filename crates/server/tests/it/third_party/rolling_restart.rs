//! Three replicas behind haproxy are ended and started one after the other, as an upgrade does: nobody sees it.

use super::proxies::{Proxy, program};
use crate::harness::crowd::{Crowd, Target, answered};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving};
use crate::harness::postgres::PostgresServer;
use crate::harness::{is_long, tell};
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

const REPLICAS: usize = 3;
/// Their new codes, one each in 30 s, are more than the load takes at its pace.
const ACCOUNTS: usize = 9_000;
/// Milliseconds; some 250 requests a second.
const PACE: u64 = 30;
const VICTIMS: usize = 50;
const WORKERS: usize = 8;

/// Where a replica is and stays.
#[derive(Clone, Copy)]
struct Place {
    address: SocketAddr,
    management: SocketAddr,
}

impl Place {
    /// Nobody else takes what was free a moment ago: the kernel hands out others first.
    fn free() -> [Self; REPLICAS] {
        let listeners: Vec<_> =
            (0..2 * REPLICAS).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let address = |number: usize| listeners[number].local_addr().unwrap();
        std::array::from_fn(|replica| Self {
            address: address(2 * replica),
            management: address(2 * replica + 1),
        })
    }

    async fn serve(self, installation: &Installation) -> Serving {
        let mut command = installation.einmal(&["serve"]);
        command.env("EINMAL__HTTP__LISTEN", self.address.to_string());
        command.env("EINMAL__HTTP__MANAGEMENT_LISTEN", self.management.to_string());
        let serving = Serving::start(&mut command).await;
        serving.until_ready().await;
        serving
    }
}

/// As `deploy/ha` has it, but for how often it looks.
fn configuration(own: SocketAddr, places: &[Place]) -> String {
    let mut text = format!(
        "defaults\n  mode http\n  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n\
         frontend clients\n  bind {own}\n  default_backend einmal\n\
         backend einmal\n  balance leastconn\n  option httpchk GET /health/readiness\n\
         http-check expect status 200\n  timeout check 3s\n  option redispatch\n  retries 2\n\
         default-server inter 200ms fall 1 rise 1\n"
    );
    for (number, Place { address, management }) in places.iter().enumerate() {
        let port = management.port();
        writeln!(text, "  server einmal-{number} {address} check port {port}").unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_that_are_restarted_in_turn_behind_haproxy_lose_no_request_170() {
    let Some(program) = program("EINMAL_TEST_HAPROXY", "haproxy") else { return };
    let Some(server) = PostgresServer::shared() else { return };
    let installation = Installation::with(&format!("drain = \"1s\"\n{}", server.database().section())).await;
    let crowd = Crowd::of(installation.accounts("user", ACCOUNTS + VICTIMS));
    let places = Place::free();
    let mut replicas = Vec::new();
    for place in places {
        replicas.push(place.serve(&installation).await);
    }
    let proxy = Proxy::start(&program, &["-db", "-f", "proxy.conf"], |own| configuration(own, &places)).await;
    let target = Target { address: proxy.address, number: 0 };
    let began = crowd.history.now();
    crowd.walk(PACE);
    let load = crowd.load(target, 0..ACCOUNTS, WORKERS);
    crowd.has_accepted(100).await;
    let restarts = REPLICAS * if is_long() { 10 } else { 1 };
    for restart in 0..restarts {
        let replica = restart % REPLICAS;
        replicas.remove(replica).stop().await;
        replicas.insert(replica, places[replica].serve(&installation).await);
        crowd.guess(target, ACCOUNTS + restart % VICTIMS).await;
        crowd.has_accepted(100).await;
    }
    crowd.stop();
    load.join_all().await;
    let took = crowd.history.since(began);
    let replayed = crowd.replay(target, Duration::ZERO).await;
    assert!(replayed > 100, "{replayed}");
    let attempts = crowd.assert_lawful("rolling restarts");
    tell(&format!(
        "{restarts} restarts behind haproxy in {:.0} s: {} requests, {} codes accepted, {replayed} of them tried again and \
         refused; no other answer",
        took.as_secs_f64(),
        attempts.len(),
        answered(&attempts, Answer::Accepted),
    ));
}
