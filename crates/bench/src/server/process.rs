//! Starts servers as processes, moves their clocks, and reads what they use.

use super::Kind;
use crate::population::STEP_SECONDS;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

/// One that stops when it is dropped.
pub struct ServerProcess {
    pub address: SocketAddr,
    child: Child,
    control: Option<UnixStream>,
}

impl ServerProcess {
    /// This very program again, as a server, under `profiler` if there is one. Returns when it can be asked.
    pub fn start(kind: Kind, config: &Path, step: u64, profiler: &[String]) -> Result<Self> {
        let directory = config.parent().unwrap_or(Path::new("."));
        let socket = directory.join("control.socket");
        if socket.exists() {
            fs::remove_file(&socket)?;
        }
        let listener = UnixListener::bind(&socket)?;
        let kind = match kind {
            Kind::Einmal => "einmal",
            Kind::Answers => "answers",
            Kind::Tokens => "tokens",
        };
        let this = std::env::current_exe()?;
        let mut command = match profiler.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
            None => Command::new(this),
        };
        command.args(["server", kind, "--clock", &(step * STEP_SECONDS).to_string()]);
        command.arg("--config").arg(config).arg("--control").arg(&socket);
        // Where its log goes is up to whoever runs it; writing the lines is part of what is measured.
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let control = match accept(&listener, &mut child) {
            Ok(control) => control,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let mut line = String::new();
        BufReader::new(control.try_clone()?).read_line(&mut line)?;
        let address = line.trim().parse().context("a server did not say where it is")?;
        Ok(Self { address, child, control: Some(control) })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn control(&self) -> Result<UnixStream> {
        Ok(self.control.as_ref().context("a server has no control socket")?.try_clone()?)
    }
}

fn accept(listener: &UnixListener, child: &mut Child) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok((control, _)) = listener.accept() {
            control.set_nonblocking(false)?;
            return Ok(control);
        }
        if let Some(status) = child.try_wait()? {
            bail!("the server did not start ({status}); what it said is above");
        }
        thread::park_timeout(Duration::from_millis(2));
    }
    bail!("the server did not start within {} seconds", PATIENCE.as_secs())
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.control = None;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves the clocks of some servers, on a thread that ends when nobody orders any more.
pub fn follow(servers: &[ServerProcess], reached: Arc<AtomicU64>) -> Result<Sender<u64>> {
    let controls: Result<Vec<_>> = servers.iter().map(ServerProcess::control).collect();
    let controls = controls?;
    let (sender, orders) = channel();
    thread::Builder::new().name("clock".to_owned()).spawn(move || {
        // Without it no further codes are sent, and the run ends with an error that says that nothing goes on.
        let _ = obey(&orders, controls, &reached);
    })?;
    Ok(sender)
}

fn obey(orders: &Receiver<u64>, controls: Vec<UnixStream>, reached: &AtomicU64) -> Result<()> {
    let mut controls = controls
        .into_iter()
        .map(|control| Ok((control.try_clone()?, BufReader::new(control))))
        .collect::<Result<Vec<_>>>()?;
    while let Ok(step) = orders.recv() {
        for (control, _) in &mut controls {
            writeln!(control, "{}", step * STEP_SECONDS)?;
        }
        for (_, answers) in &mut controls {
            let mut line = String::new();
            if answers.read_line(&mut line)? == 0 {
                bail!("a server is gone");
            }
        }
        reached.store(step, Ordering::Release);
    }
    Ok(())
}

/// What a process has used so far, with all below it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
}

/// Ticks of proc(5): 100 a second wherever Linux runs.
const TICKS_PER_SECOND: f64 = 100.0;

pub fn usage(pid: u32) -> Usage {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<_> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let mut family = vec![pid];
    let mut usage = Usage::default();
    while let Some(pid) = family.pop() {
        let own = own_usage(pid);
        usage.cpu_seconds += own.cpu_seconds;
        usage.resident_bytes += own.resident_bytes;
        family.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| child));
    }
    usage
}

fn own_usage(pid: u32) -> Usage {
    let ticks = |field| stat(pid, field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Usage {
        cpu_seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
        resident_bytes: kilobytes.unwrap_or_default() * 1024,
    }
}

fn parent_of(pid: u32) -> Option<u32> {
    stat(pid, 1)?.parse().ok()
}

/// A field of `stat`, counted from behind the name, which may hold anything.
fn stat(pid: u32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(field).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_cpu_of_a_process_are_told() {
        let started = Instant::now();
        let mut work = 0_u64;
        while started.elapsed() < Duration::from_millis(150) {
            work = std::hint::black_box(work.wrapping_mul(31).wrapping_add(7));
        }
        let used = usage(std::process::id());
        assert!(used.cpu_seconds > 0.0 && used.resident_bytes > 1_000_000, "{used:?}");
    }
}
