//! `einmal keys reseal`: everything under the key that seals now.

use super::account::with_accounts;
use super::{ConfigFile, Failure, complain, progress, refused, say};
use crate::accounts::{ResealNotice, ResealReport};
use clap::Args;
use indicatif::ProgressBar;

/// Rewrite everything in the store that an older key has sealed
///
/// Afterwards only the key that seals now is needed. Runs beside `einmal serve`, which it does not disturb, and can be
/// interrupted and run again at any time. Accounts that cannot be opened are reported and left as they are; exit code 1
/// if there were any.
#[derive(Args)]
pub(super) struct ResealCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl ResealCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let progress = progress::bar(0, progress::ACCOUNTS_SO_FAR);
        let report = with_accounts(&self.config, async |_, accounts| {
            accounts.reseal(|notice| show(&notice, &progress)).await.map_err(refused)
        });
        progress.finish_and_clear();
        let ResealReport { accounts, resealed, failed } = report?;
        say(format_args!("{resealed} of {accounts} accounts resealed, {failed} failed"))?;
        match failed {
            0 => Ok(()),
            _ => Err(refused("some accounts are as they were, and still need the keys that they needed")),
        }
    }
}

fn show(notice: &ResealNotice<'_>, progress: &ProgressBar) {
    match notice {
        ResealNotice::Failed { id, error } => progress.suspend(|| {
            complain(format_args!("account {:?} of issuer {}: {error}", id.subject(), id.issuer()));
        }),
        ResealNotice::Progress(report) => progress.set_position(report.accounts),
    }
}
