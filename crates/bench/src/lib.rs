//! How fast einmal verifies, next to what the machine could do at best and to what people would use instead. Never part
//! of the service.

pub mod catalogue;
pub mod charts;
pub mod clock;
pub mod costs;
pub mod experiment;
pub mod footprint;
pub mod issuer;
pub mod load;
pub mod machine;
pub mod page_cache;
pub mod peers;
pub mod population;
pub mod postgres;
pub mod progress;
pub mod report;
pub mod requests;
pub mod sample;
pub mod server;
pub mod settings;
pub mod tokens;
pub mod upcoming;
pub mod workbench;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use machine::Machine;
use report::Report;
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use workbench::{Scale, Workbench};

/// Measures einmal, its ceilings and its peers
#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, and write the table to standard output and to `target/bench-data/report.{md,json}`
    Run(RunCommand),
    /// Count what one verification costs, stage by stage, and hold it to the stored figures
    Costs(costs::CostsCommand),
    /// Draw the pictures of docs/PERFORMANCE.md
    Charts(charts::ChartsCommand),
    /// What `costs` runs under valgrind
    #[command(hide = true)]
    Stages(costs::StagesCommand),
    /// What `run` starts as servers
    #[command(hide = true)]
    Server(server::ServerCommand),
}

#[derive(Args)]
struct RunCommand {
    /// Some three minutes: three short rounds of the most important experiments
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// With ten million accounts, too, which take some minutes to make the first time
    #[arg(long)]
    long: bool,
    /// These experiments alone, by their names
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds, in each of which every contestant has its turn
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each turn
    #[arg(long)]
    seconds: Option<f64>,
    /// Tokens that are brought once
    #[arg(long)]
    tokens: Option<u64>,
    /// No store has more accounts: to see that everything runs, as its test does
    #[arg(long)]
    accounts: Option<u64>,
    /// Start servers under this program, with arguments, such as "valgrind --tool=callgrind"; figures are then worth nothing
    #[arg(long)]
    profiler: Option<String>,
    /// The program that is shipped, built for release
    #[arg(long, default_value = "target/release/einmal")]
    program: PathBuf,
    /// Where stores, tokens and reports are kept
    #[arg(long, default_value = "target/bench-data")]
    directory: PathBuf,
}

const FOOTPRINT: &str = "footprint";

impl RunCommand {
    fn scale(&self) -> Scale {
        let most_accounts = self.accounts.unwrap_or(u64::MAX).max(1_024);
        let usual = if self.quick {
            Scale { rounds: 3, seconds: 1.5, fresh_tokens: 60_000, seen_accounts: 10_000, most_accounts }
        } else {
            Scale { rounds: 5, seconds: 4.0, fresh_tokens: 200_000, seen_accounts: 40_000, most_accounts }
        };
        Scale {
            rounds: self.rounds.unwrap_or(usual.rounds).max(1),
            seconds: self.seconds.unwrap_or(usual.seconds).max(0.1),
            fresh_tokens: self.tokens.unwrap_or(usual.fresh_tokens).max(1_024),
            ..usual
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        if !self.only.is_empty() {
            return self.only.iter().any(|wanted| wanted == name);
        }
        !self.quick || catalogue::QUICK.contains(&name) || name == FOOTPRINT
    }

    fn run(&self) -> Result<()> {
        let scale = self.scale();
        let experiments = catalogue::all(self.long).into_iter();
        let experiments: Vec<_> =
            experiments.map(|experiment| experiment.with_at_most(scale.most_accounts)).collect();
        let is_known = |name: &&String| {
            *name == FOOTPRINT || experiments.iter().any(|experiment| experiment.name == *name)
        };
        if let Some(unknown) = self.only.iter().find(|name| !is_known(name)) {
            let names: Vec<_> = experiments.iter().map(|experiment| experiment.name).collect();
            bail!("there is no experiment {unknown}, expected some of {}, {FOOTPRINT}", names.join(", "));
        }
        let mut bench = Workbench::open(&self.directory, scale)?;
        let profiler = self.profiler.as_deref().unwrap_or_default();
        bench.profiler = profiler.split_whitespace().map(str::to_owned).collect();
        let mut report = Report::new(Machine::look(&bench.directory), scale);
        for experiment in experiments.iter().filter(|experiment| self.is_wanted(experiment.name)) {
            report.outcomes.push(experiment.run(&mut bench)?);
            // What has been measured is not lost if something fails later.
            write(&bench.directory, &report)?;
        }
        if self.is_wanted(FOOTPRINT) {
            let accounts = if self.quick { 100_000 } else { 1_000_000 }.min(scale.most_accounts);
            report.footprint = Some(footprint::measure(&mut bench, &self.program, accounts)?);
        }
        report.postgres = bench.postgres_version();
        let markdown = write(&bench.directory, &report)?;
        Ok(stdout().lock().write_all(markdown.as_bytes())?)
    }
}

fn write(directory: &Path, report: &Report) -> Result<String> {
    let markdown = report.markdown()?;
    fs::write(directory.join("report.md"), &markdown).context("writing the report")?;
    fs::write(directory.join("report.json"), serde_json::to_vec_pretty(report)?)?;
    Ok(markdown)
}

/// The program.
pub fn main() -> Result<()> {
    match Program::parse().command {
        Command::Run(command) => command.run(),
        Command::Costs(command) => command.run(),
        Command::Charts(command) => command.run(),
        Command::Stages(command) => command.run(),
        Command::Server(command) => command.run(),
    }
}
