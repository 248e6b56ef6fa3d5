//! A Node service with the same accounts on the same PostgreSQL.

use super::{PeerProcess, WORKERS, run, sources};
use crate::clock::StepClock;
use crate::population::{secret_base32, subject};
use crate::progress;
use crate::requests::{Codes, TokenUse, VerifyRequests};
use crate::settings::{AUDIENCE, ISSUER};
use crate::tokens::SigningAlgorithm;
use crate::workbench::Workbench;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const ACCOUNTS: u64 = 100_000;
pub(super) const CONNECTIONS: usize = 64;
const DATABASE: &str = "fastify";

fn accounts(bench: &Workbench) -> u64 {
    ACCOUNTS.min(bench.scale.most_accounts)
}

fn directory(bench: &Workbench) -> PathBuf {
    bench.directory.join("fastify")
}

pub(super) fn prepare(bench: &mut Workbench) -> Result<()> {
    let (from, directory) = (sources("fastify"), directory(bench));
    fs::create_dir_all(&directory)?;
    let is_installed = fs::read(directory.join("package-lock.json")).ok().is_some_and(|installed| {
        fs::read(from.join("package-lock.json")).is_ok_and(|wanted| wanted == installed)
    });
    for name in ["package.json", ".npmrc", "server.js"] {
        fs::copy(from.join(name), directory.join(name))?;
    }
    if !is_installed {
        progress::tell(format_args!("installing fastify, jose, otplib and pg"));
        fs::copy(from.join("package-lock.json"), directory.join("package-lock.json"))?;
        let installed = run(Command::new("npm")
            .args(["ci", "--silent", "--no-audit", "--no-fund"])
            .current_dir(&directory));
        if installed.is_err() {
            let _ = fs::remove_file(directory.join("package-lock.json"));
        }
        installed?;
    }
    fill(bench)
}

/// Anew each time: the steps of the last run may be those of this one.
fn fill(bench: &mut Workbench) -> Result<()> {
    let accounts = accounts(bench);
    let postgres = bench.postgres()?;
    postgres.database(DATABASE, false)?;
    postgres.sql(
        DATABASE,
        "CREATE TABLE accounts (subject text PRIMARY KEY, secret text NOT NULL, last_step bigint NOT NULL DEFAULT 0, \
         failures int NOT NULL DEFAULT 0, locked_until timestamptz) WITH (fillfactor = 80)",
    )?;
    let mut psql = postgres.psql(DATABASE);
    psql.args(["-c", "COPY accounts (subject, secret) FROM STDIN"]);
    let mut child = psql.stdin(Stdio::piped()).spawn()?;
    let mut rows = String::new();
    for number in 0..accounts {
        writeln!(rows, "{}\t{}", subject(number), secret_base32(number))?;
    }
    child.stdin.take().context("its input")?.write_all(rows.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("filling the database: {}", String::from_utf8_lossy(&output.stderr));
    }
    postgres.sql(DATABASE, "VACUUM ANALYZE accounts").map(|_| ())
}

pub(super) fn start(bench: &mut Workbench) -> Result<PeerProcess> {
    let url = bench.postgres()?.url(DATABASE);
    let settings = json!({
        "workers": WORKERS, "database": url, "keySet": bench.key_set, "issuer": ISSUER, "audience": AUDIENCE,
    });
    let mut command = Command::new("node");
    command.arg("server.js").arg(settings.to_string()).current_dir(directory(bench));
    PeerProcess::start(command)
}

/// The requests that einmal gets, too, but for the codes' time. From account `first` on.
pub(super) fn requests(bench: &mut Workbench, first: u64) -> Result<VerifyRequests> {
    let (pool, active) = bench.fresh(SigningAlgorithm::Rs256, accounts(bench))?;
    let totps = bench.totps(active)?;
    let kinds = (TokenUse::Fresh, Codes::Right);
    Ok(VerifyRequests::new((pool, active), totps, kinds, StepClock::System, CONNECTIONS)
        .beginning_with(first))
}
