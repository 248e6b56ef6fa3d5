//! One pass over two stores in the order of their keys, after which the target is what the source was meanwhile. Rows go
//! over as they are sealed; each that the target lacks, and in the end every one, is opened on the way.

use super::super::update::Accounts;
use super::{CopyError, CopyNotice};
use crate::store::{Expected, SealedAccount, Store, Swap, SwapOutcome};
use einmal_core::account::AccountId;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// Of reading, and of writing in one commit.
const PAGE: usize = 1_000;

/// What a pass has found and done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pass {
    pub(super) accounts: u64,
    pub(super) copied: u64,
    pub(super) deleted: u64,
    /// They do not open, and were not copied.
    pub(super) damaged: u64,
}

impl Pass {
    pub(super) fn changes(&self) -> u64 {
        self.copied + self.deleted
    }
}

pub(super) async fn pass(
    source: &Accounts,
    target: &Accounts,
    tell: &mut impl FnMut(CopyNotice<'_>),
) -> Result<Pass, CopyError> {
    let mut passed = Pass::default();
    let mut swaps: Vec<Swap> = Vec::new();
    let (mut here, mut there) = (Rows::of(source.store().as_ref()), Rows::of(target.store().as_ref()));
    loop {
        let (row, other) = (here.peek().await?, there.peek().await?);
        let order = match (&row, &other) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((id, _)), Some((other, _))) => id.cmp(other),
        };
        // Of the target alone: it was deleted from the source.
        if order == Ordering::Greater {
            if let Some((id, _)) = there.page.pop_front() {
                passed.deleted += u64::from(target.store().delete(id).await?);
            }
            continue;
        }
        let other = if order == Ordering::Equal { there.page.pop_front() } else { None };
        let Some((id, stored)) = here.page.pop_front() else { continue };
        passed.accounts += 1;
        if let Err(error) = source.open_stored(&id, &stored) {
            passed.damaged += 1;
            tell(CopyNotice::Damaged { id: &id, error });
            continue;
        }
        let other = other.map(|(_, other)| other);
        if other.as_ref() != Some(&stored) {
            passed.copied += 1;
            swaps.push(swap(id, stored, other));
        }
        if swaps.len() == PAGE {
            write(target.store().as_ref(), &mut swaps).await?;
        }
        if passed.accounts.is_multiple_of(PAGE as u64) {
            tell(CopyNotice::Progress { accounts: passed.accounts });
        }
    }
    write(target.store().as_ref(), &mut swaps).await?;
    tell(CopyNotice::Progress { accounts: passed.accounts });
    Ok(passed)
}

fn swap(id: AccountId, stored: SealedAccount, other: Option<SealedAccount>) -> Swap {
    let expected = other.map_or(Expected::Absent, |other| Expected::Version(other.guard.version));
    Swap { id, expected, guard: stored.guard, vault: Some(stored.vault) }
}

async fn write(target: &dyn Store, swaps: &mut Vec<Swap>) -> Result<(), CopyError> {
    if swaps.is_empty() {
        return Ok(());
    }
    let outcomes = target.swap_many(std::mem::take(swaps)).await?;
    let all = outcomes.iter().all(|outcome| *outcome == SwapOutcome::Swapped);
    if all { Ok(()) } else { Err(CopyError::Disturbed) }
}

/// The rows of a store, page by page.
struct Rows<'a> {
    store: &'a dyn Store,
    page: VecDeque<(AccountId, SealedAccount)>,
    after: Option<AccountId>,
    is_over: bool,
}

impl<'a> Rows<'a> {
    fn of(store: &'a dyn Store) -> Self {
        Self { store, page: VecDeque::new(), after: None, is_over: false }
    }

    async fn peek(&mut self) -> Result<Option<&(AccountId, SealedAccount)>, CopyError> {
        if self.page.is_empty() && !self.is_over {
            self.page = self.store.scan(self.after.take(), PAGE).await?.into();
            self.after = self.page.back().map(|(id, _)| id.clone());
            self.is_over = self.after.is_none();
        }
        Ok(self.page.front())
    }
}
