//! Why accounts were not moved, in words for whoever does it.

use super::UpdateError;
use crate::store::{Fence, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Update(#[from] UpdateError),
    #[error("the target has accounts, and they are not those of an unfinished copy")]
    InUse,
    #[error("the target is an unfinished copy of {of}{}", if *.is_ours { "; --resume goes on with it" } else { ", which is another store" })]
    Unfinished { of: String, is_ours: bool },
    #[error(
        "{}; the source goes on serving, and `einmal store check` tells more",
        if *.count == 1 { "1 account of the source does not open".to_owned() } else { format!("{count} accounts of the source do not open") }
    )]
    Damaged { count: u64 },
    #[error("source and target are the same store")]
    Same,
    #[error("the source is closed: {0}")]
    Gone(Fence),
    #[error("the target is closed: {0}")]
    TargetGone(Fence),
    #[error("the source was closed for this target, which has no accounts: whatever it had is lost")]
    Lost,
    #[error("somebody else writes to the target, goes on with the copy, or has given it up")]
    Disturbed,
    #[error("source and target are not the same after the copy")]
    Different,
    #[error("the target has taken over, which cannot be taken back; to move back, copy it to a new store")]
    TakenOver,
    #[error("no copy to this target is under way")]
    NotUnderWay,
    #[error(
        "{error}\nthe source may stay closed, for the target may have taken over: once both answer, go on with --resume or \
         give up with --cancel"
    )]
    LeftClosed { error: Box<CopyError> },
}

impl From<StoreError> for CopyError {
    fn from(error: StoreError) -> Self {
        Self::Update(error.into())
    }
}
