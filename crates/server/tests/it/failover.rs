//! The drill: one primary after the other is lost under load, in a set-up of its own (`deploy/ha`), and the recorded
//! history is judged. It takes root and minutes, so `scripts/failover-drill` runs it and nothing else does.

mod clients;
mod cluster;
mod report;

use crate::harness::history::{Answer, Outage, judge};
use clients::Clients;
use cluster::{Cluster, Loss};
use report::{Failover, Report};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Longer than Patroni's `ttl` and everything that follows it.
const LONGEST_GAP: Duration = Duration::from_secs(90);
/// By which every target answers 204 again when nothing is wrong any more.
const LONGEST_RECOVERY: Duration = Duration::from_mins(1);

struct Plan {
    directory: PathBuf,
    losses: Vec<Loss>,
    /// Of load before each loss.
    warm_up: Duration,
}

#[expect(clippy::disallowed_methods, reason = "asks the one who runs the drill, and not the service")]
fn plan() -> Option<Plan> {
    let given = |name: &str| std::env::var(format!("EINMAL_DRILL_{name}")).ok();
    let directory = given("DIRECTORY")?.into();
    let kinds = Loss::kinds(&given("KIND").expect("EINMAL_DRILL_KIND"));
    let count = given("FAILOVERS").and_then(|count| count.parse().ok()).expect("EINMAL_DRILL_FAILOVERS");
    let seconds = given("SECONDS").and_then(|count| count.parse().ok()).expect("EINMAL_DRILL_SECONDS");
    let losses = kinds.into_iter().cycle().take(count).collect();
    Some(Plan { directory, losses, warm_up: Duration::from_secs(seconds) })
}

/// Case 160 of the list, and case 4 along with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_is_accepted_twice_over_failovers_of_the_database_160() {
    let Some(plan) = plan() else {
        eprintln!("NOT RUN: the failover drill: scripts/failover-drill runs it");
        return;
    };
    let cluster = Cluster::start(plan.directory).await;
    let processes = cluster.replica_processes();
    let clients = Arc::new(Clients::new(&cluster).await);
    let load = tokio::spawn(Arc::clone(&clients).run());
    let mut failovers: Vec<Failover> = Vec::new();
    for loss in plan.losses {
        sleep(plan.warm_up).await;
        let failover = fail_over(&cluster, &clients, loss).await;
        eprintln!("{}", failover.progress());
        let is_over = failover.fault.is_some();
        failovers.push(failover);
        if is_over {
            break;
        }
    }
    sleep(plan.warm_up).await;
    clients.stop();
    timeout(LONGEST_RECOVERY, load).await.expect("requests end").unwrap();

    let attempts = clients.history.attempts();
    let outages: Vec<_> = failovers.iter().flat_map(|failover| failover.outages.iter().copied()).collect();
    let violations = judge(&attempts, &outages);
    let report = Report { attempts: &attempts, failovers: &failovers, violations: &violations };
    println!("{}", report.markdown());
    assert!(violations.is_empty(), "{} violations", violations.len());
    for failover in &failovers {
        assert_eq!(failover.fault, None);
        assert!(failover.replayed > 100, "only {} codes were still in their windows", failover.replayed);
    }
    assert_eq!(cluster.replica_processes(), processes, "einmal was restarted");
}

/// Takes the primary away, waits for the next one, tries everything again that might now be accepted again, repairs
/// what was broken, and tries again: a former primary that comes back is as dangerous as one that goes.
async fn fail_over(cluster: &Cluster, clients: &Arc<Clients>, loss: Loss) -> Failover {
    let from = clients.history.now();
    let mut failover = Failover::new(loss, from);
    let result = go_through(cluster, clients, &mut failover).await;
    failover.end = clients.history.now();
    if let Err(fault) = result {
        // What is broken stays so: whatever is unavailable from here on has its reason.
        let forever = |target| Outage { target, from, until: Duration::MAX };
        failover.outages = clients.targets().map(forever).collect();
        failover.fault = Some(fault);
    }
    failover.gap = longest_without_acceptance(clients, from, failover.end);
    failover
}

async fn go_through(
    cluster: &Cluster,
    clients: &Arc<Clients>,
    failover: &mut Failover,
) -> Result<(), String> {
    let (history, from) = (&clients.history, failover.from);
    let machine = cluster.lose_primary(failover.loss).await;
    failover.machine = machine;
    let promotion = timeout(LONGEST_GAP, cluster.has_primary_beside(machine)).await;
    promotion.map_err(|_| format!("no new primary after machine {machine} was lost"))?;
    let promoted = history.now();
    failover.promoted = promoted;
    // The einmal that was cut off along with the primary comes back when the network does.
    let reachable = |target: &usize| failover.loss != Loss::Cut || *target + 1 != machine;
    let (near, far): (Vec<_>, Vec<_>) = clients.targets().partition(reachable);
    let mut recovered = clients.accepted_again(&near, promoted, LONGEST_GAP).await?;
    failover.replayed += clients.replay().await;
    let repair = history.now();
    let (revived, replayed) = tokio::join!(cluster.revive(), clients.replay());
    failover.replayed += replayed;
    revived?;
    recovered.extend(clients.accepted_again(&far, repair, LONGEST_RECOVERY).await?);
    failover.replayed += clients.replay().await;
    failover.outages = recovered.into_iter().map(|(target, until)| Outage { target, from, until }).collect();
    Ok(())
}

/// Over all targets: for so long not one 204 arrived.
fn longest_without_acceptance(clients: &Clients, from: Duration, end: Duration) -> Duration {
    let attempts = clients.history.attempts();
    let accepted = attempts.iter().filter(|attempt| attempt.answer == Answer::Accepted);
    let mut times: Vec<_> = accepted.map(|attempt| attempt.ended).filter(|time| *time <= end).collect();
    times.push(end);
    times.sort();
    let during = times.windows(2).filter(|pair| pair[1] >= from);
    during.map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default()
}
