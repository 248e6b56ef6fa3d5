//! One measurement: a server is started, warmed up, loaded and stopped. Whatever is answered otherwise than it must be
//! ends the whole run.

use crate::clock::StepClock;
use crate::load::answer::Expected;
use crate::load::{Load, Pacing, Percentiles, Source, Until};
use crate::page_cache;
use crate::population::{CREATORS, EPOCH_SECONDS, PIN, Population, STEP_SECONDS, hot_account, totp};
use crate::requests::{Codes, Repeated, TokenUse, VerifyRequests, write_verify, wrong_code};
use crate::server::Kind;
use crate::server::process::{ServerProcess, Usage, follow, usage};
use crate::settings::{self, Engine};
use crate::tokens::SigningAlgorithm;
use crate::workbench::{Backend, Workbench};
use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Ceiling (a)
    Answers,
    /// Ceiling (b)
    Tokens,
    Einmal {
        backend: Backend,
        replicas: usize,
    },
}

/// What else goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    Nothing,
    /// Eight connections guess at one account.
    HotAccount,
    /// 64 connections create codes against a PIN.
    Hashing,
}

#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub accounts: u64,
    pub algorithm: SigningAlgorithm,
    pub uses: TokenUse,
    pub codes: Codes,
    pub connections: usize,
    pub beside: Beside,
    pub is_cold: bool,
    pub log_level: &'static str,
}

impl Workload {
    pub const fn new(uses: TokenUse) -> Self {
        Self {
            accounts: 100_000,
            algorithm: SigningAlgorithm::Rs256,
            uses,
            codes: Codes::Right,
            connections: 64,
            beside: Beside::Nothing,
            is_cold: false,
            log_level: "info",
        }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    pub per_second: f64,
    pub answered: u64,
    /// Less than was asked for where there was nothing left to send.
    pub seconds: f64,
    pub latency_ms: Percentiles,
    /// Of the server alone, without the kernel's work for others.
    pub server_cpu_us: f64,
    pub load_cpu_us: f64,
    pub resident_bytes: u64,
    /// Answers a second to what went on beside.
    pub beside_per_second: f64,
}

/// Requests with new tokens before anything is measured. Of few tokens, some are left for that.
pub fn warm_up(bench: &Workbench) -> u64 {
    2_000.min(bench.scale.fresh_tokens / 4)
}

/// Closed loop, or open loop at so many a second.
pub fn take(bench: &mut Workbench, server: Server, workload: &Workload, rate: Option<f64>) -> Result<Sample> {
    let (pool, active) = match workload.uses {
        TokenUse::Fresh => bench.fresh(workload.algorithm, workload.accounts)?,
        TokenUse::Seen => bench.seen(workload.algorithm, workload.accounts)?,
    };
    let active = match workload.uses {
        // Each token belongs to one of exactly so many.
        TokenUse::Fresh => active,
        TokenUse::Seen => active - active % workload.connections as u64,
    };
    let totps = bench.totps(active)?;
    let started = Started::new(bench, server, workload)?;
    let kinds = (workload.uses, workload.codes);
    let mut verify = VerifyRequests::new((pool, active), totps, kinds, started.clock, workload.connections);
    let (mut beside, connections) = beside(bench, workload, started.first_step)?;
    let addresses: Vec<_> = started.servers.iter().map(|server| server.address).collect();
    let mut load = Load::connect(&addresses, &[workload.connections, connections])?;
    let mut sources: [&mut dyn Source; 2] = [&mut verify, &mut beside];
    let warm_up = match (workload.is_cold, workload.uses) {
        (true, _) => 0,
        (false, TokenUse::Fresh) => warm_up(bench),
        (false, TokenUse::Seen) => active,
    };
    if warm_up > 0 {
        load.run(&mut sources, &[Pacing::Closed, Pacing::Idle], Until::Answered(warm_up))?;
    }
    let pids: Vec<_> = started.servers.iter().map(ServerProcess::pid).collect();
    let pacing = rate.map_or(Pacing::Closed, |per_second| Pacing::Open { per_second });
    measure(&mut load, &mut sources, &[pacing, Pacing::Closed], &pids, bench.scale.seconds)
}

/// One phase, with what it costs the servers and the load.
pub fn measure(
    load: &mut Load,
    sources: &mut [&mut dyn Source],
    pacings: &[Pacing],
    servers: &[u32],
    seconds: f64,
) -> Result<Sample> {
    let (before, own_before) = (usage_of_all(servers), cpu_of_load());
    let measured = load.run(sources, pacings, Until::After(Duration::from_secs_f64(seconds)))?;
    let (after, own_after) = (usage_of_all(servers), cpu_of_load());
    if measured.answered == 0 {
        bail!("nothing was left to send after the warm-up: more tokens are needed (--tokens)");
    }
    #[expect(clippy::cast_precision_loss, reason = "a run has fewer than 2^52 requests")]
    let (answered, beside) = (measured.answered as f64, measured.beside as f64);
    let each = |seconds: f64| seconds * 1_000_000.0 / answered.max(1.0);
    Ok(Sample {
        per_second: answered / measured.seconds,
        answered: measured.answered,
        seconds: measured.seconds,
        latency_ms: measured.latency.percentiles(),
        server_cpu_us: each(after.cpu_seconds - before.cpu_seconds),
        load_cpu_us: each(own_after - own_before),
        resident_bytes: after.resident_bytes,
        beside_per_second: beside / measured.seconds,
    })
}

fn usage_of_all(servers: &[u32]) -> Usage {
    servers.iter().map(|pid| usage(*pid)).fold(Usage::default(), |all, one| Usage {
        cpu_seconds: all.cpu_seconds + one.cpu_seconds,
        resident_bytes: all.resident_bytes + one.resident_bytes,
    })
}

fn cpu_of_load() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(used).map(|used| used.as_secs_f64()).unwrap_or_default()
}

