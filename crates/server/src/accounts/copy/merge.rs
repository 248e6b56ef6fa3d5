//! One pass over two stores in the order of their keys, after which the target is what the source was meanwhile. Rows go
//! over as they are sealed; each that the target lacks, and in the end every one, is opened on the way.

use super::super::access::Accounts;
use super::super::update::UpdateError;
use super::{CopyError, CopyNotice};
use crate::store::{Expected, SealedAccount, Store, Swap, SwapOutcome};
use einmal_core::account::AccountId;
use std::cmp::Ordering;
use std::collections::VecDeque;
use tokio::try_join;

/// Of the target, and of what is written in one commit.
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
    target: &dyn Store,
    tell: &mut impl FnMut(CopyNotice<'_>),
) -> Result<Pass, CopyError> {
    // They may have been changed since it was last looked at.
    source.keyring().look_again().await;
    let mut passed = Pass::default();
    let mut swaps: Vec<Swap> = Vec::new();
    let (mut here, mut there) = (Rows::of(|after| source.rows(after)), Rows::of(|after| scan(target, after)));
    loop {
        let (row, other) = try_join!(here.peek(), there.peek())?;
        let order = match (row, other) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((id, _)), Some((other, _))) => id.cmp(other),
        };
        // Of the target alone: it was deleted from the source.
        if order == Ordering::Greater {
            if let Some((id, _)) = there.page.pop_front() {
                passed.deleted += u64::from(target.delete(id).await?);
            }
            continue;
        }
        let other = if order == Ordering::Equal { there.page.pop_front() } else { None };
        let Some((id, row)) = here.page.pop_front() else { continue };
        let opened = row.map_err(UpdateError::from).and_then(|stored| {
            stored.as_ref().map_or(Ok(()), |stored| source.open_stored(&id, stored).map(drop))?;
            Ok(stored)
        });
        match opened {
            // Deleted a moment ago, which the next pass sees.
            Ok(None) => continue,
            Ok(Some(stored)) => {
                let other = other.map(|(_, other)| other);
                if other.as_ref() != Some(&stored) {
                    passed.copied += 1;
                    swaps.push(swap(id, stored, other));
                }
            }
            Err(error) => {
                passed.damaged += 1;
                tell(CopyNotice::Damaged { id: &id, error });
            }
        }
        passed.accounts += 1;
        if swaps.len() == PAGE {
            write(target, &mut swaps).await?;
        }
        if passed.accounts.is_multiple_of(PAGE as u64) {
            tell(CopyNotice::Progress { accounts: passed.accounts });
        }
    }
    write(target, &mut swaps).await?;
    tell(CopyNotice::Progress { accounts: passed.accounts });
    Ok(passed)
}

async fn scan(
    target: &dyn Store,
    after: Option<AccountId>,
) -> Result<Vec<(AccountId, SealedAccount)>, UpdateError> {
    Ok(target.scan(after, PAGE).await?)
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
struct Rows<T, F> {
    read: F,
    page: VecDeque<(AccountId, T)>,
    after: Option<AccountId>,
    is_over: bool,
}

impl<T, F> Rows<T, F>
where
    F: AsyncFn(Option<AccountId>) -> Result<Vec<(AccountId, T)>, UpdateError>,
{
    fn of(read: F) -> Self {
        Self { read, page: VecDeque::new(), after: None, is_over: false }
    }

    async fn peek(&mut self) -> Result<Option<&(AccountId, T)>, CopyError> {
        if self.page.is_empty() && !self.is_over {
            self.page = (self.read)(self.after.take()).await?.into();
            self.after = self.page.back().map(|(id, _)| id.clone());
            self.is_over = self.after.is_none();
        }
        Ok(self.page.front())
    }
}
