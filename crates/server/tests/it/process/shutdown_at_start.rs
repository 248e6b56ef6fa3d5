//! The end of a service that has not heard of all its issuers yet: it answers already, and so it finishes what it was asked.

use crate::harness::installation::{Installation, SECRET, code_at, step};
use crate::harness::issuer::{Answer, Issuer, KEYS, SigningKey};
use crate::harness::program::{PATIENCE, Program, Run};
use crate::http::client::{Client, within_patience};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// A service that knows one of its issuers, and asks another one.
struct Starting {
    site: Installation,
    other: Issuer,
    program: Program,
    address: SocketAddr,
}

impl Starting {
    async fn with(answer: Answer) -> Self {
        let site = Installation::new().await;
        let other = Issuer::start(&[&SigningKey::new("EdDSA", Some("other"))]).await;
        other.answer(&other.discovery_path(), answer);
        // It says where it listens when it has heard of all issuers.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!(
            "[keyring]\nfile = \"einmal.keys\"\n\
             [[issuers]]\nname = \"main\"\nissuer = \"{}\"\naudiences = [\"einmal\"]\n\
             [[issuers]]\nname = \"other\"\nissuer = \"{}\"\naudiences = [\"einmal\"]\n\
             [http]\nlisten = \"{address}\"\nmanagement_listen = \"127.0.0.1:0\"\ndrain = \"0s\"\n",
            site.issuer.url(),
            other.url(),
        );
        fs::write(site.path("einmal.toml"), text).unwrap();
        site.import(format!(
            "{}\n",
            json!({ "id": "alice", "issuer": "main",
                    "deviceTotps": [{ "secret": SECRET }] })
        ));
        let program = Program::start(&mut site.einmal(&["serve"]));
        let deadline = Instant::now() + PATIENCE;
        while other.requests().is_empty() || site.issuer.count(KEYS) == 0 {
            assert!(Instant::now() < deadline, "the issuers are not asked: {}", program.stdout());
            sleep(Duration::from_millis(5)).await;
        }
        Self { site, other, program, address }
    }

    /// Sends half of a request, and the rest when the service closes what is idle.
    async fn asked(&self, end: impl FnOnce(&Self)) -> Option<u16> {
        let mut idle = Client::connect(self.address).await;
        assert_eq!(idle.request("GET /docs/errors HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
        let body = json!({ "otp": code_at(step()) }).to_string();
        let request = format!(
            "POST /user/2025-1/user/otp/verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.site.token("alice"),
            body.len()
        );
        let (begun, rest) = request.split_at(30);
        let mut client = Client::connect(self.address).await;
        client.send(begun).await;
        end(self);
        assert!(idle.is_closed().await);
        client.try_request(rest).await.map(|answer| answer.status)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_finished_though_the_signal_comes_before_all_issuers_have_answered() {
    let starting = Starting::with(Answer::Silent).await;
    let status = starting.asked(|starting| starting.program.signal(Signal::TERM)).await;
    assert_eq!(status, Some(204), "{}", starting.program.stdout());
    let Run { code, stdout, .. } = within_patience("the end", starting.program.ended()).await;
    assert_eq!(code, Some(0), "{stdout}");
    assert!(!stdout.contains("\"serving\""), "nobody is told to come: {stdout}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_finished_though_the_start_fails_for_an_issuer_that_contradicts() {
    let lie =
        Answer::Json(json!({ "issuer": "http://localhost/somebody-else", "jwks_uri": "http://localhost/" }));
    let starting = Starting::with(Answer::Held(Box::new(lie))).await;
    let status = starting.asked(|starting| starting.other.release()).await;
    assert_eq!(status, Some(204), "{}", starting.program.stdout());
    let Run { code, stderr, .. } = within_patience("the end", starting.program.ended()).await;
    assert!(code != Some(0) && stderr.contains("somebody-else"), "{stderr}");
}
