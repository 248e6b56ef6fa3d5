//! Many accounts that verify right codes as fast as they can, each on connections of its own worker.

use crate::harness::installation::{Installation, Serving, code_at, device, now, step};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

const WORKERS: usize = 8;

/// A code that was answered 204.
pub(super) struct Accepted {
    pub(super) token: String,
    step: u64,
}

impl Accepted {
    pub(super) fn code(&self) -> String {
        code_at(self.step)
    }

    /// Whether the service would accept the code if it did not know that it is spent.
    pub(super) fn is_in_its_window(&self) -> bool {
        (step() - 1..=step() + 1).contains(&self.step)
    }
}

/// The lines of an import, and the accounts' tokens.
pub(super) fn accounts(installation: &Installation, name: &str, count: usize) -> Vec<String> {
    let subjects: Vec<_> = (0..count).map(|number| format!("{name}-{number}")).collect();
    installation.import(subjects.iter().map(|subject| device(subject)).collect::<String>());
    subjects.iter().map(|subject| installation.token(subject)).collect()
}

pub(super) struct Load {
    workers: JoinSet<Vec<Accepted>>,
    accepted: watch::Receiver<usize>,
}

impl Load {
    /// Each token's account verifies two codes, one after the other, until a request fails.
    pub(super) fn start(serving: &Arc<Serving>, tokens: &[String]) -> Self {
        let (count, accepted) = watch::channel(0);
        let mut workers = JoinSet::new();
        for tokens in tokens.chunks(tokens.len().div_ceil(WORKERS)) {
            workers.spawn(verify_until_it_fails(Arc::clone(serving), tokens.to_vec(), count.clone()));
        }
        Self { workers, accepted }
    }

    /// Returns when so many codes have been accepted.
    pub(super) async fn has_accepted(&mut self, goal: usize) {
        let reached = timeout(Duration::from_secs(30), self.accepted.wait_for(|count| *count >= goal)).await;
        reached.expect("the load takes too long").expect("the load is over too early");
    }

    pub(super) async fn over(self) -> Vec<Accepted> {
        self.workers.join_all().await.into_iter().flatten().collect()
    }
}

async fn verify_until_it_fails(
    serving: Arc<Serving>,
    tokens: Vec<String>,
    count: watch::Sender<usize>,
) -> Vec<Accepted> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut accepted = Vec::new();
    for token in tokens {
        // The next one, too: it is accepted already, and still is if the step ends before it arrives.
        let first = step();
        for step in [first, first + 1] {
            let body = json!({ "otp": code_at(step) });
            let Ok(response) = serving.try_verify_with(&client, &token, &body).await else { return accepted };
            assert_eq!(response.status(), 204, "a right code at {}", now());
            accepted.push(Accepted { token: token.clone(), step });
            count.send_modify(|count| *count += 1);
        }
    }
    accepted
}
