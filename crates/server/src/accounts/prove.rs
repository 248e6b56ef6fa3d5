//! Proof of who is asking, by a one-time password, the password or the PIN. What is slow to compare is counted as failed,
//! compared outside of the loop, and given back: nothing is compared that was not counted before, and what was right
//! is believed only when it has been settled.

mod comparison;
mod deed;
mod elsewhere;
mod looked;

pub use deed::Deed;
pub use elsewhere::{Judged, Judging};
pub(super) use looked::Looked;

use super::password_hash::{Crowded, Place};
use super::{Accounts, UpdateError};
use crate::events::Event;
use crate::metrics::{Attempts, Stage, VerificationOutcome};
use comparison::{Comparison, compare};
use einmal_core::Timestamp;
use einmal_core::account::{
    Account, AccountId, OtpTypes, ProofKind, Reservation, Reserved, StoredHash, Verdict, Verification, Wait,
};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use looked::{Admission, Settled};
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
    /// The same request was accepted before, with this.
    Repeated(T),
    /// The request's key was another request's. Nothing was looked at.
    KeyReused,
    Wrong,
    /// Nothing was looked at.
    Throttled(Wait),
    /// What the proof is for is not possible, whoever asks. Nothing was looked at.
    Barred,
}

/// What is looked at after the code.
enum Slow {
    Password(Password),
    Pin(Zeroizing<String>),
}

