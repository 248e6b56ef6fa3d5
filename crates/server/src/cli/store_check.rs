//! `einmal store check`: whether everything in the store is whole and opens with the keyring. Changes nothing.

use super::account::with_accounts_of;
use super::{ConfigFile, Failure, complain, progress, refuse_absent, refused, say};
use crate::accounts::{Checked, Finding};
use crate::config::Engine;
use crate::metrics::Metrics;
use crate::run;
use crate::store::{self, Migration};
use clap::Args;

/// Check that the store is whole and that every account opens with the keyring
///
/// The database first (of SQLite its own check, too), then each account: unknown keys, damaged seals, parts that do not
/// belong together. Each fault is a line on standard error; exit code 1 if there is any. Nothing is changed, so that a backup stays what it is:
/// one of an older schema is refused, and `--without-keyring` checks it as it is. May run beside the service, whose log grows while
/// SQLite's check lasts.
#[derive(Args)]
pub(super) struct CheckCommand {
    /// Only what can be seen without the keyring, as on a machine that keeps backups
    #[arg(long)]
    without_keyring: bool,
    #[command(flatten)]
    config: ConfigFile,
}

impl CheckCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let engine = self.config.open()?.store()?.engine;
        refuse_absent(&engine)?;
        let checked = if self.without_keyring { inspect(&engine)? } else { self.open_all()? };
        let Checked { accounts, faults } = checked;
        say(format_args!("{accounts} accounts, {faults} faults"))?;
        if faults == 0 { Ok(()) } else { Err(Failure::Refused("the store is damaged".to_owned())) }
    }

    fn open_all(&self) -> Result<Checked, Failure> {
        let bar = progress::bar(0, progress::ACCOUNTS);
        let checked = with_accounts_of(&self.config, run::open_accounts_as_they_are, async |_, accounts| {
            let tell = |finding: Finding<'_>| match finding {
                Finding::Engine(fault) => bar.suspend(|| complain(fault)),
                Finding::Damaged { id, error } => {
                    bar.suspend(|| complain(format_args!("{:?} {:?}: {error}", id.issuer(), id.subject())));
                }
                Finding::Progress { opened, accounts } => {
                    bar.set_length(accounts);
                    bar.set_position(opened);
                }
            };
            accounts.check(tell).await.map_err(refused)
        });
        bar.finish_and_clear();
        checked
    }
}

fn inspect(engine: &Engine) -> Result<Checked, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(refused)?;
    let metrics = Metrics::default();
    let inspection = runtime.block_on(async {
        let opened = store::open(engine, Migration::Keep, &metrics.store).await.map_err(refused)?;
        opened.store.check().await.map_err(refused)
    })?;
    inspection.faults.iter().for_each(complain);
    Ok(Checked { accounts: inspection.accounts, faults: inspection.faults.len() as u64 })
}
