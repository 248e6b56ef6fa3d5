//! What operations decide, as far as the loop has to know of it.

use einmal_core::account::{Keyed, Look, Verdict, Verification, Wait};

/// What an operation decided.
pub trait Outcome: Send + 'static {
    /// Whether the attempt was looked at. If so a guard is written even where nothing changed, so that refusals
    /// take the same time.
    fn is_evaluated(&self) -> bool;

    /// Whether an earlier success is answered again. That was read, and what one reads may not be on the disk of every
    /// replica yet: so it needs a commit, which is not answered before it is.
    fn is_repeated(&self) -> bool {
        false
    }
}

impl Outcome for Verification {
    fn is_evaluated(&self) -> bool {
        !matches!(self, Self::Throttled(_))
    }
}

impl Outcome for Verdict {
    fn is_evaluated(&self) -> bool {
        self.verification.is_evaluated()
    }
}

impl<T: Outcome> Outcome for Keyed<T> {
    fn is_evaluated(&self) -> bool {
        match self {
            Self::First(outcome) => outcome.is_evaluated(),
            Self::Repeated => true,
            Self::KeyReused => false,
        }
    }

    fn is_repeated(&self) -> bool {
        matches!(self, Self::Repeated)
    }
}

/// Whoever asks is no guesser, and may see in the time it takes what is told anyway. That one was counted is a change,
/// and written as any.
impl Outcome for Result<Look, Wait> {
    fn is_evaluated(&self) -> bool {
        false
    }
}

/// A change that nobody has to prove anything for.
pub(super) struct Done<T>(pub(super) T);

impl<T: Send + 'static> Outcome for Done<T> {
    fn is_evaluated(&self) -> bool {
        true
    }
}
