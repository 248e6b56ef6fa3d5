//! privacyIDEA as it is published for Python, with its own SQLite, asked about tokens by their serials.

use super::{PeerProcess, run, sources};
use crate::load::answer::Expected;
use crate::load::{Next, Source};
use crate::population::{STEP_SECONDS, secret_hex, totp};
use crate::progress;
use crate::workbench::Workbench;
use anyhow::{Context, Result, bail};
use einmal::clock::{Clock, SystemClock};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Enrolling them takes a minute.
const TOKENS: u64 = 500;
/// As many as it has threads: more would only wait.
pub(super) const CONNECTIONS: usize = 8;

fn directory(bench: &Workbench) -> PathBuf {
    bench.directory.join("privacyidea")
}

fn python(bench: &Workbench) -> PathBuf {
    directory(bench).join("venv/bin/python")
}

pub(super) fn prepare(bench: &Workbench) -> Result<()> {
    let (from, directory) = (sources("privacyidea"), directory(bench));
    let wanted = fs::read(from.join("requirements.txt"))?;
    let marker = directory.join("requirements.txt");
    if fs::read(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    progress::tell(format_args!("installing privacyIDEA and enrolling {TOKENS} tokens, which takes minutes"));
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let data = directory.join("data");
    fs::create_dir_all(&data)?;
    run(Command::new("python3").args(["-m", "venv"]).arg(directory.join("venv")))?;
    run(Command::new(python(bench))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(from.join("requirements.txt")))?;
    enrol(&python(bench), &from, &data)?;
    Ok(fs::write(marker, wanted)?)
}

fn enrol(python: &Path, from: &Path, data: &Path) -> Result<()> {
    let mut secrets = String::new();
    for number in 0..TOKENS {
        writeln!(secrets, "{}", secret_hex(number))?;
    }
    let mut command = Command::new(python);
    command.arg(from.join("service.py")).arg("setup").arg(data).arg(TOKENS.to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("its input")?.write_all(secrets.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("setting privacyIDEA up: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

pub(super) fn start(bench: &Workbench, hashes_empty_pin: bool) -> Result<PeerProcess> {
    let mut command = Command::new(python(bench));
    command.arg(sources("privacyidea").join("service.py")).arg("serve").arg(directory(bench).join("data"));
    command.arg(if hashes_empty_pin { "hashed" } else { "none" });
    PeerProcess::start(command)
}

/// Right codes, of one token after the other. A token's next one is sent in a later step only.
pub(super) struct Checks {
    pub(super) next: u64,
    used: HashMap<u64, u64>,
}

impl Checks {
    pub(super) fn beginning_with(token: u64) -> Self {
        Self { next: token, used: HashMap::new() }
    }
}

impl Source for Checks {
    fn next(&mut self, _: usize, request: &mut Vec<u8>) -> Result<Next> {
        let (number, step) = (self.next % TOKENS, SystemClock.now().seconds() / STEP_SECONDS);
        if self.used.get(&number) == Some(&step) {
            return Ok(Next::NotYet);
        }
        self.used.insert(number, step);
        self.next += 1;
        let body = format!("serial=BENCH{number}&pass={}", totp(number)?.code_at(step).as_str());
        request.clear();
        write!(
            request,
            "POST /validate/check HTTP/1.1\r\nhost: otp.example.com\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        Ok(Next::Send(Expected::Says("\"value\": true")))
    }
}
