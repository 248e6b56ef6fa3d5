//! Clients that do not wait for each other: so many requests a second, whatever becomes of them, over three einmal and
//! the proxy in front. Everything goes into the history.

use super::cluster::Cluster;
use crate::harness::history::{Answer, Asked, CodeId, History};
use crate::harness::installation::{code_at, device, step, wrong_code};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const REQUESTS_PER_SECOND: u64 = 200;
/// Each has one new code every 30 s, so that right ones do not run out.
const ACCOUNTS: usize = 8_000;
/// Have wrong codes only: what becomes of them must not throttle the others.
const WRONG_ACCOUNTS: usize = 1_000;
/// One in so many requests has a wrong code, and so many are tried again at once on another replica.
const WRONG_SHARE: u64 = 20;
const REPEATED_SHARE: u64 = 5;
const CLIENT_TIMEOUT: Duration = Duration::from_secs(20);
const REPLAYS_AT_ONCE: usize = 16;

pub(super) struct Clients {
    pub(super) history: History,
    client: reqwest::Client,
    urls: Vec<String>,
    tokens: Vec<String>,
    /// The last step of each account that was sent.
    sent: Vec<AtomicU64>,
    has_stopped: AtomicBool,
}

impl Clients {
    pub(super) async fn new(cluster: &Cluster) -> Self {
        let subjects: Vec<_> =
            (0..ACCOUNTS + WRONG_ACCOUNTS).map(|number| format!("user-{number}")).collect();
        cluster.import(subjects.iter().map(|subject| device(subject)).collect()).await;
        Self {
            history: History::new(),
            client: reqwest::Client::builder().no_proxy().timeout(CLIENT_TIMEOUT).build().unwrap(),
            urls: cluster.urls(),
            tokens: subjects.iter().map(|subject| cluster.token(subject)).collect(),
            sent: subjects.iter().map(|_| AtomicU64::new(0)).collect(),
            has_stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn targets(&self) -> std::ops::Range<usize> {
        0..self.urls.len()
    }

    pub(super) fn stop(&self) {
        self.has_stopped.store(true, Ordering::Relaxed);
    }

    /// Returns when the last request that was sent has its answer.
    pub(super) async fn run(self: Arc<Self>) {
        let mut requests = JoinSet::new();
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(REQUESTS_PER_SECOND).unwrap());
        // What the load generator was late with, it sends all the same.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut accounts = (0..ACCOUNTS).cycle();
        for number in 0_u64.. {
            ticks.tick().await;
            if self.has_stopped.load(Ordering::Relaxed) {
                break;
            }
            while requests.try_join_next().is_some_and(|request| request.is_ok()) {}
            let clients = Arc::clone(&self);
            if number.is_multiple_of(WRONG_SHARE) {
                requests.spawn(async move { clients.send_wrong(number).await });
            } else {
                let code = accounts.by_ref().take(ACCOUNTS).find_map(|account| self.next_code(account));
                let code = code.expect("the accounts have run out of codes");
                requests.spawn(async move { clients.send_right(number, code).await });
            }
        }
        requests.join_all().await;
    }

    /// Unless the account has sent it. Good for a whole step at least: half of the accounts are ahead by a step.
    fn next_code(&self, account: usize) -> Option<CodeId> {
        let step = step() + u64::from(account.is_multiple_of(2));
        (self.sent[account].swap(step, Ordering::Relaxed) < step).then_some(CodeId { account, step })
    }

    async fn send_right(&self, number: u64, code: CodeId) {
        let target = self.target(number);
        self.send_code(target, code).await;
        if number.is_multiple_of(REPEATED_SHARE) {
            self.send_code((target + 1) % self.urls.len(), code).await;
        }
    }

    async fn send_wrong(&self, number: u64) {
        let index = usize::try_from(number / WRONG_SHARE).unwrap();
        let account = ACCOUNTS + index % WRONG_ACCOUNTS;
        let target = self.target(index.try_into().unwrap());
        self.send(target, account, Asked::Wrong { account }, wrong_code()).await;
    }

    fn target(&self, number: u64) -> usize {
        usize::try_from(number).unwrap() % self.urls.len()
    }

    async fn send_code(&self, target: usize, code: CodeId) -> Answer {
        self.send(target, code.account, Asked::Right(code), code_at(code.step)).await
    }

    async fn send(&self, target: usize, account: usize, asked: Asked, otp: String) -> Answer {
        let request = self.client.post(format!("{}/user/2025-1/user/otp/verify", self.urls[target]));
        let request = request.bearer_auth(&self.tokens[account]).header("content-type", "application/json");
        let request = request.body(json!({ "otp": otp }).to_string());
        let answer = async {
            let answer = request.send().await;
            answer.map_or(Answer::Broken, |response| Answer::of_response(&response))
        };
        self.history.record(asked, target, answer).await
    }

    /// When each of these targets first answered 204 to a request that was sent after this time.
    pub(super) async fn accepted_again(
        &self,
        targets: &[usize],
        after: Duration,
        patience: Duration,
    ) -> Result<Vec<(usize, Duration)>, String> {
        let deadline = Instant::now() + patience;
        loop {
            let attempts = self.history.attempts();
            let mut good: Vec<_> =
                attempts.iter().filter(|attempt| attempt.answer == Answer::Accepted).collect();
            good.retain(|attempt| attempt.started > after);
            let first = |target: &usize| {
                let own = good.iter().filter(|attempt| attempt.target == *target);
                Some((*target, own.map(|attempt| attempt.ended).min()?))
            };
            if let Some(all) = targets.iter().map(first).collect() {
                return Ok(all);
            }
            if Instant::now() > deadline {
                return Err(format!("of targets {targets:?} not all have recovered"));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Tries every code again that was accepted, or may have been, and is still in its window; how many were.
    pub(super) async fn replay(self: &Arc<Self>) -> usize {
        let attempts = self.history.attempts();
        let tried = attempts.iter().filter_map(|attempt| match attempt.asked {
            Asked::Right(code) if attempt.answer == Answer::Accepted || attempt.answer.is_unknown() => {
                Some(code)
            }
            _ => None,
        });
        let codes: BTreeSet<_> = tried.filter(|code| is_in_its_window(*code)).collect();
        let turns = Arc::new(Semaphore::new(REPLAYS_AT_ONCE));
        let mut replays = JoinSet::new();
        for (number, code) in codes.into_iter().enumerate() {
            let (clients, turns) = (Arc::clone(self), Arc::clone(&turns));
            replays.spawn(async move {
                let _turn = turns.acquire().await;
                let answer = clients.send_code(number % clients.urls.len(), code).await;
                // Looked at afterwards: had it left its window by then, the answer would say nothing.
                usize::from(answer == Answer::Refused && is_in_its_window(code))
            });
        }
        replays.join_all().await.into_iter().sum()
    }
}

fn is_in_its_window(code: CodeId) -> bool {
    (step() - 1..=step() + 1).contains(&code.step)
}
