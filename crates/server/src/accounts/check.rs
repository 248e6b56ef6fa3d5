//! Goes through all accounts and tells which of them do not open. Changes nothing, and holds one page at a time.

use super::access::Accounts;
use super::update::UpdateError;
use einmal_core::account::AccountId;

/// What is told while it goes on.
pub enum Finding<'a> {
    /// What the engine found, which names no account that could be opened.
    Engine(&'a str),
    /// An account that does not open: unknown key, damaged seal, or parts that do not belong together.
    Damaged { id: &'a AccountId, error: UpdateError },
    /// So many accounts of so many were opened.
    Progress { opened: u64, accounts: u64 },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub accounts: u64,
    /// Faults of the engine and accounts that do not open.
    pub faults: u64,
}

impl Accounts {
    /// Looks at everything. An error means that it could not go on.
    pub async fn check(&self, mut tell: impl FnMut(Finding<'_>)) -> Result<Checked, UpdateError> {
        let inspection = self.store().check().await?;
        inspection.faults.iter().for_each(|fault| tell(Finding::Engine(fault)));
        let mut checked = Checked { accounts: 0, faults: inspection.faults.len() as u64 };
        let mut after = None;
        loop {
            let page = self.rows(after).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (id, row) in page {
                checked.accounts += 1;
                let opened = match row {
                    Ok(Some(stored)) => self.open_stored(&id, &stored).map(drop),
                    Ok(None) => Ok(()),
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = opened {
                    checked.faults += 1;
                    tell(Finding::Damaged { id: &id, error });
                }
            }
            tell(Finding::Progress { opened: checked.accounts, accounts: inspection.accounts });
        }
        Ok(checked)
    }
}
