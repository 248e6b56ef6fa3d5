//! Rewrites what old keys sealed with the one that seals now, beside running servers. Every write is a swap from the
//! version that was read, so that no attempt is lost; whatever interrupts it, it can be run again.

use super::access::{Accounts, CHECK_VALUE};
use super::envelope::resealed;
use super::rows::Row;
use super::update::UpdateError;
use crate::store::{KeyId, SealedAccount, Store, Swap, SwapOutcome};
use einmal_core::account::AccountId;
use std::collections::BTreeSet;

/// Each lost round is somebody's attempt on the account. Who loses them all leaves it to the next run.
const MAX_ROUNDS: usize = 64;

/// What became of the accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResealReport {
    pub accounts: u64,
    pub resealed: u64,
    /// Left as they were: damaged, or fought over for too long.
    pub failed: u64,
}

/// Something to tell the operator while it goes on.
pub enum ResealNotice<'a> {
    Failed { id: &'a AccountId, error: UpdateError },
    Progress(&'a ResealReport),
}

/// One pass over all accounts.
struct Pass<'a, F> {
    accounts: &'a Accounts,
    tell: F,
    report: ResealReport,
    /// Keys that were looked for in the keyring's file already: of thousands of accounts that need a lost key only the
    /// first one waits.
    missing: BTreeSet<KeyId>,
}

impl Accounts {
    /// An error means that it could not go on.
    pub async fn reseal(&self, tell: impl FnMut(ResealNotice<'_>)) -> Result<ResealReport, UpdateError> {
        let report = ResealReport::default();
        let mut pass = Pass { accounts: self, tell, report, missing: BTreeSet::new() };
        let mut after = None;
        loop {
            let page = self.rows(after).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            pass.page(page).await?;
            (pass.tell)(ResealNotice::Progress(&pass.report));
        }
        let report = pass.report;
        self.reseal_check_value(self.store().as_ref()).await?;
        Ok(report)
    }

    /// Last, so that a keyring without the old key opens the store only when no row needs it.
    pub(super) async fn reseal_check_value(&self, store: &dyn Store) -> Result<(), UpdateError> {
        for _ in 0..MAX_ROUNDS {
            let found = store.property(CHECK_VALUE).await?;
            let keyring = self.keyring().current();
            let value = keyring
                .resealed_check_value(found.as_deref().unwrap_or_default(), self.entropy().as_ref())?;
            let Some(value) = value else { return Ok(()) };
            if store.swap_property(CHECK_VALUE, found, value).await? == SwapOutcome::Swapped {
                return Ok(());
            }
        }
        Err(UpdateError::Contended)
    }
}

impl<F: FnMut(ResealNotice<'_>)> Pass<'_, F> {
    async fn page(&mut self, page: Vec<Row>) -> Result<(), UpdateError> {
        let mut left = Vec::with_capacity(page.len());
        for (id, row) in page {
            self.report.accounts += 1;
            match row {
                Ok(Some(stored)) => left.push((id, stored)),
                Ok(None) => {}
                Err(error) => self.failed(&id, error.into()),
            }
        }
        for _ in 0..MAX_ROUNDS {
            left = self.round(left).await?;
            if left.is_empty() {
                return Ok(());
            }
        }
        for (id, _) in &left {
            self.failed(id, UpdateError::Contended);
        }
        Ok(())
    }

    /// Writes what needs it in one commit. Returns what somebody else has written meanwhile, as it is now.
    async fn round(
        &mut self,
        left: Vec<(AccountId, SealedAccount)>,
    ) -> Result<Vec<(AccountId, SealedAccount)>, UpdateError> {
        self.find_keys(&left).await;
        // Once a round: it may be promoted, or rotated again, while this goes on.
        let (keyring, entropy) = (self.accounts.keyring().current(), self.accounts.entropy());
        let mut swaps: Vec<Swap> = Vec::new();
        for (id, stored) in left {
            match resealed(keyring.clone(), &id, &stored, entropy.as_ref()) {
                Ok(swap) => swaps.extend(swap),
                Err(error) => self.failed(&id, error),
            }
        }
        if swaps.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = swaps.iter().map(|swap| swap.id.clone()).collect();
        let outcomes = self.accounts.store().swap_many(swaps).await?;
        let mut again = Vec::new();
        for (id, outcome) in ids.into_iter().zip(outcomes) {
            match outcome {
                SwapOutcome::Swapped => self.report.resealed += 1,
                SwapOutcome::Conflict => match self.accounts.row(&id).await? {
                    Ok(Some(stored)) => again.push((id, stored)),
                    Ok(None) => {}
                    Err(error) => self.failed(&id, error.into()),
                },
            }
        }
        Ok(again)
    }

    async fn find_keys(&mut self, rows: &[(AccountId, SealedAccount)]) {
        let keyring = self.accounts.keyring();
        let known = keyring.current();
        let needed = rows.iter().flat_map(|(_, stored)| [stored.guard.key_id, stored.vault.key_id]);
        let unknown: BTreeSet<_> = needed.filter(|id| !known.has(*id)).collect();
        if !unknown.is_subset(&self.missing) {
            keyring.look_again().await;
            self.missing.extend(unknown);
        }
    }

    fn failed(&mut self, id: &AccountId, error: UpdateError) {
        self.report.failed += 1;
        (self.tell)(ResealNotice::Failed { id, error });
    }
}
