//! Proof of who is asking, by a one-time password, the password or the PIN. What is slow to compare is counted as failed,
//! compared outside of the loop, and given back: nothing is compared that was not counted before, and what was right
//! is believed only when it has been settled.

use super::password_hash::{HashingError, PasswordHash, Place, hash_argon2id};
use super::{Accounts, Outcome, UpdateError};
use crate::metrics::Stage;
use crate::trace;
use einmal_core::account::{
    Account, AccountId, OtpTypes, ProofKind, Reservation, Reserved, StoredHash, Verdict, Verification, Wait,
};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use einmal_core::{Entropy, Timestamp};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a request offers, looked at in this order; one right value is enough.
#[derive(Default)]
pub struct Offered {
    /// Of any type. `Some(None)` is what cannot be a code: wrong, and no guess.
    pub otp: Option<Option<Code>>,
    pub password: Option<Zeroizing<String>>,
    pub pin: Option<Zeroizing<String>>,
}

impl Offered {
    pub fn is_empty(&self) -> bool {
        self.otp.is_none() && self.password.is_none() && self.pin.is_none()
    }
}

pub enum Proof<T> {
    /// With what was done on its strength, in the same commit.
    Right(T),
    Wrong,
    /// Nothing was looked at.
    Throttled(Wait),
    /// What the proof is for is not possible, whoever asks. Nothing was looked at.
    Barred,
}

/// One kind's part in a proof, as the loop sees it.
enum Looked<T> {
    /// Whatever came of it, it is written.
    At(Proof<T>),
    Untouched(Proof<T>),
}

impl<T: Send + 'static> Outcome for Looked<T> {
    fn is_evaluated(&self) -> bool {
        matches!(self, Self::At(_))
    }
}

/// With what is counted of it.
impl<T: Send + 'static> Outcome for (Looked<T>, Option<Verdict>) {
    fn is_evaluated(&self) -> bool {
        self.0.is_evaluated()
    }
}

/// An attempt at a slow kind.
enum Admission {
    Reserved(Reserved),
    Throttled(Wait),
    Barred,
}

impl Outcome for Admission {
    fn is_evaluated(&self) -> bool {
        matches!(self, Self::Reserved(_))
    }
}

/// What a comparison found.
enum Comparison {
    Wrong,
    /// With the hash that is to take the old one's place, if it is not one of ours.
    Right(Option<StoredHash>),
}

impl Accounts {
    /// Runs `then` on the account if one of the values is right, in the commit that spends or settles it. `is_possible`
    /// is asked after the throttle and before anything is looked at, so that nothing is used up in vain. An account
    /// comes into being by being asked about password or PIN, or else nobody would count. It goes on when the caller
    /// has gone.
    pub async fn prove<T, P, F>(
        &self,
        id: AccountId,
        offered: Offered,
        now: Timestamp,
        policy: Arc<Policy>,
        is_possible: P,
        then: F,
    ) -> Result<Proof<T>, UpdateError>
    where
        T: Send + 'static,
        P: Fn(&Account) -> bool + Send + Sync + 'static,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        // Before anything is counted: who is turned away here has not tried.
        let place = self.enter_hashing()?;
        let (accounts, act) = (self.clone(), Arc::new(Act { is_possible, then }));
        let attempt = Attempt { accounts, id, now, policy, place, act };
        let proof = tokio::spawn(trace::carried(async move {
            let slow = [(ProofKind::Password, offered.password), (ProofKind::Pin, offered.pin)];
            let mut so_far = match offered.otp {
                Some(code) => Some(attempt.look_at_code(code).await?),
                None => None,
            };
            for (kind, secret) in slow {
                let Some(secret) = secret else { continue };
                if let Some(Proof::Right(_) | Proof::Barred) = so_far {
                    break;
                }
                let next = attempt.look_at(kind, secret).await?;
                so_far = Some(match so_far {
                    Some(before) => before.or(next),
                    None => next,
                });
            }
            Ok(so_far.unwrap_or(Proof::Wrong))
        }));
        proof.await.map_err(|_| UpdateError::Panicked)?
    }
}

impl<T> Proof<T> {
    /// What this one, which was not right, and the next one are together. Throttled is only who was so with everything.
    fn or(self, next: Self) -> Self {
        match (self, next) {
            (Self::Throttled(one), Self::Throttled(other)) => Self::Throttled(one.min(other)),
            (_, next @ (Self::Right(_) | Self::Barred)) => next,
            _ => Self::Wrong,
        }
    }
}

/// What the proof is for.
struct Act<P, F> {
    is_possible: P,
    then: F,
}

impl<P, F> Act<P, F> {
    /// On an account that has proved who it is.
    fn run<T>(&self, account: &mut Account) -> Proof<T>
    where
        P: Fn(&Account) -> bool,
        F: Fn(&mut Account) -> T,
    {
        if (self.is_possible)(account) { Proof::Right((self.then)(account)) } else { Proof::Barred }
    }
}

