//! A server in a process of its own, so that its memory and CPU can be told from the load's: einmal as a library with
//! a clock that is told the time, or a ceiling.

pub mod ceiling;
pub mod process;

use crate::settings;
use anyhow::{Context, Result, anyhow};
use ceiling::Ceiling;
use clap::{Args, ValueEnum};
use einmal::clock::Clock;
use einmal::entropy::SystemEntropy;
use einmal::http::{DEFAULT_DRAIN, Shutdown};
use einmal::{run, telemetry};
use einmal_core::Timestamp;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use tokio::runtime::Runtime;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Einmal,
    /// Ceiling (a): 204 to everything.
    Answers,
    /// Ceiling (b): the same, after checking the token.
    Tokens,
}

/// What the load's process starts.
#[derive(Args)]
pub struct ServerCommand {
    kind: Kind,
    #[arg(long)]
    config: PathBuf,
    /// The socket on which it says where it is, and is told the time
    #[arg(long)]
    control: PathBuf,
    /// Seconds since 1970
    #[arg(long)]
    clock: u64,
}

/// Told over the control socket.
pub(crate) struct ToldClock(AtomicU64);

impl ToldClock {
    pub(crate) fn at(seconds: u64) -> Self {
        Self(AtomicU64::new(seconds))
    }

    pub(crate) fn tell(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for ToldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
    }
}

impl ServerCommand {
    /// Until the other end of the control socket is gone.
    pub fn run(&self) -> Result<()> {
        let config = settings::read(&self.config)?;
        telemetry::init(&config.log).map_err(|error| anyhow!("{error}"))?;
        let clock = Arc::new(ToldClock::at(self.clock));
        let runtime = Runtime::new()?;
        runtime.block_on(async {
            let shutdown = Shutdown::new(DEFAULT_DRAIN.min(config.http.drain));
            let told = Arc::clone(&clock) as Arc<dyn Clock>;
            let (address, served) = match self.kind {
                Kind::Einmal => {
                    let entropy = Arc::new(SystemEntropy);
                    let running =
                        run::start(config, told, entropy, shutdown.clone()).await?.discovered().await?;
                    (running.address, tokio::spawn(running.finished()))
                }
                Kind::Answers | Kind::Tokens => {
                    let ceiling = if self.kind == Kind::Answers { Ceiling::Answers } else { Ceiling::Tokens };
                    ceiling::start(ceiling, config, told, shutdown.clone()).await?
                }
            };
            let control = UnixStream::connect(&self.control).context("connecting to the control socket")?;
            obey(control, address, clock, shutdown)?;
            served.await.context("the server panicked")
        })
    }
}

/// On a thread of its own, so that the server's threads have nothing but the server to do.
fn obey(
    mut control: UnixStream,
    address: SocketAddr,
    clock: Arc<ToldClock>,
    shutdown: Shutdown,
) -> Result<()> {
    writeln!(control, "{address}")?;
    let orders = BufReader::new(control.try_clone()?);
    thread::Builder::new().name("control".to_owned()).spawn(move || {
        for line in orders.lines() {
            let Some(seconds) = line.ok().and_then(|line| line.parse().ok()) else { break };
            clock.tell(seconds);
            if writeln!(control, "ok").is_err() {
                break;
            }
        }
        shutdown.begin();
    })?;
    Ok(())
}
