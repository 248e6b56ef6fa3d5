//! `einmal accounts import`: accounts from a file, einmal's own or another system's, beside a running service if need be.

mod foreign;

use super::account::{with_accounts, with_accounts_of};
use super::{ConfigFile, Failure, complain, refused, say};
use crate::accounts::{
    Accounts, Choices, Format, Import, IssuerNames, Lines, Notice, Report, Source, Target, Translation,
    translate,
};
use crate::clock::{Clock, SystemClock};
use crate::config::Administration;
use crate::entropy::SystemEntropy;
use crate::metrics::Metrics;
use crate::{process, run, store};
use clap::Args;
use foreign::ForeignOptions;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bring accounts in from a file, einmal's own or another system's
///
/// Without --format that is one JSON object a line, as `export` writes it. What other systems export, and what moves with it, is in
/// `docs/MOVING_IN.md`; lines about one subject become one account there. Each account is taken whole or refused; those that are
/// refused are reported by where they stand, and the rest goes on. May run beside `einmal serve`. Exit code 1 if any was refused.
#[derive(Args)]
pub(super) struct ImportCommand {
    /// File to read, or `-` for standard input
    file: PathBuf,
    /// Overwrite accounts that exist, instead of skipping them; last steps, waits and budgets of unchanged secrets stay
    #[arg(long)]
    replace: bool,
    /// Write nothing, and report what would become of each account
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    foreign: ForeignOptions,
    #[command(flatten)]
    config: ConfigFile,
}

impl ImportCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let foreign = self.foreign.choices()?;
        // Before a store is made: a wrong name is a wrong command line.
        let (input, size) = self.open()?;
        let progress = progress_bar(size);
        let done = match foreign {
            None => self.import(Lines::new(input), &progress).map(|report| (report, None)),
            Some((format, choices)) => self.move_in(input, format, &choices, &progress),
        };
        progress.finish_and_clear();
        let (report, left_out) = done?;
        self.conclude(&report, left_out)
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

    /// What is in front of a place in the file.
    fn prefix(&self) -> String {
        if self.file.as_os_str() == "-" { String::new() } else { format!("{}: ", self.file.display()) }
    }

    fn move_in(
        &self,
        input: Box<dyn BufRead>,
        format: Format,
        choices: &Choices,
        progress: &ProgressBar,
    ) -> Result<(Report, Option<Vec<String>>), Failure> {
        // The whole file is in memory, in clear.
        process::harden();
        let prefix = self.prefix();
        let text = read_text(input).map_err(|error| Failure::Refused(format!("{prefix}{error}")))?;
        let translated = translate(format, &text, choices);
        let translated: Translation =
            translated.map_err(|error| Failure::Refused(format!("{prefix}{error}")))?;
        for (place, what) in translated.missed() {
            complain(format_args!("{prefix}{place}: left out: {what}"));
        }
        let left_out = translated.left_out();
        let left_out =
            left_out.into_iter().map(|(what, count)| format!("left out: {count} {what}")).collect();
        Ok((self.import(translated, progress)?, Some(left_out)))
    }

    fn import(&self, source: impl Source, progress: &ProgressBar) -> Result<Report, Failure> {
        if !self.dry_run {
            return with_accounts(&self.config, async |config, accounts| {
                self.run_into(Target::Store(accounts), config, source, progress).await
            });
        }
        // Opening a store makes it, so it is not opened where there is none.
        let config = self.config.open()?.administration()?;
        let runtime = tokio::runtime::Runtime::new().map_err(refused)?;
        let metrics = Metrics::default();
        let is_there = runtime.block_on(store::is_there(&config.store.engine, &metrics.store));
        if !is_there.map_err(refused)? {
            return runtime.block_on(self.run_into(Target::Rehearsal(None), &config, source, progress));
        }
        drop(runtime);
        with_accounts_of(&self.config, run::open_accounts_as_they_are, async |config, accounts: &Accounts| {
            self.run_into(Target::Rehearsal(Some(accounts)), config, source, progress).await
        })
    }

    async fn run_into(
        &self,
        target: Target<'_>,
        config: &Administration,
        source: impl Source,
        progress: &ProgressBar,
    ) -> Result<Report, Failure> {
        let issuers = IssuerNames(config.issuer_names.iter().map(|name| Arc::from(name.as_str())).collect());
        let import = Import {
            target,
            issuers: &issuers,
            policy: &config.policy,
            entropy: &SystemEntropy,
            now: SystemClock.now(),
            replace: self.replace,
        };
        let prefix = self.prefix();
        import.run(source, |notice| show(&notice, &prefix, progress)).await.map_err(refused)
    }

    fn conclude(&self, report: &Report, left_out: Option<Vec<String>>) -> Result<(), Failure> {
        let Report { imported, replaced, skipped, refused } = report;
        say(format_args!("{imported} imported, {replaced} replaced, {skipped} skipped, {refused} refused"))?;
        let what = if left_out.is_some() { "accounts" } else { "lines" };
        for line in left_out.into_iter().flatten() {
            say(line)?;
        }
        if self.dry_run {
            say("dry run: nothing was written")?;
        }
        if *refused == 0 { Ok(()) } else { Err(Failure::Refused(format!("{refused} {what} were refused"))) }
    }
}

/// All of it: what another system writes as one document cannot be read by the line.
fn read_text(mut input: Box<dyn BufRead>) -> Result<Zeroizing<String>, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    input.read_to_end(&mut bytes).map_err(|error| format!("the input cannot be read: {error}"))?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to() + 1))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Drawn on a terminal only.
fn progress_bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:40} {bytes} of {total_bytes}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} in {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(notice: &Notice, prefix: &str, progress: &ProgressBar) {
    match notice {
        // The bar is out of the way while a line is written; inside of `suspend` it must not be touched itself.
        Notice::Refused { place, reason } => {
            progress.suspend(|| complain(format_args!("{prefix}{place}: {reason}")));
        }
        Notice::Warning { place, text } => {
            progress.suspend(|| complain(format_args!("{prefix}{place}: warning: {text}")));
        }
        Notice::Progress { bytes } => progress.set_position(*bytes),
    }
}
