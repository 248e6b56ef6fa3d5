//! Moves all accounts to another store: copies them while this one serves, closes this one, copies what has changed since,
//! and opens the other. Must never let both take writes, and never open one that is not the same in every row.
//!
//! What keeps several who copy, go on and give up from each other: every change of a fence is a swap from the very mark
//! that was read; a run writes to the target only while its own mark is there; it opens the target only after the source
//! was closed in its own name; and whoever opens the source again has read its mark before he takes the target's away.

mod copy_error;
mod merge;

pub use copy_error::CopyError;

use super::access::Accounts;
use super::update::UpdateError;
use crate::entropy::random_number;
use crate::store::{Fence, Store, StoreError, SwapOutcome, claim_property, fence_of};
use einmal_core::Entropy;
use einmal_core::account::AccountId;
use merge::Pass;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So many changes are copied within a second or so: with no more of them the source is closed.
const FEW: u64 = 1_000;
/// On a source that changes faster than it is copied, more passes make nothing better.
const MOST_PASSES: usize = 5;

/// What is told while it goes on.
#[derive(Debug)]
pub enum CopyNotice<'a> {
    /// So many accounts were gone through in a pass.
    Progress {
        accounts: u64,
    },
    /// From here on the source answers no more.
    Closing,
    /// It does again, since the copy failed.
    OpenAgain,
    Damaged {
        id: &'a AccountId,
        error: UpdateError,
    },
}

/// What a copy has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// In the target now.
    pub accounts: u64,
    pub copied: u64,
    pub deleted: u64,
    /// How long neither store took writes.
    pub closed: Duration,
}

/// One of the two stores, with its name for messages and fences, which holds no secrets.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub accounts: &'a Accounts,
    pub name: &'a str,
}

impl Side<'_> {
    fn store(&self) -> &dyn Store {
        self.accounts.store().as_ref()
    }

    async fn fence(&self) -> Result<Option<Fence>, CopyError> {
        Ok(fence_of(self.store()).await?)
    }

    /// Of a store, so that it is known again.
    async fn identity(&self) -> Result<u64, CopyError> {
        let drawn = draw(self.accounts.entropy().as_ref())?.to_be_bytes();
        let found = claim_property(self.store(), IDENTITY, drawn.into()).await?;
        let damaged = |_| StoreError::Damaged(format!("{}: its identity is no number", self.name));
        Ok(u64::from_be_bytes(found.as_slice().try_into().map_err(damaged)?))
    }

    async fn swap(&self, from: Option<Fence>, to: Option<Fence>) -> Result<(), CopyError> {
        match self.store().swap_fence(from, to).await? {
            SwapOutcome::Swapped => Ok(()),
            SwapOutcome::Conflict => Err(CopyError::Disturbed),
        }
    }
}

const IDENTITY: &str = "identity";

fn draw(entropy: &dyn Entropy) -> Result<u64, CopyError> {
    Ok(random_number(entropy).map_err(UpdateError::from)?)
}

/// One run, from one store to another under the same keyring.
pub struct Copy<'a> {
    source: Side<'a>,
    target: Side<'a>,
    source_identity: u64,
    target_identity: u64,
    run: u64,
}

impl<'a> Copy<'a> {
    pub async fn between(source: Side<'a>, target: Side<'a>) -> Result<Self, CopyError> {
        let (source_identity, target_identity) = (source.identity().await?, target.identity().await?);
        if source_identity == target_identity {
            return Err(CopyError::Same);
        }
        let run = draw(source.accounts.entropy().as_ref())?;
        Ok(Self { source, target, source_identity, target_identity, run })
    }

    /// The fence that the target has during this run.
    pub fn mark(&self) -> Fence {
        let source = self.source.name.to_owned();
        Fence::CopyOf { source, identity: self.source_identity, run: self.run }
    }

    /// The one that the source has once this run has closed it.
    fn moving(&self) -> Fence {
        let target = self.target.name.to_owned();
        Fence::MovingTo { target, identity: self.target_identity, run: self.run }
    }

