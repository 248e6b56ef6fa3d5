//! `einmal store after-restore`: makes a restored backup safe, before the service starts on it.

use super::account::with_accounts;
use super::{ConfigFile, Failure, complain, progress, refuse_absent, refused, say};
use crate::accounts::RestoreReport;
use crate::clock::{Clock, SystemClock};
use clap::Args;
use std::sync::Arc;

/// Make a restored backup safe: no code that was accepted after it was made is accepted again
///
/// A backup has forgotten what was accepted since. This moves the last step of every TOTP secret past all steps that
/// could be good now, and drops all codes that were created or mailed. By default it takes people up to two minutes
/// until their app shows a good code again. Run it after the backup was put in place and before the service starts; a
/// second time does no harm. Accounts that do not open are reported and left as they are: exit code 1.
#[derive(Args)]
pub(super) struct AfterRestoreCommand {
    #[command(flatten)]
    config: ConfigFile,
}

impl AfterRestoreCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        refuse_absent(&self.config.open()?.store()?.engine)?;
        let bar = progress::bar(0, progress::ACCOUNTS_SO_FAR);
        let report = with_accounts(&self.config, async |config, accounts| {
            let policy = Arc::new(config.policy.clone());
            let done = accounts.after_restore(
                SystemClock.now(),
                &policy,
                |id, error| {
                    bar.suspend(|| complain(format_args!("{:?} {:?}: {error}", id.issuer(), id.subject())));
                },
                |report| bar.set_position(report.accounts),
            );
            done.await.map_err(refused)
        });
        bar.finish_and_clear();
        let RestoreReport { accounts, secrets, codes, damaged } = report?;
        say(format_args!(
            "{accounts} accounts: {secrets} TOTP secrets moved on, {codes} codes dropped, {damaged} damaged"
        ))?;
        if damaged == 0 { Ok(()) } else { Err(Failure::Refused(format!("{damaged} accounts do not open"))) }
    }
}
