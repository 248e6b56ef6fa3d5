//! Moves all accounts to another store: copies them while this one serves, closes this one, copies what has changed since,
//! and opens the other. Must never let both take writes, and never open one that is not the same in every row.

mod merge;

use super::update::{Accounts, UpdateError};
use crate::entropy::random_number;
use crate::store::{Fence, StoreError, SwapOutcome, claim_property, fence_of};
use einmal_core::account::AccountId;
use merge::{Pass, pass};
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

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Update(#[from] UpdateError),
    #[error("the target has accounts, and they are not those of an unfinished copy")]
    InUse,
    #[error("the target is an unfinished copy of {0}; --resume goes on with it")]
    Unfinished(String),
    #[error("{0} in the source, which goes on serving; `einmal store check` tells more")]
    Damaged(Faults),
    #[error("source and target are the same store")]
    Same,
    #[error("the source is closed: {0}")]
    Gone(Fence),
    #[error("the target is closed: {0}")]
    TargetGone(Fence),
    #[error("somebody else writes to the target, or goes on with the copy")]
    Disturbed,
    #[error("source and target are not the same after the copy")]
    Different,
    #[error("the target has taken over, which cannot be taken back; to move back, copy it to a new store")]
    TakenOver,
    #[error("no copy is under way")]
    NotUnderWay,
    #[error(
        "{error}\nthe source may stay closed, for the target may have taken over: once both answer, go on with --resume or \
         give up with --cancel"
    )]
    LeftClosed { error: Box<CopyError> },
}

/// A number of accounts that do not open.
#[derive(Debug)]
pub struct Faults(u64);

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            1 => f.write_str("1 account does not open"),
            count => write!(f, "{count} accounts do not open"),
        }
    }
}

impl From<StoreError> for CopyError {
    fn from(error: StoreError) -> Self {
        Self::Update(error.into())
    }
}

/// Of a store, so that a closed one knows where its accounts are.
const IDENTITY: &str = "identity";

/// From one store to another under the same keyring, both opened so that a fence does not hold this up.
pub struct Copy<'a> {
    source: &'a Accounts,
    target: &'a Accounts,
    source_name: &'a str,
    /// What the source says once it is closed.
    moved: Fence,
}

impl<'a> Copy<'a> {
    /// The names stand in the fences, and hold no secrets.
    pub async fn between(
        source: (&'a Accounts, &'a str),
        target: (&'a Accounts, &'a str),
    ) -> Result<Self, CopyError> {
        let ((source, source_name), (target, target_name)) = (source, target);
        let drawn = random_number(source.entropy().as_ref()).map_err(UpdateError::from)?;
        let found = claim_property(target.store().as_ref(), IDENTITY, drawn.to_be_bytes().into()).await?;
        if source.store().property(IDENTITY).await?.as_ref() == Some(&found) {
            return Err(CopyError::Same);
        }
        let damaged = |_| StoreError::Damaged(format!("{target_name}: its identity is no number"));
        let identity = u64::from_be_bytes(found.as_slice().try_into().map_err(damaged)?);
        let moved = Fence::MovedTo { target: target_name.to_owned(), identity };
        Ok(Self { source, target, source_name, moved })
    }

