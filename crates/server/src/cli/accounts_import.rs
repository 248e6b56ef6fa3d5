//! `einmal accounts import`: accounts from NDJSON, beside a running service if need be.

use super::account::with_accounts;
use super::{ConfigFile, Failure, complain, refused, say};
use crate::accounts::{Import, IssuerNames, Notice, Report};
use crate::clock::{Clock, SystemClock};
use crate::entropy::SystemEntropy;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

/// Bring accounts in from NDJSON: one JSON object a line
///
/// Each line is taken whole or refused; refused lines are reported by their number, and the rest goes on. May run beside
/// `einmal serve`. Exit code 1 if any line was refused.
#[derive(Args)]
pub(super) struct ImportCommand {
    /// File to read, or `-` for standard input
    file: PathBuf,
    /// Overwrite accounts that exist, instead of skipping them; last steps, waits and budgets of unchanged secrets stay
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl ImportCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        // Before a store is made: a wrong name is a wrong command line.
        let (input, size) = self.open()?;
        let progress = progress_bar(size);
        let report = with_accounts(&self.config, async |config, accounts| {
            let issuers =
                IssuerNames(config.issuer_names.iter().map(|name| Arc::from(name.as_str())).collect());
            let import = Import {
                accounts,
                issuers: &issuers,
                policy: &config.policy,
                entropy: &SystemEntropy,
                now: SystemClock.now(),
                replace: self.replace,
            };
            let tell = |notice| show(&notice, &progress);
            import.run(input, tell).await.map_err(refused)
        });
        progress.finish_and_clear();
        conclude(&report?)
    }

    fn open(&self) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
        if self.file.as_os_str() == "-" {
            return Ok((Box::new(BufReader::new(io::stdin())), None));
        }
        let unreadable = |error| Failure::Usage(format!("{}: {error}", self.file.display()));
        let file = File::open(&self.file).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        Ok((Box::new(BufReader::new(file)), metadata.is_file().then_some(metadata.len())))
    }
}

/// Drawn on a terminal only.
fn progress_bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:40} {bytes} of {total_bytes}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} in {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(notice: &Notice, progress: &ProgressBar) {
    match notice {
        // The bar is out of the way while a line is written; inside of `suspend` it must not be touched itself.
        Notice::Refused { line, error } => {
            progress.suspend(|| complain(format_args!("line {line}: {error}")));
        }
        Notice::Warning { line, text } => {
            progress.suspend(|| complain(format_args!("line {line}: warning: {text}")));
        }
        Notice::Progress { bytes } => progress.set_position(*bytes),
    }
}

fn conclude(report: &Report) -> Result<(), Failure> {
    let Report { imported, replaced, skipped, refused } = report;
    say(format_args!("{imported} imported, {replaced} replaced, {skipped} skipped, {refused} refused"))?;
    if *refused == 0 { Ok(()) } else { Err(Failure::Refused(format!("{refused} lines were refused"))) }
}
