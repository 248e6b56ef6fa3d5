//! `einmal store check`: whether everything in the store is whole and opens with the keyring. Changes nothing.

use super::account::with_accounts_of;
use super::{ConfigFile, Failure, complain, progress, refuse_absent, refused, say};
use crate::accounts::{Checked, Finding};
use crate::run;
use crate::store::Store;
use crate::store::sqlite::{Migration, SqliteStore};
use clap::Args;

/// Check that the store is whole and that every account opens with the keyring
///
/// SQLite's own check first, then each account: unknown keys, damaged seals, parts that do not belong together. Each
/// fault is a line on standard error; exit code 1 if there is any. Nothing is changed, so that a backup stays what it is:
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
        let config = self.config.open()?.store()?;
        refuse_absent(&config.sqlite_path)?;
        let checked = if self.without_keyring { inspect(&config.sqlite_path)? } else { self.open_all()? };
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

fn inspect(path: &std::path::Path) -> Result<Checked, Failure> {
    let store = SqliteStore::open_with(path, Migration::Keep).map_err(refused)?;
    let runtime = tokio::runtime::Runtime::new().map_err(refused)?;
    let inspection = runtime.block_on(store.check()).map_err(refused)?;
    inspection.faults.iter().for_each(complain);
    Ok(Checked { accounts: inspection.accounts, faults: inspection.faults.len() as u64 })
}
