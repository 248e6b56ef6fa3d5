//! One of three replicas on one PostgreSQL is killed, or ended, while codes are tried on all of them: the others go on as
//! if nothing had been, and no code is accepted twice.

use crate::harness::installation::{Installation, Serving, code_at, device, early_in_a_step, step};
use crate::harness::is_long;
use crate::harness::postgres::PostgresServer;
use rustix::process::Signal;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

const ACCOUNTS: usize = 40;
/// On each replica.
const TRIES: usize = 4;

#[derive(Debug)]
struct Tried {
    account: usize,
    replica: usize,
    /// `None` if the replica was gone before it had answered.
    status: Option<u16>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_is_killed_or_ended_in_a_race_changes_nothing_for_the_others_4() {
    let Some(server) = PostgresServer::shared() else { return };
    let installation = Installation::with(&server.database().section()).await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Arc::new(installation.serve().await));
    }
    let mut unanswered = 0;
    for round in 0..if is_long() { 40 } else { 4 } {
        let subjects: Vec<_> = (0..ACCOUNTS).map(|number| format!("user-{round}-{number}")).collect();
        installation.import(subjects.iter().map(|subject| device(subject)).collect::<String>());
        let tokens: Vec<_> = subjects.iter().map(|subject| installation.token(subject)).collect();
        let signal = if round % 2 == 0 { Signal::KILL } else { Signal::TERM };
        let victim = round % 3;
        early_in_a_step(10).await;
        let code = code_at(step());
        let tried = race(&replicas, &tokens, &code, || replicas[victim].program.signal(signal)).await;
        unanswered += tried.iter().filter(|tried| tried.status.is_none()).count();
        for tried in &tried {
            let is_right = match tried.status {
                None => tried.replica == victim,
                Some(status) => status == 204 || status == 404,
            };
            assert!(is_right, "round {round}: {tried:?}");
        }
        for (account, token) in tokens.iter().enumerate() {
            let is_success = |tried: &&Tried| tried.account == account && tried.status == Some(204);
            let successes = tried.iter().filter(is_success).count();
            // The one success may be one whose answer died with the victim.
            let is_lost = tried.iter().any(|tried| tried.account == account && tried.status.is_none());
            assert!(successes == 1 || (is_lost && successes == 0), "round {round}: {successes} successes");
            let survivor = &replicas[(victim + 1) % 3];
            assert_eq!(survivor.verify(token, &code).await, 404, "round {round}: it was spent");
        }
        replicas[victim] = Arc::new(installation.serve().await);
    }
    assert!(unanswered > 0, "nothing was under way when a replica went");
}

/// All accounts' tries at once; `end` is called when a quarter has been answered.
async fn race(replicas: &[Arc<Serving>], tokens: &[String], code: &str, end: impl FnOnce()) -> Vec<Tried> {
    let (answered, mut progress) = watch::channel(0);
    let mut clients = JoinSet::new();
    for number in 0..tokens.len() * replicas.len() * TRIES {
        let (account, replica) = (number / (replicas.len() * TRIES), number % replicas.len());
        let (serving, answered) = (Arc::clone(&replicas[replica]), answered.clone());
        let (token, code) = (tokens[account].clone(), json!({ "otp": code }));
        clients.spawn(async move {
            let answer = serving.try_verify_with(&serving.client, &token, &code).await;
            answered.send_modify(|answered| *answered += 1);
            Tried { account, replica, status: answer.ok().map(|answer| answer.status().as_u16()) }
        });
    }
    let quarter = clients.len() / 4;
    progress.wait_for(|answered| *answered >= quarter).await.unwrap();
    end();
    clients.join_all().await
}
