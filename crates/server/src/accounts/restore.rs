//! Makes all accounts of a restored backup safe: what was accepted since it was made is accepted no more. Goes
//! through the one loop, so that each account gets a version that no stale copy has.

use super::Outcome;
use super::access::Accounts;
use super::rows::PAGE;
use super::seal::SealError;
use super::update::UpdateError;
use crate::store::StoreError;
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, Restored};
use einmal_core::policy::Policy;
use std::sync::Arc;
use tokio::task::JoinSet;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    pub accounts: u64,
    /// TOTP secrets that were moved on.
    pub secrets: u64,
    /// Codes that were live and are dead.
    pub codes: u64,
    /// Accounts that do not open; they were left as they are, and no code of theirs is ever accepted.
    pub damaged: u64,
}

/// A guard is written also where nothing changed: the vault keeps its version, which no other content ever has.
impl Outcome for Restored {
    fn is_evaluated(&self) -> bool {
        true
    }
}

impl Accounts {
    /// `damaged` hears of each account that does not open, `progress` of how far it is. An error means that it could
    /// not go on; it can be run again.
    pub async fn after_restore(
        &self,
        now: Timestamp,
        policy: &Arc<Policy>,
        mut damaged: impl FnMut(&AccountId, &UpdateError),
        mut progress: impl FnMut(&RestoreReport),
    ) -> Result<RestoreReport, UpdateError> {
        let mut report = RestoreReport::default();
        let mut after = None;
        loop {
            let page = self.store().ids(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            for (id, restored) in self.restore_page(page, now, policy).await? {
                report.accounts += 1;
                match restored {
                    Ok(Some(restored)) => {
                        report.secrets += restored.secrets;
                        report.codes += restored.codes;
                    }
                    // Erased a moment ago.
                    Ok(None) => {}
                    Err(error) if is_damage(&error) => {
                        report.damaged += 1;
                        damaged(&id, &error);
                    }
                    Err(error) => return Err(error),
                }
            }
            progress(&report);
        }
        Ok(report)
    }

    /// All at once: what waits together is committed together. In the order of their ids.
    async fn restore_page(
        &self,
        page: Vec<AccountId>,
        now: Timestamp,
        policy: &Arc<Policy>,
    ) -> Result<Vec<(AccountId, Result<Option<Restored>, UpdateError>)>, UpdateError> {
        let mut updates = JoinSet::new();
        for id in page {
            let (accounts, policy) = (self.clone(), Arc::clone(policy));
            let restore = move |account: &mut Account| account.after_restore(now, &policy);
            updates.spawn(async move { (id.clone(), accounts.update(id, restore).await) });
        }
        let mut restored = Vec::with_capacity(updates.len());
        while let Some(update) = updates.join_next().await {
            restored.push(update.map_err(|_| UpdateError::Panicked)?);
        }
        restored.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(restored)
    }
}

fn is_damage(error: &UpdateError) -> bool {
    match error {
        // Nothing is wrong with the account if it cannot be sealed again.
        UpdateError::Seal(SealError::Sealing | SealError::Entropy(_)) => false,
        UpdateError::Seal(_) | UpdateError::Torn | UpdateError::Store(StoreError::Damaged(_)) => true,
        _ => false,
    }
}
