//! PIN and password as proof of who is asking. To compare them is slow work, done outside: an attempt is counted
//! as failed *before* that (`reserve`), and what it took is given back if it was right (`settle`). So parallel
//! guesses cost as many comparisons as there are free failures, and a crash in between leaves a counted failure. Only
//! what was certainly not looked at is taken back without being right (`withdraw`).

use super::{Account, StoredHash, Throttle, Wait};
use crate::Timestamp;
use crate::policy::Policy;

/// What is slow to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// By the account's own hash.
    Password,
    /// By whom the account comes from, who alone knows it: a hash of the account's own says nothing.
    PasswordAtIssuer,
    /// By the account's own hash.
    Pin,
}

/// Whether an attempt may be looked at.
pub enum Reservation {
    Granted(Reserved),
    /// Not looked at and not counted.
    Throttled(Wait),
}

/// An attempt that was counted as failed and is about to be looked at.
#[derive(Clone)]
pub struct Reserved {
    kind: ProofKind,
    /// What it is to be compared with. `None` if nothing is set, and then it is wrong whatever it is; or if somebody
    /// else judges it.
    pub hash: Option<StoredHash>,
    /// Failures in a row, with this attempt.
    failures: u32,
}

impl Reserved {
    /// If it turns out to be wrong: whether it was so once too often.
    pub fn begins_wait(&self, policy: &Policy) -> bool {
        self.failures >= policy.free_failures
    }

    /// The same, for the life of a PIN.
    pub fn kills_pin(&self) -> bool {
        self.kind == ProofKind::Pin && self.hash.is_some() && self.failures >= Policy::PIN_FAILURES
    }
}

impl Account {
    /// Counts one failure of `kind`, also where none is set: else asking would cost a hash and nothing more.
    pub fn reserve(&mut self, kind: ProofKind, now: Timestamp, policy: &Policy) -> Reservation {
        if let Some(wait) = self.proof_throttle(kind).wait(now, policy) {
            return Reservation::Throttled(wait);
        }
        let hash = self.live_hash(kind).cloned();
        let throttle = self.proof_throttle(kind);
        throttle.fail(now, policy);
        Reservation::Granted(Reserved { kind, hash, failures: throttle.failures })
    }

    /// Gives back what a right attempt and those before it were counted. Those that came after it stay counted, or
    /// guesses beside an owner's success would be free. Of two right attempts at once each gives back what came before
    /// it, some of it twice: no success is worth more guesses than there are free failures. `false` if what was compared is the account's no more:
    /// then it was no proof. `rehashed` takes the hash's place. What the issuer has judged is its own.
    pub fn settle(&mut self, reserved: &Reserved, rehashed: Option<&StoredHash>, policy: &Policy) -> bool {
        let stored = match reserved.kind {
            ProofKind::Password => Some(&mut self.password),
            ProofKind::PasswordAtIssuer => None,
            ProofKind::Pin => Some(&mut self.pin),
        };
        if let Some(stored) = stored {
            if reserved.hash.is_none() || *stored != reserved.hash {
                return false;
            }
            if let Some(rehashed) = rehashed {
                *stored = Some(rehashed.clone());
            }
        }
        self.proof_throttle(reserved.kind).forgive(reserved.failures, policy);
        true
    }

    /// Takes back the one failure of an attempt that was certainly not looked at. If a success has given that one back
    /// already, it takes another one: at most as many for a success as were under way beside it.
    pub fn withdraw(&mut self, reserved: &Reserved, policy: &Policy) {
        self.proof_throttle(reserved.kind).withdraw(reserved.failures, policy);
    }

    /// A PIN that died of wrong guesses counts as not set.
    pub fn has_live_pin(&self) -> bool {
        self.live_hash(ProofKind::Pin).is_some()
    }

    fn live_hash(&self, kind: ProofKind) -> Option<&StoredHash> {
        match kind {
            ProofKind::Password => self.password.as_ref(),
            ProofKind::PasswordAtIssuer => None,
            ProofKind::Pin => self.pin.as_ref().filter(|_| self.pin_throttle.failures < Policy::PIN_FAILURES),
        }
    }

    fn proof_throttle(&mut self, kind: ProofKind) -> &mut Throttle {
        match kind {
            ProofKind::Password | ProofKind::PasswordAtIssuer => &mut self.password_throttle,
            ProofKind::Pin => &mut self.pin_throttle,
        }
    }
}