impl Accounts {
    /// Does `deed` if one of the values is right. An account comes into being by being asked about password or PIN, or
    /// else nobody would count. It goes on when the caller has gone.
    pub async fn prove<D: Deed>(
        &self,
        id: AccountId,
        offered: Offered,
        now: Timestamp,
        policy: Arc<Policy>,
        deed: D,
    ) -> Result<Proof<D::Done>, UpdateError> {
        // Before anything is counted: who is turned away here has not tried.
        let place = offered.needs_hashing().then(|| self.enter_hashing()).transpose()?;
        let (accounts, deed) = (self.clone(), Arc::new(deed));
        let attempt = Attempt { accounts, id, now, policy, place, deed };
        let proof = self.detach(async move {
            let slow = [offered.password.map(Slow::Password), offered.pin.map(Slow::Pin)];
            let mut so_far = match offered.otp {
                Some(code) => Some(attempt.look_at_code(code).await?),
                None => None,
            };
            for secret in slow.into_iter().flatten() {
                if so_far.as_ref().is_some_and(Proof::is_final) {
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
            let proof = so_far.unwrap_or(Proof::Wrong);
            attempt.deed.count(&attempt.accounts.metrics().attempts, &proof);
            Ok(proof)
        });
        proof.await.map_err(|_| UpdateError::Panicked)?
    }
}

impl<T> Proof<T> {
    /// What this one, which was not right, and the next one are together. Throttled is only who was so with everything.
    fn or(self, next: Self) -> Self {
        match (self, next) {
            (Self::Throttled(one), Self::Throttled(other)) => Self::Throttled(one.min(other)),
            (_, next) if next.is_final() => next,
            _ => Self::Wrong,
        }
    }

    /// Whether nothing more needs to be looked at.
    const fn is_final(&self) -> bool {
        !matches!(self, Self::Wrong | Self::Throttled(_))
    }
}

/// On an account that has proved who it is. A twin of the request may have been accepted while this one was looked at.
fn carry_out<D: Deed>(deed: &D, account: &mut Account) -> Proof<D::Done> {
    match deed.earlier(account) {
        Some(earlier) => earlier,
        None if deed.is_possible(account) => Proof::Right(deed.run(account)),
        None => Proof::Barred,
    }
}

/// One request's attempt to prove who is asking.
struct Attempt<D> {
    accounts: Accounts,
    id: AccountId,
    now: Timestamp,
    policy: Arc<Policy>,
    /// If anything is to be hashed.
    place: Option<Place>,
    deed: Arc<D>,
}

impl<D: Deed> Attempt<D> {
    async fn look_at_code(&self, code: Option<Code>) -> Result<Proof<D::Done>, UpdateError> {
        let (now, policy, deed) = (self.now, Arc::clone(&self.policy), Arc::clone(&self.deed));
        let attempt = move |account: &mut Account| {
            if let Some(looked) = Looked::earlier(deed.as_ref(), account) {
                return (looked, None);
            }
            if let Some(wait) = account.otp_throttle.wait(now, &policy) {
                let verdict = Verification::Throttled(wait).into();
                return (Looked::Untouched(Proof::Throttled(wait)), Some(verdict));
            }
            if !deed.is_possible(account) {
                return (Looked::Untouched(Proof::Barred), None);
            }
            let Some(code) = &code else { return (Looked::Untouched(Proof::Wrong), None) };
            let verdict = account.verify_telling(code, OtpTypes::ALL, now, &policy);
            let proof = match verdict.verification {
                Verification::Accepted => carry_out(deed.as_ref(), account),
                Verification::Refused(_) => Proof::Wrong,
                Verification::Throttled(wait) => Proof::Throttled(wait),
            };
            (Looked::At(proof), Some(verdict))
        };
        let reporter = self.accounts.reporter.clone();
        let count = move |attempts: &Attempts, seen: Option<&(Looked<D::Done>, Option<Verdict>)>| match seen {
            Some((Looked::Untouched(Proof::Wrong), None)) => reporter.not_a_code(attempts, OtpTypes::ALL),
            Some((Looked::At(Proof::Repeated(_)), None)) => {
                attempts.verified(OtpTypes::ALL, VerificationOutcome::Repeated);
            }
            Some((_, None)) => {}
            Some((_, Some(verdict))) => reporter.decided(attempts, OtpTypes::ALL, Some(verdict)),
            None => reporter.decided(attempts, OtpTypes::ALL, None),
        };
        let seen = self.accounts.update_counted(self.id.clone(), attempt, count).await?;
        Ok(seen.map_or(Proof::Wrong, |(looked, _)| looked.into_proof()))
    }

    async fn look_at(
        &self,
        kind: ProofKind,
        secret: Zeroizing<String>,
    ) -> Result<Proof<D::Done>, UpdateError> {
        let secret = Arc::new(secret);
        if let Some(proof) = self.compare_once(kind, &secret).await? {
            return Ok(proof);
        }
        // Once more, and counted once more: of two right attempts at once the first one has put a hash of ours in the
        // place of another system's, and the second one is right all the same.
        let again = self.compare_once(kind, &secret).await?;
        Ok(again.filter(Proof::is_final).unwrap_or(Proof::Wrong))
    }

    /// `None` if it was right, and the hash is not the account's any more.
    async fn compare_once(
        &self,
        kind: ProofKind,
        secret: &Arc<Zeroizing<String>>,
    ) -> Result<Option<Proof<D::Done>>, UpdateError> {
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
            self.accounts.reporter.tell(Event::ProofRefused(kind.into()));
            self.count_wrong(kind, &reserved);
            return Ok(Some(Proof::Wrong));
        };
        self.settle(kind, reserved, rehashed).await
    }

    /// `None` if what was right is not the account's any more.
    async fn settle(
        &self,
        kind: ProofKind,
        reserved: Reserved,
        rehashed: Option<StoredHash>,
    ) -> Result<Option<Proof<D::Done>>, UpdateError> {
        let (deed, policy) = (Arc::clone(&self.deed), Arc::clone(&self.policy));
        let settle = move |account: &mut Account| {
            let is_settled = account.settle(&reserved, rehashed.as_ref(), &policy);
            Settled(is_settled.then(|| carry_out(deed.as_ref(), account)))
        };
        let reporter = self.accounts.reporter.clone();
        let count = move |_: &Attempts, settled: Option<&Settled<D::Done>>| {
            if let Some(Settled(Some(_))) = settled {
                reporter.tell(Event::ProofAccepted(kind.into()));
            }
        };
        match self.accounts.update_counted(self.id.clone(), settle, count).await? {
            Some(Settled(settled)) => Ok(settled),
            None => Ok(Some(Proof::Wrong)),
        }
    }

    /// Counts the attempt, or tells why it is not even looked at.
    async fn admit(&self, kind: ProofKind) -> Result<Result<Reserved, Proof<D::Done>>, UpdateError> {
        let looked = match self.reserve(kind).await? {
            Admission::Reserved(reserved) => return Ok(Ok(reserved)),
            Admission::Decided(looked) => looked,
        };
        let proof = looked.into_proof();
        if let Proof::Throttled(wait) = proof {
            self.accounts.metrics().attempts.throttled(kind.into());
            self.accounts.reporter.proof_throttled(kind, wait);
        }
        Ok(Err(proof))
    }

    async fn reserve(&self, kind: ProofKind) -> Result<Admission<D::Done>, UpdateError> {
        let (now, policy, deed) = (self.now, Arc::clone(&self.policy), Arc::clone(&self.deed));
        let reserve = move |account: &mut Account| {
            if let Some(looked) = Looked::earlier(deed.as_ref(), account) {
                return Admission::Decided(looked);
            }
            let untouched = |proof| Admission::Decided(Looked::Untouched(proof));
            let mut reserving = account.clone();
            match reserving.reserve(kind, now, &policy) {
                Reservation::Throttled(wait) => untouched(Proof::Throttled(wait)),
                Reservation::Granted(_) if !deed.is_possible(account) => untouched(Proof::Barred),
                Reservation::Granted(reserved) => {
                    *account = reserving;
                    Admission::Reserved(reserved)
                }
            }
        };
        self.accounts.update_or_create(self.id.clone(), reserve).await
    }

    fn count_wrong(&self, kind: ProofKind, reserved: &Reserved) {
        let (attempts, reporter) = (&self.accounts.metrics().attempts, &self.accounts.reporter);
        if reserved.begins_wait(&self.policy) {
            attempts.wait_begun(kind.into());
            reporter.tell(Event::WaitBegun(kind.into()));
        }
        if reserved.kills_pin() {
            attempts.pin_died();
            reporter.tell(Event::PinDead);
        }
    }
}
