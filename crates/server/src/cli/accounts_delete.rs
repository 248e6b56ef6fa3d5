//! `einmal accounts delete`: erases one account.

use super::account::{AccountChoice, with_accounts};
use super::{ConfigFile, Failure, refused, say};
use clap::Args;

/// Erase one account: its secrets, PIN, password, codes and counters
///
/// There is no way back but a backup or a new import. Exit code 1 if there is no such account.
#[derive(Args)]
pub(super) struct DeleteCommand {
    #[command(flatten)]
    account: AccountChoice,
    #[command(flatten)]
    config: ConfigFile,
}

impl DeleteCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        with_accounts(&self.config, async |config, accounts| {
            let id = self.account.resolve(config)?;
            if !accounts.delete(&id).await.map_err(refused)? {
                return Err(self.account.absent());
            }
            say(format_args!("erased {:?}", id.subject()))
        })
    }
}
