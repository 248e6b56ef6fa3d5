//! `einmal accounts unlock`: lifts waits and suspensions of one account.

use super::account::{AccountChoice, with_accounts};
use super::{ConfigFile, Failure, refused, say};
use crate::clock::{Clock, SystemClock};
use clap::Args;

/// Let the owner of one account try again at once
///
/// Lifts waits after wrong codes and passwords, and the suspension of secrets that took too many guesses. Codes that
/// were used stay used; a PIN that was guessed at too often stays dead until a new one is set. Exit code 1 if there is
/// no such account.
#[derive(Args)]
pub(super) struct UnlockCommand {
    #[command(flatten)]
    account: AccountChoice,
    #[command(flatten)]
    config: ConfigFile,
}

impl UnlockCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        with_accounts(&self.config, async |config, accounts| {
            let id = self.account.resolve(config)?;
            let unlocked = accounts.unlock(id.clone(), SystemClock.now()).await.map_err(refused)?;
            unlocked.ok_or_else(|| self.account.absent())?;
            say(format_args!("unlocked {:?}", id.subject()))
        })
    }
}
