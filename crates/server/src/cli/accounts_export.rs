//! `einmal accounts export`: accounts as NDJSON, all or one.

use super::account::{AccountChoice, with_accounts};
use super::{ConfigFile, Failure, refused, say};
use crate::accounts::{Secrets, write_record};
use clap::Args;
use einmal_core::account::{Account, AccountId};

/// Write all accounts, or one, as NDJSON to standard output, in the form that `import` reads
///
/// Without secrets unless asked for: such lines show what there is, but cannot be imported. With them each line has the
/// last used step of each secret, so that a code that was used stays used wherever it is imported.
/// Exit code 1 if there is no such account.
#[derive(Args)]
pub(super) struct ExportCommand {
    /// Subject of one account's tokens, to write that one alone
    id: Option<String>,
    /// Name of its issuer, if there are several
    #[arg(long, value_name = "NAME", requires = "id")]
    issuer: Option<String>,
    /// Secrets and hashes, too: whoever reads them can be any of these users
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    config: ConfigFile,
}

const PAGE: usize = 500;

impl ExportCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let secrets = if self.with_secrets { Secrets::Included } else { Secrets::LeftOut };
        let write = |id: &AccountId, account: &Account| {
            say(write_record(id, account, secrets).map_err(refused)?.as_str())
        };
        with_accounts(&self.config, async |config, accounts| {
            if let Some(id) = &self.id {
                let choice = AccountChoice { id: id.clone(), issuer: self.issuer.clone() };
                let id = choice.resolve(config)?;
                let account = accounts.read(&id).await.map_err(refused)?;
                return write(&id, &account.ok_or_else(|| choice.absent())?);
            }
            let mut after: Option<AccountId> = None;
            loop {
                let page = accounts.page(after, PAGE).await.map_err(refused)?;
                page.iter().try_for_each(|(id, account)| write(id, account))?;
                after = match page.into_iter().last() {
                    Some((id, _)) => Some(id),
                    None => return Ok(()),
                };
            }
        })
    }
}
