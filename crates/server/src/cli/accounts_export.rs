//! `einmal accounts export`: accounts as NDJSON, all or one.

use super::account::with_accounts;
use super::{ConfigFile, Failure, refused, say};
use crate::accounts::{Secrets, write_record};
use clap::Args;
use einmal_core::account::AccountId;

/// Write all accounts as NDJSON to standard output, in the form that `import` reads
///
/// Without secrets unless asked for: such lines show what there is, but cannot be imported. With them each line has the
/// last used step of each secret, so that a code that was used stays used wherever it is imported.
#[derive(Args)]
pub(super) struct ExportCommand {
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
        with_accounts(&self.config, async |_, accounts| {
            let mut after: Option<AccountId> = None;
            loop {
                let page = accounts.page(after, PAGE).await.map_err(refused)?;
                for (id, account) in &page {
                    say(write_record(id, account, secrets).map_err(refused)?.as_str())?;
                }
                after = match page.into_iter().last() {
                    Some((id, _)) => Some(id),
                    None => return Ok(()),
                };
            }
        })
    }
}
