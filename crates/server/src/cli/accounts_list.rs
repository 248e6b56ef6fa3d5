//! `einmal accounts list`: which accounts there are, page by page.

use super::account::with_accounts;
use super::{ConfigFile, Failure, complain, refused, say};
use clap::Args;
use einmal_core::account::AccountId;

/// List accounts, one a line: issuer, a tab, and the subject
///
/// In the order of issuer and subject. If there are more, the last line on standard error says how to go on.
#[derive(Args)]
pub(super) struct ListCommand {
    /// At most so many
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Begin after this account
    #[arg(long, num_args = 2, value_names = ["ISSUER", "ID"])]
    after: Option<Vec<String>>,
    #[command(flatten)]
    config: ConfigFile,
}

impl ListCommand {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let after = match self.after.as_deref() {
            Some([issuer, id]) => Some(AccountId::new(issuer.as_str(), id.as_str())),
            _ => None,
        };
        let limit = self.limit as usize;
        with_accounts(&self.config, async |_, accounts| {
            // One more, to know whether there is more.
            let page = accounts.store().scan(after, limit + 1).await.map_err(refused)?;
            for (id, _) in page.iter().take(limit) {
                say(format_args!("{}\t{}", id.issuer(), id.subject()))?;
            }
            if page.len() > limit
                && let Some((last, _)) = page.get(limit - 1)
            {
                complain(format_args!("there are more: --after {:?} {:?}", last.issuer(), last.subject()));
            }
            Ok(())
        })
    }
}
