//! A new PIN against a one-time password. The code is spent and the PIN set in one commit, so that of many requests with
//! one code one wins, and a crash leaves both or neither.

use super::password_hash::{Place, hash_argon2id};
use super::{Accounts, Outcome, UpdateError};
use crate::metrics::{Attempts, VerificationOutcome};
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, AccountId, Earlier, KeyedRequest, OtpTypes, Refusal, StoredHash, Verdict, Verification, Wait,
};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a request asks for.
#[derive(Clone)]
pub struct NewPin {
    /// It satisfies the rules.
    pub pin: Zeroizing<String>,
    pub code: Code,
    pub keyed: Option<KeyedRequest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinChange {
    Changed,
    Refused(Refusal),
    /// The code was not looked at.
    Throttled(Wait),
    UnknownAccount,
    /// The same request was accepted before.
    Repeated,
    /// The key was another request's. Nothing was looked at.
    KeyReused,
}

enum Attempted {
    Looked(PinChange, Verdict),
    /// The request's key says it all.
    Known(PinChange),
    /// The code turned out good only after a look had found it wrong. Nothing was touched.
    NotHashed,
}

impl Outcome for Attempted {
    fn is_evaluated(&self) -> bool {
        match self {
            Self::Looked(change, _) => !matches!(change, PinChange::Throttled(_)),
            Self::Known(change) => *change == PinChange::Repeated,
            Self::NotHashed => false,
        }
    }

    fn is_repeated(&self) -> bool {
        matches!(self, Self::Known(PinChange::Repeated))
    }
}

impl Accounts {
    /// Hashing comes before the commit and only for a code that is good at a first look, for a guess must not cost a hash.
    /// It goes on when the caller has gone.
    pub async fn change_pin(
        &self,
        id: AccountId,
        new: NewPin,
        now: Timestamp,
        policy: Arc<Policy>,
    ) -> Result<PinChange, UpdateError> {
        let accounts = self.clone();
        let change = async move { accounts.try_change_pin(id, new, now, policy).await };
        self.detach(change).await.map_err(|_| UpdateError::Panicked)?
    }

    async fn try_change_pin(
        &self,
        id: AccountId,
        new: NewPin,
        now: Timestamp,
        policy: Arc<Policy>,
    ) -> Result<PinChange, UpdateError> {
        let place = self.enter_hashing()?;
        for _ in 0..Self::MAX_ROUNDS {
            let mut seen = self.read(&id).await?;
            let is_good = seen.as_mut().is_some_and(|account| is_good(account, &new, now, &policy));
            let hash = if is_good { Some(self.hash_pin(&new.pin, &place).await?) } else { None };
            let (new, policy) = (new.clone(), Arc::clone(&policy));
            let attempt = move |account: &mut Account| attempt(account, &new, hash.as_ref(), now, &policy);
            let reporter = self.reporter.clone();
            let count = move |attempts: &Attempts, attempted: Option<&Attempted>| {
                let verdict = match attempted {
                    Some(Attempted::Looked(_, verdict)) => Some(verdict),
                    Some(Attempted::Known(PinChange::Repeated)) => {
                        return attempts.verified(OtpTypes::ALL, VerificationOutcome::Repeated);
                    }
                    Some(Attempted::Known(_) | Attempted::NotHashed) => return,
                    None => None,
                };
                reporter.decided(attempts, OtpTypes::ALL, verdict);
            };
            match self.update_counted(id.clone(), attempt, count).await? {
                Some(Attempted::Looked(change, _) | Attempted::Known(change)) => return Ok(change),
                Some(Attempted::NotHashed) => {}
                None => return Ok(PinChange::UnknownAccount),
            }
        }
        Err(UpdateError::Contended)
    }

    async fn hash_pin(&self, pin: &Zeroizing<String>, place: &Place) -> Result<StoredHash, UpdateError> {
        let (pin, entropy) = (pin.clone(), self.entropy());
        let hash = place.run(move || hash_argon2id(pin.as_bytes(), entropy.as_ref())).await??;
        Ok(StoredHash::new(hash))
    }
}

/// At a first look, on a copy that is thrown away.
fn is_good(account: &mut Account, new: &NewPin, now: Timestamp, policy: &Policy) -> bool {
    let is_first = new.keyed.is_none_or(|keyed| account.earlier_change(&keyed, now) == Earlier::Nothing);
    is_first && account.verify(&new.code, OtpTypes::ALL, now, policy) == Verification::Accepted
}

fn attempt(
    account: &mut Account,
    new: &NewPin,
    hash: Option<&StoredHash>,
    now: Timestamp,
    policy: &Policy,
) -> Attempted {
    match new.keyed.map_or(Earlier::Nothing, |keyed| account.earlier_change(&keyed, now)) {
        Earlier::Accepted(_) => return Attempted::Known(PinChange::Repeated),
        Earlier::OtherBody => return Attempted::Known(PinChange::KeyReused),
        Earlier::Nothing => {}
    }
    let mut tried = account.clone();
    let verdict = tried.verify_telling(&new.code, OtpTypes::ALL, now, policy);
    let change = match (verdict.verification, hash) {
        (Verification::Accepted, Some(hash)) => {
            tried.set_pin(hash.clone(), now);
            if let Some(keyed) = new.keyed {
                tried.remember_change(keyed, now, None);
            }
            PinChange::Changed
        }
        (Verification::Accepted, None) => return Attempted::NotHashed,
        (Verification::Refused(refusal), _) => PinChange::Refused(refusal),
        (Verification::Throttled(wait), _) => PinChange::Throttled(wait),
    };
    *account = tried;
    Attempted::Looked(change, verdict)
}
