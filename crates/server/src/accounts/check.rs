//! Goes through all accounts and tells which of them do not open. Changes nothing, and holds one page at a time.

use super::update::{Accounts, UpdateError};
use crate::store::StoreError;
use einmal_core::account::AccountId;

/// Accounts of one page; some hundred bytes each.
const PAGE: usize = 500;

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
        while let Some(page) = self.next_page(after.take()).await? {
            for (id, opened) in page.iter().zip(self.try_open(&page).await?) {
                checked.accounts += 1;
                if let Err(error) = opened {
                    checked.faults += 1;
                    tell(Finding::Damaged { id, error });
                }
            }
            tell(Finding::Progress { opened: checked.accounts, accounts: inspection.accounts });
            after = page.into_iter().last();
        }
        Ok(checked)
    }

    /// The ids after this one; `None` after the last.
    pub(super) async fn next_page(
        &self,
        after: Option<AccountId>,
    ) -> Result<Option<Vec<AccountId>>, UpdateError> {
        let ids = self.store().ids(after, PAGE).await?;
        Ok((!ids.is_empty()).then_some(ids))
    }

    async fn try_open(&self, ids: &[AccountId]) -> Result<Vec<Result<(), UpdateError>>, UpdateError> {
        match self.store().load_many(ids.to_vec()).await {
            Ok(loaded) => {
                // None: erased a moment ago.
                let open = |(id, stored): (&AccountId, Option<_>)| match stored {
                    Some(stored) => self.open_stored(id, &stored).map(drop),
                    None => Ok(()),
                };
                Ok(ids.iter().zip(loaded).map(open).collect())
            }
            // One of them cannot even be read: which, is found out one by one.
            Err(StoreError::Damaged(_)) => {
                let mut opened = Vec::with_capacity(ids.len());
                for id in ids {
                    opened.push(match self.read(id).await {
                        Err(UpdateError::Store(StoreError::Unavailable(reason))) => {
                            return Err(StoreError::Unavailable(reason).into());
                        }
                        read => read.map(drop),
                    });
                }
                Ok(opened)
            }
            Err(error) => Err(error.into()),
        }
    }
}
