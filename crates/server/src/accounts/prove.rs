//! Proof by password or PIN: count the failure, compare outside of the loop, give the count back. Nothing is compared
//! that was not counted before, and what was right is believed only when it has been settled.

use super::password_hash::{HashingError, PasswordHash, Place, hash_argon2id};
use super::{Accounts, Outcome, UpdateError};
use einmal_core::account::{Account, AccountId, ProofKind, Reservation, StoredHash, Wait};
use einmal_core::policy::Policy;
use einmal_core::{Entropy, Timestamp};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a request offers, looked at in this order; one right value is enough.
#[derive(Default)]
pub struct Offered {
    pub password: Option<Zeroizing<String>>,
    pub pin: Option<Zeroizing<String>>,
}

pub enum Proof<T> {
    /// With what was done on its strength, in the same commit.
    Right(T),
    Wrong,
    /// Nothing was looked at.
    Throttled(Wait),
}

impl Outcome for Reservation {
    fn is_evaluated(&self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

/// `None` if what was compared is the account's no more.
struct Settled<T>(Option<T>);

impl<T: Send + 'static> Outcome for Settled<T> {
    fn is_evaluated(&self) -> bool {
        true
    }
}

/// What a comparison found.
enum Comparison {
    Wrong,
    /// With the hash that is to take the old one's place, if it is not one of ours.
    Right(Option<StoredHash>),
}

impl Accounts {
    /// Runs `then` on the account if one of the values is right. An account comes into being by being asked, or else
    /// nobody would count. It goes on when the caller has gone.
    pub async fn prove<T, F>(
        &self,
        id: AccountId,
        offered: Offered,
        now: Timestamp,
        policy: Arc<Policy>,
        then: F,
    ) -> Result<Proof<T>, UpdateError>
    where
        T: Send + 'static,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        // Before anything is counted: who is turned away here has not tried.
        let place = self.hashing().enter()?;
        let attempt = Attempt { accounts: self.clone(), id, now, policy, place, then: Arc::new(then) };
        let proof = tokio::spawn(async move {
            let offered = [(ProofKind::Password, offered.password), (ProofKind::Pin, offered.pin)];
            let mut proof = None;
            for (kind, secret) in offered {
                let Some(secret) = secret else { continue };
                proof = match (proof, attempt.look_at(kind, secret).await?) {
                    (_, Proof::Right(done)) => return Ok(Proof::Right(done)),
                    (None, first) => Some(first),
                    (Some(Proof::Throttled(one)), Proof::Throttled(other)) => {
                        Some(Proof::Throttled(one.min(other)))
                    }
                    // Throttled is only who was so with everything that was offered.
                    _ => Some(Proof::Wrong),
                };
            }
            Ok(proof.unwrap_or(Proof::Wrong))
        });
        proof.await.map_err(|_| UpdateError::Panicked)?
    }
}

/// One request's attempt to prove who is asking.
struct Attempt<F> {
    accounts: Accounts,
    id: AccountId,
    now: Timestamp,
    policy: Arc<Policy>,
    place: Place,
    then: Arc<F>,
}

impl<F> Attempt<F> {
    async fn look_at<T>(&self, kind: ProofKind, secret: Zeroizing<String>) -> Result<Proof<T>, UpdateError>
    where
        T: Send + 'static,
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        let secret = Arc::new(secret);
        if let Some(proof) = self.compare_once(kind, &secret).await? {
            return Ok(proof);
        }
        // Once more, and counted once more: of two right attempts at once the first one has put a hash of ours in the
        // place of another system's, and the second one is right all the same.
        match self.compare_once(kind, &secret).await? {
            Some(Proof::Right(done)) => Ok(Proof::Right(done)),
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
        F: Fn(&mut Account) -> T + Send + Sync + 'static,
    {
        let (now, policy) = (self.now, Arc::clone(&self.policy));
        let reserve = move |account: &mut Account| account.reserve(kind, now, &policy);
        let reserved = match self.accounts.update_or_create(self.id.clone(), reserve).await? {
            Reservation::Granted(reserved) => reserved,
            Reservation::Throttled(wait) => return Ok(Some(Proof::Throttled(wait))),
        };
        let (hash, entropy, secret) = (reserved.hash.clone(), self.accounts.entropy(), Arc::clone(secret));
        let compared = self.place.run(move || compare(hash.as_ref(), &secret, entropy.as_ref())).await??;
        let Comparison::Right(rehashed) = compared else { return Ok(Some(Proof::Wrong)) };
        let (then, policy) = (Arc::clone(&self.then), Arc::clone(&self.policy));
        let settle = move |account: &mut Account| {
            let is_settled = account.settle(&reserved, rehashed.as_ref(), &policy);
            Settled(is_settled.then(|| then(account)))
        };
        let settled = self.accounts.update(self.id.clone(), settle).await?;
        let Some(Settled(done)) = settled else { return Ok(Some(Proof::Wrong)) };
        Ok(done.map(Proof::Right))
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
