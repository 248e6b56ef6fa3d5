//! Clients that send right and wrong codes as fast as they are answered, over crashes and restarts, and of which every
//! answer goes into one history; and the judgement on it.

use super::history::{Answer, Asked, Attempt, CodeId, History, Outage, assert_lawful};
use super::installation::{code_at, step, wrong_code};
use reqwest::Client;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const CLIENT_TIMEOUT: Duration = Duration::from_secs(20);
const REPLAYS_AT_ONCE: usize = 16;
/// After a 503, and when no account has a code that was not sent.
const PAUSE: Duration = Duration::from_millis(5);

/// A service, and the number that it has in the history.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) number: usize,
}

/// Accounts by their tokens; all have the secret of [`super::installation::SECRET`].
pub(crate) struct Crowd {
    pub(crate) history: History,
    client: Client,
    tokens: Vec<String>,
    /// The last step of each account that was sent.
    sent: Vec<AtomicU64>,
    accepted: watch::Sender<usize>,
    has_stopped: AtomicBool,
    takes_500: AtomicBool,
    /// Milliseconds that a worker waits between two codes.
    pace: AtomicU64,
    outages: Mutex<Vec<Outage>>,
}

impl Crowd {
    pub(crate) fn of(tokens: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            history: History::new(),
            client: Client::builder().no_proxy().timeout(CLIENT_TIMEOUT).build().unwrap(),
            sent: tokens.iter().map(|_| AtomicU64::new(0)).collect(),
            tokens,
            accepted: watch::Sender::new(0),
            has_stopped: AtomicBool::new(false),
            takes_500: AtomicBool::new(false),
            pace: AtomicU64::new(0),
            outages: Mutex::default(),
        })
    }

    /// Sends a code by its digits.
    pub(crate) async fn send(&self, target: Target, asked: Asked, otp: String) -> Answer {
        let account = match asked {
            Asked::Right(code) | Asked::Stale(code) => code.account,
            Asked::Wrong { account } => account,
        };
        let request = self.client.post(format!("http://{}/user/2025-1/user/otp/verify", target.address));
        let request = request.bearer_auth(&self.tokens[account]).header("content-type", "application/json");
        let request = request.body(json!({ "otp": otp }).to_string());
        let answer = async {
            match request.send().await {
                Err(_) => Answer::Broken,
                Ok(response) if response.status() == 500 && self.takes_500.load(Ordering::Relaxed) => {
                    Answer::Unavailable
                }
                Ok(response) => Answer::of_response(&response),
            }
        };
        let answer = self.history.record(asked, target.number, answer).await;
        if answer == Answer::Accepted {
            self.accepted.send_modify(|count| *count += 1);
        }
        answer
    }

    pub(crate) async fn verify(&self, target: Target, code: CodeId) -> Answer {
        self.send(target, Asked::Right(code), code_at(code.step)).await
    }

    pub(crate) async fn guess(&self, target: Target, account: usize) -> Answer {
        self.send(target, Asked::Wrong { account }, wrong_code()).await
    }

    /// So many guesses at each of these accounts.
    pub(crate) async fn guess_at(&self, target: Target, accounts: Range<usize>, times: usize) {
        for account in accounts {
            for _ in 0..times {
                self.guess(target, account).await;
            }
        }
    }

    /// Guesses until it has to wait, which the judge wants to see soon enough.
    pub(crate) async fn guess_until_throttled(&self, target: Target, account: usize) {
        for _ in 0..10 {
            if self.guess(target, account).await == Answer::Throttled {
                return;
            }
        }
        panic!("account {account} is never throttled");
    }

    /// The current one, then the one after it, which are good for half a minute at least.
    pub(crate) fn next_code(&self, account: usize) -> Option<CodeId> {
        let now = step();
        let step = now.max(self.sent[account].load(Ordering::Relaxed) + 1);
        (step <= now + 1).then(|| {
            self.sent[account].store(step, Ordering::Relaxed);
            CodeId { account, step }
        })
    }

    /// Workers that verify new codes of these accounts until the target has gone, or until they are told to stop.
    pub(crate) fn load(
        self: &Arc<Self>,
        target: Target,
        accounts: Range<usize>,
        workers: usize,
    ) -> JoinSet<()> {
        let all: Vec<_> = accounts.collect();
        let mut running = JoinSet::new();
        for accounts in all.chunks(all.len().div_ceil(workers)) {
            let (crowd, accounts) = (Arc::clone(self), accounts.to_vec());
            running.spawn(async move { crowd.verify_until_it_is_gone(target, &accounts).await });
        }
        running
    }

    async fn verify_until_it_is_gone(&self, target: Target, accounts: &[usize]) {
        loop {
            for account in accounts {
                while let Some(code) = self.next_code(*account) {
                    match self.verify(target, code).await {
                        Answer::Broken => return,
                        Answer::Unavailable => sleep(PAUSE).await,
                        _ => {
                            let pace = self.pace.load(Ordering::Relaxed);
                            if pace > 0 {
                                sleep(Duration::from_millis(pace)).await;
                            }
                        }
                    }
                    if self.has_stopped.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
            if self.has_stopped.load(Ordering::Relaxed) {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// So that the codes of long loads do not run out: each worker waits so long between two.
    pub(crate) fn walk(&self, milliseconds: u64) {
        self.pace.store(milliseconds, Ordering::Relaxed);
    }

    /// Where the service may take the store for damaged, which is 500 and no more certain than 503.
    pub(crate) fn take_500_for_unknown(&self) {
        self.takes_500.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.has_stopped.store(true, Ordering::Relaxed);
    }

    /// Returns when so many more codes have been accepted.
    pub(crate) async fn has_accepted(&self, more: usize) {
        let mut accepted = self.accepted.subscribe();
        let goal = *accepted.borrow() + more;
        let reached = timeout(Duration::from_mins(1), accepted.wait_for(|count| *count >= goal)).await;
        reached.expect("the load takes too long").expect("we hold the sender");
    }

    /// Tries every code again that was tried since then and is or may be spent, if it is still in its window; how many
    /// were refused that would have been good.
    pub(crate) async fn replay(self: &Arc<Self>, target: Target, since: Duration) -> usize {
        let attempts = self.history.attempts();
        let codes: BTreeSet<_> = attempts
            .iter()
            .filter(|attempt| attempt.ended >= since)
            .filter(|attempt| attempt.answer == Answer::Accepted || attempt.answer.is_unknown())
            .filter_map(|attempt| match attempt.asked {
                Asked::Right(code) => is_in_its_window(code).then_some(code),
                _ => None,
            })
            .collect();
        let turns = Arc::new(Semaphore::new(REPLAYS_AT_ONCE));
        let mut replays = JoinSet::new();
        for code in codes {
            let (crowd, turns) = (Arc::clone(self), Arc::clone(&turns));
            replays.spawn(async move {
                let _turn = turns.acquire().await;
                let answer = crowd.verify(target, code).await;
                // Looked at afterwards: had it left its window by then, the answer would say nothing.
                usize::from(answer == Answer::Refused && is_in_its_window(code))
            });
        }
        replays.join_all().await.into_iter().sum()
    }

    /// Since then, and until now, this target may have been out of order.
    pub(crate) fn was_out(&self, target: usize, from: Duration) {
        let until = self.history.now();
        self.outages.lock().unwrap().push(Outage { target, from, until });
    }

    /// What the judge finds; the attempts, to be counted.
    pub(crate) fn assert_lawful(&self, what: &str) -> Vec<Attempt> {
        let attempts = self.history.attempts();
        assert_lawful(&attempts, &self.outages.lock().unwrap(), what);
        attempts
    }
}

/// How many of them were answered so.
pub(crate) fn answered(attempts: &[Attempt], answer: Answer) -> usize {
    attempts.iter().filter(|attempt| attempt.answer == answer).count()
}

fn is_in_its_window(code: CodeId) -> bool {
    (step() - 1..=step() + 1).contains(&code.step)
}
