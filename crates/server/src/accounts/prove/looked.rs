//! What a round of the loop has seen of a proof, and what of that has to be written. Decides nothing.

use super::{Deed, Proof};
use crate::accounts::Outcome;
use einmal_core::account::{Account, Reserved, Verdict};

/// One kind's part in a proof, as the loop sees it.
pub(in super::super) enum Looked<T> {
    /// Whatever came of it, it is written.
    At(Proof<T>),
    Untouched(Proof<T>),
}

impl<T> Looked<T> {
    /// What an earlier request under the same key makes of this one.
    pub(in super::super) fn earlier(deed: &impl Deed<Done = T>, account: &mut Account) -> Option<Self> {
        deed.earlier(account).map(|proof| match proof {
            Proof::Repeated(_) => Self::At(proof),
            _ => Self::Untouched(proof),
        })
    }

    pub(in super::super) fn into_proof(self) -> Proof<T> {
        let (Self::At(proof) | Self::Untouched(proof)) = self;
        proof
    }
}

impl<T: Send + 'static> Outcome for Looked<T> {
    fn is_evaluated(&self) -> bool {
        matches!(self, Self::At(_))
    }

    fn is_repeated(&self) -> bool {
        matches!(self, Self::At(Proof::Repeated(_)))
    }
}

/// With what is counted of it.
impl<T: Send + 'static> Outcome for (Looked<T>, Option<Verdict>) {
    fn is_evaluated(&self) -> bool {
        self.0.is_evaluated()
    }

    fn is_repeated(&self) -> bool {
        self.0.is_repeated()
    }
}

/// What was right, once it is settled; `None` if it is not the account's any more.
pub(super) struct Settled<T>(pub(super) Option<Proof<T>>);

impl<T: Send + 'static> Outcome for Settled<T> {
    fn is_evaluated(&self) -> bool {
        true
    }

    /// A twin of the request may have been accepted meanwhile.
    fn is_repeated(&self) -> bool {
        matches!(self.0, Some(Proof::Repeated(_)))
    }
}

/// An attempt at a slow kind.
pub(super) enum Admission<T> {
    Reserved(Reserved),
    /// Nothing is to be compared.
    Decided(Looked<T>),
}

impl<T: Send + 'static> Outcome for Admission<T> {
    fn is_evaluated(&self) -> bool {
        match self {
            Self::Reserved(_) => true,
            Self::Decided(looked) => looked.is_evaluated(),
        }
    }

    fn is_repeated(&self) -> bool {
        matches!(self, Self::Decided(looked) if looked.is_repeated())
    }
}
