//! What the program itself costs when nobody asks anything: its size, its memory, and how long it takes to be ready.
//! Of the program that is shipped, under the system's clock.

use crate::progress;
use crate::server::process::usage;
use crate::settings;
use crate::workbench::{Backend, Workbench};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Serialize)]
pub struct Footprint {
    pub binary_bytes: u64,
    pub accounts: u64,
    pub start_to_ready_ms: f64,
    pub idle_resident_bytes: u64,
}

const PATIENCE: Duration = Duration::from_secs(10);
const STARTS: usize = 5;

pub fn measure(bench: &mut Workbench, program: &Path, accounts: u64) -> Result<Footprint> {
    let binary_bytes = fs::metadata(program).context("the program einmal, built for release")?.len();
    let population = bench.population(Backend::Sqlite, accounts)?;
    let config = settings::write(&population.directory, &population.engine, &bench.key_set, "info")?;
    let mut starts = (0..STARTS).map(|_| start(program, &config)).collect::<Result<Vec<_>>>()?;
    starts.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (start_to_ready_ms, _) = starts.get(STARTS / 2).copied().unwrap_or_default();
    let idle_resident_bytes = starts.iter().map(|start| start.1).max().unwrap_or_default();
    let footprint = Footprint { binary_bytes, accounts, start_to_ready_ms, idle_resident_bytes };
    progress::tell(format_args!(
        "start to ready {start_to_ready_ms:.0} ms, idle {idle_resident_bytes} bytes"
    ));
    Ok(footprint)
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let terminate = rustix::process::Signal::TERM;
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = pid.map(|pid| rustix::process::kill_process(pid, terminate));
        let _ = self.0.wait();
    }
}

/// Milliseconds to the first answer that says ready, and bytes a second later.
fn start(program: &Path, config: &PathBuf) -> Result<(f64, u64)> {
    let started = Instant::now();
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut serving = Serving(command.spawn()?);
    let output = serving.0.stdout.take().context("its output")?;
    let mut lines = BufReader::new(output).lines();
    let management = loop {
        let line = lines.next().context("einmal serve did not start")??;
        let line: serde_json::Value = serde_json::from_str(&line)?;
        if let Some(address) = line.get("management").and_then(serde_json::Value::as_str) {
            break address.parse::<SocketAddr>()?;
        }
    };
    // Nobody may stop for a pipe that is full.
    thread::spawn(move || lines.for_each(drop));
    while !is_ready(management)? {
        if started.elapsed() > PATIENCE {
            bail!("einmal serve is not ready after {} seconds", PATIENCE.as_secs());
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    let ready_ms = started.elapsed().as_secs_f64() * 1_000.0;
    thread::park_timeout(Duration::from_secs(1));
    Ok((ready_ms, usage(serving.0.id()).resident_bytes))
}

fn is_ready(management: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(management)?;
    stream.write_all(b"GET /health/readiness HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
