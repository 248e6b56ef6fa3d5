//! What one verification costs, stage by stage, in instructions and allocations: the same on every machine, so that a
//! build machine can hold it to stored figures. Says nothing about waiting.

mod baseline;
mod callgrind;
mod stages;

pub use stages::StagesCommand;

use crate::population::Population;
use crate::settings::{self, Engine};
use crate::tokens::{SigningAlgorithm, SigningKey, TokenPool};
use crate::{issuer, progress};
use anyhow::{Context, Result, bail};
use baseline::Baseline;
use callgrind::Cost;
use clap::Args;
use stages::{ACCOUNTS, STAGES};
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Args)]
pub struct CostsCommand {
    /// Store what is found, and compare with nothing
    #[arg(long)]
    store: bool,
    /// Where the stored figures are
    #[arg(long, default_value = "crates/bench/costs.json")]
    stored: PathBuf,
    #[arg(long, default_value = "target/bench-costs")]
    directory: PathBuf,
}

impl CostsCommand {
    pub fn run(&self) -> Result<()> {
        let costs = measure(&self.directory)?;
        let mut baseline = Baseline::read(&self.stored)?;
        if self.store {
            baseline.store(&costs);
            return baseline.write(&self.stored);
        }
        let (table, faults) = baseline.compare(&costs);
        stdout().lock().write_all(table.as_bytes())?;
        if !faults.is_empty() {
            bail!("{}\nIf that is meant: scripts/bench --costs --store", faults.join("\n"));
        }
        Ok(())
    }
}

/// The cost of each stage, in their order.
fn measure(directory: &Path) -> Result<Vec<(&'static str, Cost)>> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let directory = directory.canonicalize()?;
    prepare(&directory)?;
    progress::tell(format_args!("running each stage under callgrind"));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no"]);
    command.arg(format!("--dump-before={}", stages::BOUNDARY));
    command.arg(format!("--callgrind-out-file={}", directory.join("callgrind").display()));
    command.arg(std::env::current_exe()?).arg("stages").arg(&directory);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().context("running valgrind")?;
    if !status.success() {
        bail!("the stages failed ({status}); what they said is above");
    }
    let cost_of = |(number, name): (usize, &&'static str)| {
        // The first dump is of what came before the stage, the second of the stage itself.
        let path = directory.join(format!("callgrind.{}", number * 2 + 2));
        let dump = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok((*name, callgrind::cost(&dump, u32::try_from(ACCOUNTS)?)?))
    };
    STAGES.iter().enumerate().map(cost_of).collect()
}

/// What would take minutes under callgrind: keys, tokens and a store.
fn prepare(directory: &Path) -> Result<()> {
    let key = SigningKey::open(directory, SigningAlgorithm::Rs256)?;
    TokenPool::open(directory, &key, ACCOUNTS, stages::TOKENS)?;
    Population::open(directory.join("store"), Engine::Sqlite, ACCOUNTS).map(|_| ())
}

/// The configuration of the stages, with the issuer's keys served by this process.
fn configuration(directory: &Path, key: &SigningKey) -> Result<einmal::config::Config> {
    let key_set = issuer::serve(&[key.jwk()?])?;
    settings::read(&settings::write(&directory.join("store"), &Engine::Sqlite, &key_set, "info")?)
}
