//! What was measured, on what, and when: figures without it are worth nothing.

use einmal::clock::{Clock, SystemClock};
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

#[derive(Serialize)]
pub struct Machine {
    pub date: String,
    pub revision: String,
    pub command: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    /// Of the folder with the stores.
    pub file_system: String,
    pub rustc: String,
    pub allocator: &'static str,
    pub load_average: String,
}

impl Machine {
    pub fn look(directory: &Path) -> Self {
        Self {
            date: date(),
            revision: revision(),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            cpu: cpu(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_mib(),
            kernel: read("/proc/sys/kernel/osrelease"),
            file_system: said(Command::new("findmnt").args(["-no", "FSTYPE,SOURCE", "-T"]).arg(directory)),
            rustc: said(Command::new("rustc").arg("--version")),
            allocator: if cfg!(feature = "mimalloc") { "mimalloc" } else { "the system's" },
            load_average: read("/proc/loadavg"),
        }
    }
}

fn date() -> String {
    let seconds = i64::try_from(SystemClock.now().seconds()).unwrap_or_default();
    jiff::Timestamp::from_second(seconds).map(|now| now.to_string()).unwrap_or_default()
}

fn revision() -> String {
    let revision = said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]));
    let is_changed = !said(Command::new("git").args(["status", "--porcelain"])).is_empty();
    if is_changed { format!("{revision} with changes") } else { revision }
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split(':').nth(1)).map_or("?", str::trim).to_owned()
    };
    format!("{} (family {}, model {})", of("model name"), of("cpu family"), of("model"))
}

fn memory_mib() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        let machine = Machine::look(Path::new("."));
        assert!(machine.cores > 0 && machine.memory_mib > 0 && machine.cpu.contains("family"));
    }
}