    /// Goes through with it. `behind` is the target, opened behind [`Copy::mark`]. `resume` goes on with a copy that was
    /// interrupted. `None` if the target has taken over already.
    pub async fn run(
        &self,
        behind: Arc<dyn Store>,
        resume: bool,
        mut tell: impl FnMut(CopyNotice<'_>),
    ) -> Result<Option<CopyReport>, CopyError> {
        let closed = self.source.fence().await?;
        if closed.is_none() {
            // Changes nothing: whoever may not close it learns that here.
            self.source.swap(None, None).await?;
        }
        if !self.begin(resume, closed.as_ref()).await? {
            return Ok(None);
        }
        let mut work = Work { copy: self, behind, report: CopyReport::default() };
        if let Some(closed) = closed.clone() {
            // In this run's name, before anything is compared: nobody who closed it earlier opens it any more.
            self.source.swap(Some(closed), Some(self.moving())).await?;
        } else {
            work.approach(&mut tell).await?;
        }
        let closing = Instant::now();
        if closed.is_none()
            && let Err(error) = self.source.swap(None, Some(self.moving())).await
        {
            return Err(self.reopened(error, None, &mut tell).await);
        }
        tell(CopyNotice::Closing);
        if let Err(error) = work.compare(&mut tell).await {
            return Err(self.reopened(error, None, &mut tell).await);
        }
        if let Err(error) = self.target.swap(Some(self.mark()), None).await {
            // It may have happened.
            return Err(self.reopened(error, Some(self.mark()), &mut tell).await);
        }
        work.report.closed = closing.elapsed();
        // Whoever fails here is right in all but the word: the next one who asks writes it.
        let _ = self.settle().await;
        Ok(Some(work.report))
    }

    /// Lets the source serve again after a copy that did not come to its end. The target stays closed.
    pub async fn cancel(&self) -> Result<(), CopyError> {
        let closed = self.source.fence().await?;
        match &closed {
            None => {}
            Some(Fence::MovingTo { identity, .. }) if *identity == self.target_identity => {}
            Some(Fence::MovedTo { .. }) => return Err(CopyError::TakenOver),
            Some(other) => return Err(CopyError::Gone(other.clone())),
        }
        match self.target.fence().await? {
            Some(mark @ Fence::CopyOf { identity, .. }) if identity == self.source_identity => {
                self.take_away(mark).await?;
            }
            None if closed.is_some() => {
                self.settle().await?;
                return Err(CopyError::TakenOver);
            }
            _ => return Err(CopyError::NotUnderWay),
        }
        // Also where it is open: an earlier closing that was never answered may be on its way.
        self.source.swap(closed, None).await
    }

    /// Closes the target to everybody but this run. `false` if it serves already.
    async fn begin(&self, resume: bool, closed: Option<&Fence>) -> Result<bool, CopyError> {
        let found = self.target.fence().await?;
        let is_empty = self.target.store().ids(None, 1).await?.is_empty();
        let is_ours = |identity: u64| identity == self.source_identity;
        match (closed, &found) {
            (Some(Fence::MovingTo { identity, .. }), _) if *identity == self.target_identity => {}
            (Some(Fence::MovedTo { .. }), None) if resume && !is_empty => return Ok(false),
            (Some(closed), _) => return Err(CopyError::Gone(closed.clone())),
            (None, _) => {}
        }
        match &found {
            Some(Fence::CopyOf { source, identity, .. }) if !resume || !is_ours(*identity) => {
                return Err(CopyError::Unfinished { of: source.clone(), is_ours: is_ours(*identity) });
            }
            Some(Fence::CopyOf { .. }) => {}
            Some(gone) => return Err(CopyError::TargetGone(gone.clone())),
            None if closed.is_some() && !is_empty => {
                self.settle().await?;
                return Ok(false);
            }
            None if closed.is_some() => return Err(CopyError::Lost),
            None if !is_empty => return Err(CopyError::InUse),
            None => {}
        }
        let was_open = found.is_none();
        self.target.swap(found, Some(self.mark())).await?;
        // An account may have come into being before it was closed.
        if was_open && !self.target.store().ids(None, 1).await?.is_empty() {
            self.target.swap(Some(self.mark()), None).await?;
            return Err(CopyError::InUse);
        }
        Ok(true)
    }

    /// After a failure with the source closed in this run's name, or perhaps closed. If the target may have been opened,
    /// `mark` is what must still be there.
    async fn reopened(
        &self,
        error: CopyError,
        mark: Option<Fence>,
        tell: &mut impl FnMut(CopyNotice<'_>),
    ) -> CopyError {
        let reopening = async {
            if let Some(mark) = mark {
                self.take_away(mark).await?;
            }
            match self.source.swap(Some(self.moving()), None).await {
                // The closing did not happen; and if it was only late, it comes before this.
                Err(CopyError::Disturbed) => self.source.swap(None, None).await,
                done => done,
            }
        };
        match reopening.await {
            Ok(()) => {
                tell(CopyNotice::OpenAgain);
                error
            }
            Err(_) => CopyError::LeftClosed { error: Box::new(error) },
        }
    }

    /// Nobody can finish the copy that had this mark.
    async fn take_away(&self, mark: Fence) -> Result<(), CopyError> {
        let (source, identity) = (self.source.name.to_owned(), self.source_identity);
        let run = draw(self.source.accounts.entropy().as_ref())?;
        self.target.swap(Some(mark), Some(Fence::CopyOf { source, identity, run })).await
    }

    /// Of a target that serves: its source is never to be asked again.
    async fn settle(&self) -> Result<(), CopyError> {
        let Some(closed @ Fence::MovingTo { .. }) = self.source.fence().await? else { return Ok(()) };
        let target = self.target.name.to_owned();
        self.source.swap(Some(closed), Some(Fence::MovedTo { target })).await
    }
}

/// What a run does row by row.
struct Work<'a> {
    copy: &'a Copy<'a>,
    behind: Arc<dyn Store>,
    report: CopyReport,
}

impl Work<'_> {
    /// While the source serves.
    async fn approach(&mut self, tell: &mut impl FnMut(CopyNotice<'_>)) -> Result<(), CopyError> {
        for _ in 0..MOST_PASSES {
            if self.pass(tell).await?.changes() <= FEW {
                break;
            }
        }
        Ok(())
    }

    /// While it is closed: the rest, and a look at everything.
    async fn compare(&mut self, tell: &mut impl FnMut(CopyNotice<'_>)) -> Result<(), CopyError> {
        self.pass(tell).await?;
        let last = self.pass(tell).await?;
        if last.changes() > 0 {
            return Err(CopyError::Different);
        }
        self.report.accounts = last.accounts;
        // Keys may have been changed meanwhile: the target must open with those that are left.
        Ok(self.copy.target.accounts.reseal_check_value(self.behind.as_ref()).await?)
    }

    async fn pass(&mut self, tell: &mut impl FnMut(CopyNotice<'_>)) -> Result<Pass, CopyError> {
        let passed = merge::pass(self.copy.source.accounts, self.behind.as_ref(), tell).await?;
        self.report.copied += passed.copied;
        self.report.deleted += passed.deleted;
        if passed.damaged > 0 { Err(CopyError::Damaged { count: passed.damaged }) } else { Ok(passed) }
    }
}

/// Lets a store serve again that was closed for a target which is lost. Whoever says so must know that it will never
/// serve.
pub async fn reopen_without_target(source: Side<'_>) -> Result<(), CopyError> {
    match source.fence().await? {
        Some(closed @ Fence::MovingTo { .. }) => source.swap(Some(closed), None).await,
        Some(Fence::MovedTo { .. }) => Err(CopyError::TakenOver),
        Some(closed) => Err(CopyError::Gone(closed)),
        None => Err(CopyError::NotUnderWay),
    }
}