/// Servers that answer.
struct Started {
    servers: Vec<ServerProcess>,
    clock: StepClock,
    first_step: u64,
}

impl Started {
    fn new(bench: &mut Workbench, server: Server, workload: &Workload) -> Result<Self> {
        let (key_set, profiler) = (bench.key_set.clone(), bench.profiler.clone());
        let (kind, backend, replicas) = match server {
            Server::Answers => (Kind::Answers, None, 1),
            Server::Tokens => (Kind::Tokens, None, 1),
            Server::Einmal { backend, replicas } => (Kind::Einmal, Some(backend), replicas),
        };
        let Some(backend) = backend else {
            let directory = bench.directory.join("ceiling");
            fs::create_dir_all(&directory)?;
            let config = settings::write(&directory, &Engine::Sqlite, &key_set, workload.log_level)?;
            let first_step = EPOCH_SECONDS / STEP_SECONDS;
            let servers = vec![ServerProcess::start(kind, &config, first_step, &profiler)?];
            return Ok(Self { servers, clock: StepClock::free(first_step), first_step });
        };
        let population = bench.population(backend, workload.accounts)?;
        let config =
            settings::write(&population.directory, &population.engine, &key_set, workload.log_level)?;
        let first_step = population.reserve_steps()?;
        if workload.is_cold {
            make_cold(&population)?;
        }
        let start = |_| ServerProcess::start(kind, &config, first_step + 1, &profiler);
        let servers: Vec<_> = (0..replicas).map(start).collect::<Result<_>>()?;
        let reached = Arc::new(AtomicU64::new(first_step + 1));
        let orders = follow(&servers, Arc::clone(&reached))?;
        Ok(Self { servers, clock: StepClock::injected(first_step, reached, orders), first_step })
    }
}

fn make_cold(population: &Population) -> Result<()> {
    page_cache::drop_files(&population.files()).context("emptying the page cache")
}

/// The second group's requests, and on how many connections.
fn beside(bench: &Workbench, workload: &Workload, step: u64) -> Result<(Repeated, usize)> {
    let accounts = workload.accounts;
    Ok(match workload.beside {
        Beside::Nothing => (Repeated { requests: Vec::new(), expected: Expected::Status(0) }, 0),
        Beside::HotAccount => {
            let mut request = Vec::new();
            let code = wrong_code(&totp(hot_account(accounts))?, step);
            write_verify(&mut request, &bench.token_of_hot_account(accounts)?, code.as_str());
            (Repeated { requests: vec![request], expected: Expected::Status(404) }, 8)
        }
        Beside::Hashing => {
            let request = |number| {
                let (token, body) =
                    (bench.token_of_creator(accounts, number)?, format!("{{\"pin\":\"{PIN}\"}}"));
                let text = format!(
                    "POST /user/2025-1/user/otp HTTP/1.1\r\nhost: otp.example.com\r\nauthorization: Bearer {token}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                Ok(text.into_bytes())
            };
            let requests = (0..CREATORS).map(request).collect::<Result<_>>()?;
            (Repeated { requests, expected: Expected::Status(201) }, usize::try_from(CREATORS)?)
        }
    })
}
