//! Proof of who is asking, by a one-time password, the password or the PIN. What is slow to compare is counted as failed,
//! compared outside of the loop, and given back: nothing is compared that was not counted before, and what was right
//! is believed only when it has been settled.

mod comparison;
mod elsewhere;

pub use elsewhere::{Judged, Judging};

use super::password_hash::{Crowded, Place};
use super::update::Done;
use super::{Accounts, Outcome, UpdateError};
use crate::metrics::Stage;
use crate::trace;
use comparison::{Comparison, compare};
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, AccountId, OtpTypes, ProofKind, Reservation, Reserved, StoredHash, Verdict, Verification, Wait,
};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a request offers, looked at in this order; one right value is enough.
#[derive(Default)]
pub struct Offered {
    /// Of any type. `Some(None)` is what cannot be a code: wrong, and no guess.
    pub otp: Option<Option<Code>>,
    pub password: Option<Password>,
    pub pin: Option<Zeroizing<String>>,
}

/// By whom it is judged.
pub enum Password {
    /// By the account's own hash.
    Compared(Zeroizing<String>),
    Elsewhere(Judging),
}

impl Offered {
    fn needs_hashing(&self) -> bool {
        matches!(self.password, Some(Password::Compared(_))) || self.pin.is_some()
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

/// What is looked at after the code.
enum Slow {
    Password(Password),
    Pin(Zeroizing<String>),
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
        let place = offered.needs_hashing().then(|| self.enter_hashing()).transpose()?;
        let (accounts, act) = (self.clone(), Arc::new(Act { is_possible, then }));
        let attempt = Attempt { accounts, id, now, policy, place, act };
        let proof = tokio::spawn(trace::carried(async move {
            let slow = [offered.password.map(Slow::Password), offered.pin.map(Slow::Pin)];
            let mut so_far = match offered.otp {
                Some(code) => Some(attempt.look_at_code(code).await?),
                None => None,
            };
            for secret in slow.into_iter().flatten() {
                if let Some(Proof::Right(_) | Proof::Barred) = so_far {
                    break;
                }
                let next = match secret {
                    Slow::Password(Password::Elsewhere(judging)) => attempt.ask(judging).await?,
                    Slow::Password(Password::Compared(password)) => {
                        attempt.look_at(ProofKind::Password, password).await?
                    }
                    Slow::Pin(pin) => attempt.look_at(ProofKind::Pin, pin).await?,
                };
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
    /// If anything is to be hashed.
    place: Option<Place>,
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
        let secret = Arc::new(secret);
        if let Some(proof) = self.compare_once(kind, &secret).await? {
            return Ok(proof);
        }
        // Once more, and counted once more: of two right attempts at once the first one has put a hash of ours in the
        // place of another system's, and the second one is right all the same.
        match self.compare_once(kind, &secret).await? {
            Some(Proof::Right(done)) => Ok(Proof::Right(done)),
            Some(Proof::Barred) => Ok(Proof::Barred),
            _ => Ok(Proof::Wrong),
        }
    }

    /// `None` if it was right, and the hash is not the account's any more.
    async fn compare_once<T>(
        &self,
        kind: ProofKind,
        secret: &Arc<Zeroizing<String>>,
    ) -> Result<Option<Proof<T>>, UpdateError>
    where
        T: Send + 'static,
        F: Fn(&mut Account) -> T,
    {
        let reserved = match self.admit(kind).await? {
            Ok(reserved) => reserved,
            Err(turned_away) => return Ok(Some(turned_away)),
        };
        let (hash, entropy, secret) = (reserved.hash.clone(), self.accounts.entropy(), Arc::clone(secret));
        let comparing = self.accounts.metrics().stages.time(Stage::Compare);
        let place = self.place.as_ref().ok_or(Crowded)?;
        let compared = place.run(move || compare(hash.as_ref(), &secret, entropy.as_ref())).await??;
        drop(comparing);
        let Comparison::Right(rehashed) = compared else {
            self.count_wrong(kind, &reserved);
            return Ok(Some(Proof::Wrong));
        };
        self.settle(reserved, rehashed).await
    }

    /// `None` if what was right is not the account's any more.
    async fn settle<T>(
        &self,
        reserved: Reserved,
        rehashed: Option<StoredHash>,
    ) -> Result<Option<Proof<T>>, UpdateError>
    where
        T: Send + 'static,
        F: Fn(&mut Account) -> T,
    {
        let (act, policy) = (Arc::clone(&self.act), Arc::clone(&self.policy));
        let settle = move |account: &mut Account| {
            let is_settled = account.settle(&reserved, rehashed.as_ref(), &policy);
            Done(is_settled.then(|| act.run(account)))
        };
        match self.accounts.update(self.id.clone(), settle).await? {
            Some(Done(settled)) => Ok(settled),
            None => Ok(Some(Proof::Wrong)),
        }
    }

    /// Counts the attempt, or tells why it is not even looked at.
    async fn admit<T>(&self, kind: ProofKind) -> Result<Result<Reserved, Proof<T>>, UpdateError> {
        Ok(match self.reserve(kind).await? {
            Admission::Reserved(reserved) => Ok(reserved),
            Admission::Throttled(wait) => {
                self.accounts.metrics().attempts.throttled(kind.into());
                Err(Proof::Throttled(wait))
            }
            Admission::Barred => Err(Proof::Barred),
        })
    }

    async fn reserve(&self, kind: ProofKind) -> Result<Admission, UpdateError> {
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
        self.accounts.update_or_create(self.id.clone(), reserve).await
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
