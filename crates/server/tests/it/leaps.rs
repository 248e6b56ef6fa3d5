//! The clock leaps while codes are verified: no code is accepted twice, no step after a later one, what has expired does
//! not come back, and nobody who was not there pays for it.

use crate::harness::history::{self, Answer, Asked, CodeId, History};
use crate::harness::seed::Seed;
use crate::harness::service::Service;
use crate::harness::wire::{JSON, request};
use crate::harness::{is_long, tell};
use crate::http::client::Client;
use einmal::clock::Clock;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PERIOD: u64 = 30;
const WORKERS: usize = 8;
/// New ones come with each leap: those that were served in the future wait for it.
const ACCOUNTS_EACH: usize = 40;
/// Seconds; more of them forth than back, by chance.
const LEAPS: [i64; 8] = [3_600, -3_600, 30, -30, 30, 60, -3_600, 3_600];

struct Site {
    service: Service,
    history: History,
    /// How many there are.
    accounts: AtomicUsize,
    is_over: AtomicBool,
}

impl Site {
    /// Tokens outlast every leap.
    fn request(&self, account: usize, code: &str) -> Vec<u8> {
        let lasting = json!({ "exp": self.service.clock.now().seconds() + 1_000_000 });
        let token = self.service.token_with(&subject(account), &lasting);
        let headers = [JSON, &format!("Authorization: Bearer {token}")];
        request("POST /user/2025-1/user/otp/verify", &headers, json!({ "otp": code }).to_string().as_bytes())
    }

    /// The code of the moment, and at once again, over and over.
    async fn verify_until_it_is_over(self: Arc<Self>, worker: usize) {
        let mut client = Client::connect(self.service.running.address).await;
        let mut seed = Seed::new(worker as u64);
        while !self.is_over.load(Ordering::Relaxed) {
            let account =
                usize::try_from(seed.next() % self.accounts.load(Ordering::Relaxed) as u64).unwrap();
            let step = self.service.clock.now().seconds() / PERIOD;
            // It may leap in between: then these are digits of another step, and the next look tells.
            let code = self.service.code(0);
            if self.service.clock.now().seconds() / PERIOD != step {
                continue;
            }
            for _ in 0..2 {
                let started = self.history.now();
                let answer = client.request(self.request(account, &code)).await;
                let told = Answer::of(answer.status, answer.header("retry-after").is_some());
                self.history.note(Asked::Stale(CodeId { account, step }), 0, started, told);
            }
        }
    }

    async fn has_accepted(&self, more: usize) {
        let accepted = || {
            let attempts = self.history.attempts();
            attempts.iter().filter(|attempt| attempt.answer == Answer::Accepted).count()
        };
        let goal = accepted() + more;
        timeout(Duration::from_mins(1), async {
            while accepted() < goal {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("nothing is accepted any more");
    }
}

fn subject(account: usize) -> String {
    format!("user-{account}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_the_clock_leaps_under_load_no_code_is_accepted_twice_164() {
    let service = Service::start().await;
    let site = Arc::new(Site {
        service,
        history: History::new(),
        accounts: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let grow = async || {
        let there = site.accounts.load(Ordering::Relaxed);
        for account in there..there + ACCOUNTS_EACH {
            site.service.provision_device(&subject(account)).await;
        }
        site.accounts.store(there + ACCOUNTS_EACH, Ordering::Relaxed);
    };
    grow().await;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(Arc::clone(&site).verify_until_it_is_over(worker));
    }
    let leaps = if is_long() { 200 } else { 16 };
    for leap in LEAPS.into_iter().cycle().take(leaps) {
        site.has_accepted(ACCOUNTS_EACH / 2).await;
        if leap > 0 {
            site.service.clock.advance(leap.unsigned_abs());
        } else {
            site.service.clock.set_back(leap.unsigned_abs());
        }
        // Whoever was not touched in the future works at once.
        grow().await;
    }
    site.has_accepted(ACCOUNTS_EACH / 2).await;
    site.is_over.store(true, Ordering::Relaxed);
    workers.join_all().await;
    let attempts = site.history.attempts();
    history::assert_lawful(&attempts, &[], "under a leaping clock");
    let count = |answer| attempts.iter().filter(|attempt| attempt.answer == answer).count();
    tell(&format!(
        "{leaps} leaps of the clock under load: {} codes accepted, none twice; {} attempts refused, {} not looked at",
        count(Answer::Accepted),
        count(Answer::Refused),
        count(Answer::Throttled),
    ));
}

#[tokio::test]
async fn after_a_leap_that_is_undone_what_expired_stays_so_and_who_was_there_waits_164() {
    let service = Service::start().await;
    for subject in ["touched", "untouched"] {
        service
            .provision(&json!({ "id": subject, "pin": "8299",
            "deviceTotps": [{ "secret": crate::harness::service::SECRET }] }))
            .await;
    }
    let lasting = json!({ "exp": service.clock.now().seconds() + 1_000_000 });
    let token = service.token_with("touched", &lasting);
    let create = service.create_request("touched", json!({ "pin": "8299" }).to_string());
    let created = service.send(create).await.otp();
    let verify = async |otp: &str, types: &[&str]| {
        let body = json!({ "otp": otp, "types": types });
        service.request_with_token(&token, &body).send().await.unwrap().status().as_u16()
    };
    service.clock.advance(3_600);
    assert_eq!(verify(&created, &["account"]).await, 404, "expired");
    assert_eq!(verify(&service.code(0), &["device-totp"]).await, 204);
    service.clock.set_back(3_600);
    assert_eq!(verify(&created, &["account"]).await, 404, "and it does not come back");
    assert_eq!(verify(&service.code(0), &["device-totp"]).await, 404, "until time passes its last step");
    assert_eq!(service.verify("untouched", &service.code(0)).await, 204, "at once");
    service.clock.advance(3_630);
    assert_eq!(verify(&service.code(0), &["device-totp"]).await, 204, "when time has passed its last step");
}
