//! All accounts as they are stored, page by page: a damaged one must never hide those around it. Opens none.

use super::access::Accounts;
use super::update::UpdateError;
use crate::store::{SealedAccount, StoreError};
use einmal_core::account::AccountId;

/// Accounts of one page, which are also those of one commit; some hundred bytes each.
pub(super) const PAGE: usize = 500;

/// An account, or why it cannot be read. `None` was deleted a moment ago.
pub(super) type Row = (AccountId, Result<Option<SealedAccount>, StoreError>);

impl Accounts {
    /// The accounts after this one; none after the last.
    pub(super) async fn rows(&self, after: Option<AccountId>) -> Result<Vec<Row>, UpdateError> {
        match self.store().scan(after.clone(), PAGE).await {
            Ok(page) => Ok(page.into_iter().map(|(id, stored)| (id, Ok(Some(stored)))).collect()),
            // One of them cannot be read: which, is found out one by one.
            Err(StoreError::Damaged(_)) => self.rows_one_by_one(after).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn rows_one_by_one(&self, after: Option<AccountId>) -> Result<Vec<Row>, UpdateError> {
        let mut rows = Vec::new();
        for id in self.store().ids(after, PAGE).await? {
            let row = self.row(&id).await?;
            rows.push((id, row));
        }
        Ok(rows)
    }

    /// One of them. The outer error means that none can be read now.
    pub(super) async fn row(
        &self,
        id: &AccountId,
    ) -> Result<Result<Option<SealedAccount>, StoreError>, UpdateError> {
        match self.load(id).await {
            Ok(stored) => Ok(Ok(stored)),
            Err(UpdateError::Store(error @ StoreError::Damaged(_))) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}