    /// Goes through with it. `resume` goes on with a copy that was interrupted. `None` if that was done already.
    pub async fn run(
        &self,
        resume: bool,
        mut tell: impl FnMut(CopyNotice<'_>),
    ) -> Result<Option<CopyReport>, CopyError> {
        let closed = fence_of(self.source.store().as_ref()).await?;
        let Some(mark) = self.begin(resume, closed.as_ref()).await? else { return Ok(None) };
        let mut report = CopyReport::default();
        if closed.is_none() {
            for _ in 0..MOST_PASSES {
                let passed = self.pass(&mut report, &mut tell).await?;
                if passed.changes() <= FEW {
                    break;
                }
            }
        }
        let closing = Instant::now();
        let finished = match self.close(closed).await {
            Ok(()) => {
                tell(CopyNotice::Closing);
                self.finish(&mark, &mut report, &mut tell).await
            }
            Err(error) => Err(error),
        };
        report.closed = closing.elapsed();
        match finished {
            Ok(()) => Ok(Some(report)),
            Err(error) => match self.reopen(&mark).await {
                Ok(()) => {
                    tell(CopyNotice::OpenAgain);
                    Err(error)
                }
                Err(_) => Err(CopyError::LeftClosed { error: Box::new(error) }),
            },
        }
    }

    /// Lets the source serve again after a copy that did not come to its end. The target stays closed.
    pub async fn cancel(&self) -> Result<(), CopyError> {
        if let Some(mark @ Fence::CopyOf { .. }) = fence_of(self.target.store().as_ref()).await? {
            return self.reopen(&mark).await;
        }
        match fence_of(self.source.store().as_ref()).await? {
            Some(_) => Err(CopyError::TakenOver),
            None => Err(CopyError::NotUnderWay),
        }
    }

    /// Closes the target to everybody else. `None` if it serves already.
    async fn begin(&self, resume: bool, closed: Option<&Fence>) -> Result<Option<Fence>, CopyError> {
        let target = self.target.store().as_ref();
        let found = fence_of(target).await?;
        let is_empty = target.ids(None, 1).await?.is_empty();
        match (&found, closed) {
            (_, Some(closed)) if !self.is_moved(closed) => return Err(CopyError::Gone(closed.clone())),
            (Some(Fence::CopyOf { source, .. }), _) if !resume => {
                return Err(CopyError::Unfinished(source.clone()));
            }
            (Some(gone @ Fence::MovedTo { .. }), _) => return Err(CopyError::TargetGone(gone.clone())),
            (None, Some(_)) if resume && !is_empty => return Ok(None),
            (None, Some(closed)) => return Err(CopyError::Gone(closed.clone())),
            (None, None) if !is_empty => return Err(CopyError::InUse),
            (Some(Fence::CopyOf { .. }), _) | (None, None) => {}
        }
        let mark = self.new_mark()?;
        let was_open = found.is_none();
        change(self.target, found, Some(mark.clone())).await?;
        // An account may have come into being before it was closed.
        if was_open && !target.ids(None, 1).await?.is_empty() {
            change(self.target, Some(mark), None).await?;
            return Err(CopyError::InUse);
        }
        Ok(Some(mark))
    }

    /// Whether the source was closed for this target.
    fn is_moved(&self, closed: &Fence) -> bool {
        match (closed, &self.moved) {
            (Fence::MovedTo { identity, .. }, Fence::MovedTo { identity: wanted, .. }) => identity == wanted,
            _ => false,
        }
    }

    async fn close(&self, closed: Option<Fence>) -> Result<(), CopyError> {
        match closed {
            Some(_) => Ok(()),
            None => change(self.source, None, Some(self.moved.clone())).await,
        }
    }

    /// With the source closed: the rest, a look at everything, and the handover.
    async fn finish(
        &self,
        mark: &Fence,
        report: &mut CopyReport,
        tell: &mut impl FnMut(CopyNotice<'_>),
    ) -> Result<(), CopyError> {
        self.pass(report, tell).await?;
        let last = self.pass(report, tell).await?;
        if last.changes() > 0 {
            return Err(CopyError::Different);
        }
        report.accounts = last.accounts;
        change(self.target, Some(mark.clone()), None).await
    }

    /// First the target gets another mark, so that nobody can finish this copy any more.
    async fn reopen(&self, mark: &Fence) -> Result<(), CopyError> {
        change(self.target, Some(mark.clone()), Some(self.new_mark()?)).await?;
        self.open_source().await
    }

    async fn open_source(&self) -> Result<(), CopyError> {
        match fence_of(self.source.store().as_ref()).await? {
            None => Ok(()),
            Some(closed) if self.is_moved(&closed) => change(self.source, Some(closed), None).await,
            Some(closed) => Err(CopyError::Gone(closed)),
        }
    }

    fn new_mark(&self) -> Result<Fence, CopyError> {
        let run = random_number(self.source.entropy().as_ref()).map_err(UpdateError::from)?;
        Ok(Fence::CopyOf { source: self.source_name.to_owned(), run })
    }

    async fn pass(
        &self,
        report: &mut CopyReport,
        tell: &mut impl FnMut(CopyNotice<'_>),
    ) -> Result<Pass, CopyError> {
        let passed = pass(self.source, self.target, tell).await?;
        report.copied += passed.copied;
        report.deleted += passed.deleted;
        if passed.damaged > 0 { Err(CopyError::Damaged(Faults(passed.damaged))) } else { Ok(passed) }
    }
}

async fn change(of: &Accounts, from: Option<Fence>, to: Option<Fence>) -> Result<(), CopyError> {
    match of.store().swap_fence(from, to).await? {
        SwapOutcome::Swapped => Ok(()),
        SwapOutcome::Conflict => Err(CopyError::Disturbed),
    }
}

/// Lets a store serve again that was closed for a target which is lost. Whoever says so must know that it will never
/// serve.
pub async fn reopen_without_target(source: &Accounts) -> Result<(), CopyError> {
    match fence_of(source.store().as_ref()).await? {
        Some(closed @ Fence::MovedTo { .. }) => change(source, Some(closed), None).await,
        Some(closed) => Err(CopyError::Gone(closed)),
        None => Err(CopyError::NotUnderWay),
    }
}