/// One request's attempt to prove who is asking.
struct Attempt<P, F> {
    accounts: Accounts,
    id: AccountId,
    now: Timestamp,
    policy: Arc<Policy>,
    place: Place,
    act: Arc<Act<P, F>>,
}

impl<P, F> Attempt<P, F>
where
    P: Fn(&Account) -> bool + Send + Sync + 'static,
    F: Send + Sync + 'static,
{
    async fn look_at_code<T>(&self, code: Option<Code>) -> Result<Proof<T>, UpdateError>
    where
        T: Send + 'static,
        F: Fn(&mut Account) -> T,
    {
        let (now, policy, act) = (self.now, Arc::clone(&self.policy), Arc::clone(&self.act));
        let attempt = move |account: &mut Account| {
            if let Some(wait) = account.otp_throttle.wait(now, &policy) {
                let verdict = Verification::Throttled(wait).into();
                return (Looked::Untouched(Proof::Throttled(wait)), Some(verdict));
            }
            if !(act.is_possible)(account) {
                return (Looked::Untouched(Proof::Barred), None);
            }
            let Some(code) = &code else { return (Looked::Untouched(Proof::Wrong), None) };
            let verdict = account.verify_telling(code, OtpTypes::ALL, now, &policy);
            let proof = match verdict.verification {
                Verification::Accepted => act.run(account),
                Verification::Refused(_) => Proof::Wrong,
                Verification::Throttled(wait) => Proof::Throttled(wait),
            };
            (Looked::At(proof), Some(verdict))
        };
        let attempts = &self.accounts.metrics().attempts;
        Ok(match self.accounts.update(self.id.clone(), attempt).await? {
            Some((Looked::At(proof) | Looked::Untouched(proof), verdict)) => {
                if let Some(verdict) = &verdict {
                    attempts.decided(OtpTypes::ALL, Some(verdict));
                }
                proof
            }
            None => {
                attempts.decided(OtpTypes::ALL, None);
                Proof::Wrong
            }
        })
    }

    async fn look_at<T>(&self, kind: ProofKind, secret: Zeroizing<String>) -> Result<Proof<T>, UpdateError>
    where
        T: Send + 'static,
        F: Fn(&mut Account) -> T,
    {
        let (now, policy, act) = (self.now, Arc::clone(&self.policy), Arc::clone(&self.act));
        let reserve = move |account: &mut Account| {
            let mut reserving = account.clone();
            match reserving.reserve(kind, now, &policy) {
                Reservation::Throttled(wait) => Admission::Throttled(wait),
                Reservation::Granted(_) if !(act.is_possible)(account) => Admission::Barred,
                Reservation::Granted(reserved) => {
                    *account = reserving;
                    Admission::Reserved(reserved)
                }
            }
        };
        let reserved = match self.accounts.update_or_create(self.id.clone(), reserve).await? {
            Admission::Reserved(reserved) => reserved,
            Admission::Throttled(wait) => {
                self.accounts.metrics().attempts.throttled(kind.into());
                return Ok(Proof::Throttled(wait));
            }
            Admission::Barred => return Ok(Proof::Barred),
        };
        let (hash, entropy) = (reserved.hash.clone(), self.accounts.entropy());
        let comparing = self.accounts.metrics().stages.time(Stage::Compare);
        let compared = self.place.run(move || compare(hash.as_ref(), &secret, entropy.as_ref())).await??;
        drop(comparing);
        let Comparison::Right(rehashed) = compared else {
            self.count_wrong(kind, &reserved);
            return Ok(Proof::Wrong);
        };
        let (act, policy) = (Arc::clone(&self.act), Arc::clone(&self.policy));
        let settle = move |account: &mut Account| {
            let is_settled = account.settle(&reserved, rehashed.as_ref(), &policy);
            Looked::At(if is_settled { act.run(account) } else { Proof::Wrong })
        };
        Ok(match self.accounts.update(self.id.clone(), settle).await? {
            Some(Looked::At(proof) | Looked::Untouched(proof)) => proof,
            None => Proof::Wrong,
        })
    }

    fn count_wrong(&self, kind: ProofKind, reserved: &Reserved) {
        let attempts = &self.accounts.metrics().attempts;
        if reserved.begins_wait(&self.policy) {
            attempts.wait_begun(kind.into());
        }
        if reserved.kills_pin() {
            attempts.pin_died();
        }
    }
}

fn compare(
    hash: Option<&StoredHash>,
    secret: &str,
    entropy: &dyn Entropy,
) -> Result<Comparison, HashingError> {
    let secret = secret.as_bytes();
    let Some(hash) = hash else {
        PasswordHash::compare_with_none(secret)?;
        return Ok(Comparison::Wrong);
    };
    // It was parsed when it came in.
    let hash = PasswordHash::parse(hash.as_str()).map_err(|_| HashingError::Parameters)?;
    if !hash.is_of(secret)? {
        return Ok(Comparison::Wrong);
    }
    let rehashed = hash.is_to_be_replaced(secret).then(|| hash_argon2id(secret, entropy)).transpose()?;
    Ok(Comparison::Right(rehashed.map(StoredHash::new)))
}
