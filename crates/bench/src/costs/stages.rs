//! What is counted: each stage alone, then a whole request. Runs under callgrind, which keeps what lies between two
//! boundaries apart.

use super::configuration;
use crate::population::{EPOCH_SECONDS, STEP_SECONDS, provisioned, totp};
use crate::requests::write_verify;
use crate::server::ToldClock;
use crate::tokens::{SigningAlgorithm, SigningKey, TokenPool};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use einmal::accounts::Accounts;
use einmal::auth::TokenVerifier;
use einmal::clock::Clock;
use einmal::entropy::SystemEntropy;
use einmal::http::{DEFAULT_DRAIN, Shutdown};
use einmal::{run, telemetry};
use einmal_core::account::{Account, OtpTypes, Verification};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::hint::black_box;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Each is asked once in a stage, and once before it, so that nothing happens for the first time.
pub(super) const ACCOUNTS: u64 = 256;
/// Four rounds with a new token each: twice the token alone, twice a request.
pub(super) const TOKENS: u64 = ACCOUNTS * 4;
/// In the order in which they run.
pub(super) const STAGES: [&str; 5] = ["token new", "token seen", "decision", "account", "request"];
/// The name of [`stage_boundary`], as callgrind knows it.
pub(super) const BOUNDARY: &str = "*stage_boundary*";

#[inline(never)]
fn stage_boundary(number: u64) {
    black_box(number);
}

/// What runs under callgrind.
#[derive(Args)]
pub struct StagesCommand {
    directory: PathBuf,
}

struct Stages {
    tokens: TokenPool,
    clock: Arc<ToldClock>,
    /// Of the codes to come.
    step: u64,
}

impl StagesCommand {
    pub fn run(&self) -> Result<()> {
        let key = SigningKey::open(&self.directory, SigningAlgorithm::Rs256)?;
        let tokens = TokenPool::open(&self.directory, &key, ACCOUNTS, TOKENS)?;
        let config = configuration(&self.directory, &key)?;
        telemetry::init(&config.log).map_err(|error| anyhow::anyhow!("{error}"))?;
        let clock = Arc::new(ToldClock::at(EPOCH_SECONDS));
        let mut stages = Stages { tokens, clock, step: EPOCH_SECONDS / STEP_SECONDS };
        // One thread: which of several wakes up is up to chance.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let clock = Arc::clone(&stages.clock) as Arc<dyn Clock>;
            let verifier = TokenVerifier::new(config.issuers.clone(), Arc::clone(&clock))?;
            verifier.discover().await?;
            stages.token(&verifier).await?;
            stages.decision()?;
            let shutdown = Shutdown::new(DEFAULT_DRAIN.min(config.http.drain));
            let entropy = Arc::new(SystemEntropy);
            let running = run::start(config, clock, entropy, shutdown.clone()).await?.discovered().await?;
            stages.account(running.accounts()).await?;
            stages.request(running.address).await?;
            shutdown.begin();
            running.finished().await;
            Ok(())
        })
    }
}

impl Stages {
    /// Far from all that was used, so that no code is that of another step, too.
    fn next_step(&mut self) -> u64 {
        self.step += 100;
        self.clock.tell(self.step * STEP_SECONDS);
        self.step
    }

    fn token_of(&self, number: u64) -> Result<&str> {
        self.tokens.get(number).context("a token for each")
    }

    async fn token(&self, verifier: &TokenVerifier) -> Result<()> {
        let now = self.clock.now();
        for (round, is_counted) in [(0, false), (1, true), (1, false), (1, true)] {
            if is_counted {
                stage_boundary(round);
            }
            for account in 0..ACCOUNTS {
                verifier.verify(self.token_of(round * ACCOUNTS + account)?, now).await?;
            }
            if is_counted {
                stage_boundary(round);
            }
        }
        Ok(())
    }

    fn decision(&mut self) -> Result<()> {
        let of = |number| Ok((provisioned(number)?.account, totp(number)?));
        let mut accounts = (0..ACCOUNTS).map(of).collect::<Result<Vec<_>>>()?;
        let policy = Policy::default();
        for is_counted in [false, true] {
            let (step, now) = (self.next_step(), self.clock.now());
            let codes: Vec<_> = accounts.iter().map(|(_, totp)| totp.code_at(step)).collect();
            if is_counted {
                stage_boundary(step);
            }
            for ((account, _), code) in accounts.iter_mut().zip(&codes) {
                let verification = account.verify(code, OtpTypes::DEFAULT, now, &policy);
                ensure!(verification == Verification::Accepted, "a right code was refused");
            }
            if is_counted {
                stage_boundary(step);
            }
        }
        Ok(())
    }

    async fn account(&mut self, accounts: &Accounts) -> Result<()> {
        let of = |number| Ok((provisioned(number)?.id, totp(number)?));
        let all = (0..ACCOUNTS).map(of).collect::<Result<Vec<_>>>()?;
        let policy = Arc::new(Policy::default());
        for is_counted in [false, true] {
            let (step, now) = (self.next_step(), self.clock.now());
            let codes: Vec<Code> = all.iter().map(|(_, totp)| totp.code_at(step)).collect();
            if is_counted {
                stage_boundary(step);
            }
            for ((id, _), code) in all.iter().zip(codes) {
                let policy = Arc::clone(&policy);
                let decide =
                    move |account: &mut Account| account.verify(&code, OtpTypes::DEFAULT, now, &policy);
                let verification = accounts.update(id.clone(), decide).await?;
                ensure!(verification == Some(Verification::Accepted), "a right code was refused");
            }
            if is_counted {
                stage_boundary(step);
            }
        }
        Ok(())
    }

    /// With what it takes to send it and to read its answer.
    async fn request(&mut self, address: SocketAddr) -> Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        for round in [2, 3] {
            let step = self.next_step();
            let requests = (0..ACCOUNTS).map(|account| {
                let mut request = Vec::new();
                let code = totp(account)?.code_at(step);
                write_verify(&mut request, self.token_of(round * ACCOUNTS + account)?, code.as_str());
                Ok(request)
            });
            let requests = requests.collect::<Result<Vec<_>>>()?;
            if round == 3 {
                stage_boundary(round);
            }
            for request in &requests {
                exchange(&mut stream, request).await?;
            }
            if round == 3 {
                stage_boundary(round);
            }
        }
        Ok(())
    }
}

/// An answer without a body comes in one piece.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<()> {
    stream.write_all(request).await?;
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer).await?;
    let answer = answer.get(..length).unwrap_or_default();
    if !answer.starts_with(b"HTTP/1.1 204") || !answer.ends_with(b"\r\n\r\n") {
        bail!("expected 204, got {}", String::from_utf8_lossy(answer));
    }
    Ok(())
}
