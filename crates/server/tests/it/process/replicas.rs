//! One of three replicas on one PostgreSQL is killed, or ended, while codes are tried on all of them: the others go on as
//! if nothing had been, and no code is accepted twice.

use crate::harness::crowd::{Crowd, Target, answered};
use crate::harness::disk::Disk;
use crate::harness::history::{Answer, Asked, CodeId};
use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, now, step};
use crate::harness::is_long;
use crate::harness::postgres::PostgresServer;
use rustix::process::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const ACCOUNTS: usize = 40;
/// On each replica.
const TRIES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_is_killed_or_ended_in_a_race_changes_nothing_for_the_others_4() {
    let Some(server) = PostgresServer::shared() else { return };
    let installation = Installation::with(&server.database().section()).await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(installation.serve().await);
    }
    let mut unanswered = 0;
    for round in 0..if is_long() { 40 } else { 4 } {
        let crowd = Crowd::of(installation.accounts(&format!("user-{round}"), ACCOUNTS));
        let signal = if round % 2 == 0 { Signal::KILL } else { Signal::TERM };
        let victim = round % 3;
        early_in_a_step(10).await;
        let step = step();
        let began = crowd.history.now();
        race(&crowd, &replicas, step, || replicas[victim].program.signal(signal)).await;
        crowd.was_out(victim, began);
        let tried = crowd.history.attempts();
        unanswered += tried.iter().filter(|tried| tried.answer.is_unknown()).count();
        for account in 0..ACCOUNTS {
            let code = CodeId { account, step };
            let of = |answer: Answer| {
                tried
                    .iter()
                    .filter(|tried| tried.asked == Asked::Right(code) && tried.answer == answer)
                    .count()
            };
            // The one success may be one whose answer died with the victim.
            let (successes, is_lost) = (of(Answer::Accepted), of(Answer::Broken) > 0);
            assert!(successes == 1 || (is_lost && successes == 0), "round {round}: {successes} successes");
            let survivor = (victim + 1) % 3;
            let target = Target { address: replicas[survivor].address, number: survivor };
            assert_eq!(crowd.verify(target, code).await, Answer::Refused, "round {round}: it was spent");
        }
        crowd.assert_lawful(&format!("round {round}"));
        replicas[victim] = installation.serve().await;
    }
    assert!(unanswered > 0, "nothing was under way when a replica went");
}

/// All accounts' tries at once; `end` is called when a quarter has been answered.
async fn race(crowd: &Arc<Crowd>, replicas: &[Serving], step: u64, end: impl FnOnce()) {
    let (answered, mut progress) = watch::channel(0);
    let mut clients = JoinSet::new();
    for number in 0..ACCOUNTS * replicas.len() * TRIES {
        let (account, replica) = (number / (replicas.len() * TRIES), number % replicas.len());
        let target = Target { address: replicas[replica].address, number: replica };
        let (crowd, answered) = (Arc::clone(crowd), answered.clone());
        clients.spawn(async move {
            crowd.send(target, Asked::Right(CodeId { account, step }), code_at(step)).await;
            answered.send_modify(|answered| *answered += 1);
        });
    }
    let quarter = clients.len() / 4;
    progress.wait_for(|answered| *answered >= quarter).await.unwrap();
    end();
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_replicas_whose_clocks_are_20_s_apart_one_accepts_a_code_and_none_does_again_166() {
    let Some(server) = PostgresServer::shared() else { return };
    let installation = Installation::with(&server.database().section()).await;
    let (mut replicas, mut clocks) = (Vec::new(), Vec::new());
    for seconds in [-20, 0, 20] {
        let clock = Disk::under(installation.directory.path());
        clock.shift_clock(seconds);
        let mut command = installation.einmal(&["serve"]);
        clock.load_into(&mut command);
        replicas.push(Serving::start(&mut command).await);
        clocks.push(clock);
    }
    for (replica, seconds) in replicas.iter().zip([-20, 0, 20]) {
        replica.until_ready().await;
        let off = second_of_the_day(replica).await - i64::try_from(now() % DAY).unwrap();
        assert!((off - seconds).abs() <= 2, "its clock is {off} s off");
    }
    for round in 0..if is_long() { 40 } else { 5 } {
        let crowd = Crowd::of(installation.accounts(&format!("apart-{round}"), ACCOUNTS));
        early_in_a_step(10).await;
        let step = step();
        race(&crowd, &replicas, step, || ()).await;
        for (number, replica) in replicas.iter().enumerate() {
            crowd.replay(Target { address: replica.address, number }, Duration::ZERO).await;
        }
        let accepted = answered(&crowd.assert_lawful(&format!("round {round}")), Answer::Accepted);
        assert_eq!(accepted, ACCOUNTS, "round {round}: one for each account");
    }
}

const DAY: u64 = 24 * 3_600;

/// By the time that it writes on its answers.
async fn second_of_the_day(replica: &Serving) -> i64 {
    let answer = replica.try_verify("no token", "123456").await.unwrap();
    let date = answer.headers()["date"].to_str().unwrap().to_owned();
    let time = date.split_whitespace().nth(4).unwrap();
    time.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap())
}
