//! What people would use instead, as processes of their own. They take no clock but the system's, so no account is asked
//! twice in a step.

mod fastify;
mod privacyidea;

use crate::load::{Load, Pacing, Source, Until};
use crate::sample::{self, Sample};
use crate::workbench::Workbench;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

#[derive(Clone, Copy, Debug)]
pub enum Peer {
    Fastify,
    PrivacyIdea { hashes_empty_pin: bool },
}

/// Both have so many processes; einmal has so many threads.
const WORKERS: usize = 2;

impl Peer {
    /// Installs it and fills its database. An error says what is missing.
    pub fn prepare(self, bench: &mut Workbench) -> Result<()> {
        match self {
            Self::Fastify => fastify::prepare(bench),
            Self::PrivacyIdea { .. } => privacyidea::prepare(bench),
        }
    }

    /// Goes on with the accounts behind those of the last sample; if there are not enough left, it ends with the last one.
    pub fn take(self, bench: &mut Workbench) -> Result<Sample> {
        let name = match self {
            Self::Fastify => "fastify",
            Self::PrivacyIdea { .. } => "privacyidea",
        };
        let used = bench.used_at_peer.get(name).copied().unwrap_or_default();
        let (sample, used) = match self {
            Self::Fastify => {
                let process = fastify::start(bench)?;
                let mut source = fastify::requests(bench, used)?;
                let sample =
                    load(bench, &process, &mut source, fastify::CONNECTIONS, sample::warm_up(bench))?;
                (sample, source.furthest().next_multiple_of(64))
            }
            Self::PrivacyIdea { hashes_empty_pin } => {
                let process = privacyidea::start(bench, hashes_empty_pin)?;
                let mut source = privacyidea::Checks::beginning_with(used);
                (load(bench, &process, &mut source, privacyidea::CONNECTIONS, 4)?, source.next)
            }
        };
        bench.used_at_peer.insert(name, used);
        Ok(sample)
    }
}

fn load(
    bench: &Workbench,
    process: &PeerProcess,
    source: &mut dyn Source,
    connections: usize,
    warm_up: u64,
) -> Result<Sample> {
    let mut load = Load::connect(&[process.address], &[connections])?;
    load.run(&mut [source], &[Pacing::Closed], Until::Answered(warm_up))?;
    sample::measure(&mut load, &mut [source], &[Pacing::Closed], &[process.child.id()], bench.scale.seconds)
}

/// One that ends when its standard input does.
struct PeerProcess {
    address: SocketAddr,
    child: Child,
    input: Option<ChildStdin>,
}

impl PeerProcess {
    /// Its first line on standard output says where it is.
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("its output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let Ok(address) = line.trim().parse() else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("a peer did not start; what it said is above");
        };
        Ok(Self { address, child, input })
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}
