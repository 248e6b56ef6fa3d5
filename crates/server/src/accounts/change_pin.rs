//! A new PIN against a one-time password. The code is spent and the PIN set in one commit, so that of many requests with
//! one code one wins, and a crash leaves both or neither.

use super::password_hash::hash_argon2id;
use super::{Accounts, Outcome, UpdateError};
use crate::trace;
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, OtpTypes, Refusal, StoredHash, Verdict, Verification, Wait};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::sync::Arc;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinChange {
    Changed,
    Refused(Refusal),
    /// The code was not looked at.
    Throttled(Wait),
    UnknownAccount,
}

/// `None` where a code turned out good only after a look had found it wrong, and nothing was touched.
struct Attempted(Option<(PinChange, Verdict)>);

impl Outcome for Attempted {
    fn is_evaluated(&self) -> bool {
        !matches!(self.0, None | Some((PinChange::Throttled(_), _)))
    }
}

impl Accounts {
    /// `pin` satisfies the rules. Hashing comes before the commit and only for a code that is good at a first look, for a
    /// guess must not cost a hash. It goes on when the caller has gone.
    pub async fn change_pin(
        &self,
        id: AccountId,
        code: Code,
        pin: Zeroizing<String>,
        now: Timestamp,
        policy: Arc<Policy>,
    ) -> Result<PinChange, UpdateError> {
        let accounts = self.clone();
        let change = async move { accounts.try_change_pin(id, code, pin, now, policy).await };
        tokio::spawn(trace::carried(change)).await.map_err(|_| UpdateError::Panicked)?
    }

    async fn try_change_pin(
        &self,
        id: AccountId,
        code: Code,
        pin: Zeroizing<String>,
        now: Timestamp,
        policy: Arc<Policy>,
    ) -> Result<PinChange, UpdateError> {
        let place = self.enter_hashing()?;
        let attempts = &self.metrics().attempts;
        for _ in 0..Self::MAX_ROUNDS {
            let Some(mut looked_at) = self.read(&id).await? else {
                attempts.decided(OtpTypes::ALL, None);
                return Ok(PinChange::UnknownAccount);
            };
            let is_good = looked_at.verify(&code, OtpTypes::ALL, now, &policy) == Verification::Accepted;
            let hash = if is_good {
                let (pin, entropy) = (pin.clone(), self.entropy());
                let hash = place.run(move || hash_argon2id(pin.as_bytes(), entropy.as_ref())).await??;
                Some(StoredHash::new(hash))
            } else {
                None
            };
            let (code, policy) = (code.clone(), Arc::clone(&policy));
            let attempt = move |account: &mut Account| attempt(account, &code, hash.as_ref(), now, &policy);
            match self.update(id.clone(), attempt).await? {
                Some(Attempted(Some((change, verdict)))) => {
                    attempts.decided(OtpTypes::ALL, Some(&verdict));
                    return Ok(change);
                }
                Some(Attempted(None)) => {}
                None => {
                    attempts.decided(OtpTypes::ALL, None);
                    return Ok(PinChange::UnknownAccount);
                }
            }
        }
        Err(UpdateError::Contended)
    }
}

fn attempt(
    account: &mut Account,
    code: &Code,
    hash: Option<&StoredHash>,
    now: Timestamp,
    policy: &Policy,
) -> Attempted {
    let mut tried = account.clone();
    let verdict = tried.verify_telling(code, OtpTypes::ALL, now, policy);
    let change = match (verdict.verification, hash) {
        (Verification::Accepted, Some(hash)) => {
            tried.set_pin(hash.clone());
            PinChange::Changed
        }
        (Verification::Accepted, None) => return Attempted(None),
        (Verification::Refused(refusal), _) => PinChange::Refused(refusal),
        (Verification::Throttled(wait), _) => PinChange::Throttled(wait),
    };
    *account = tried;
    Attempted(Some((change, verdict)))
}
