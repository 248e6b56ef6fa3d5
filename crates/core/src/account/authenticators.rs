//! Secrets of the user's authenticator apps (`totp`): pending until a code shows that the app has them, then live.

use super::near_miss::NearMiss;
use super::probe::Probed;
use super::{Account, Credential, HistoryKind, OtpTypes, Progress};
use crate::Timestamp;
use crate::otp::{Code, Parameters, Totp};
use crate::policy::Policy;
use uuid::Uuid;

/// A secret that was shown, and that no code has been seen of yet. It verifies nothing.
#[derive(Clone)]
pub struct PendingAuthenticator {
    pub credential: Credential,
    /// Wrong codes offered for it.
    pub failures: u32,
}

impl PendingAuthenticator {
    /// From then on it is dead.
    pub fn expires_at(&self) -> Timestamp {
        self.credential.created_at.plus_seconds(Policy::PENDING_SECONDS)
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticatorState {
    Pending,
    Confirmed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Live from now on, and the code is spent.
    Confirmed,
    /// The same, and the app uses the secret in this way, which is stored in the place of what it was told.
    Adjusted(Parameters),
    Wrong,
    /// Wrong, and counted as such, but known for what it is.
    NearMiss(NearMiss),
    /// Nothing of that id is pending: never was, is live already, took too long or too many wrong codes.
    NotPending,
}

impl Account {
    /// Pending ones count, too.
    pub fn has_room_for_authenticator(&self, now: Timestamp, policy: &Policy) -> bool {
        self.all_authenticators(now).count() < policy.max_authenticators
    }

    /// The caller has made sure of the room.
    pub fn begin_authenticator(&mut self, id: Uuid, label: Option<String>, totp: Totp, now: Timestamp) {
        let credential = Credential { id, label, created_at: now, totp, progress: Progress::default() };
        self.forget_dead_authenticators(now);
        self.pending_authenticators.push(PendingAuthenticator { credential, failures: 0 });
        self.history.add(HistoryKind::AuthenticatorBegun, Some(id), now);
    }

    /// Those that may still be confirmed.
    pub fn pending_authenticators(&self, now: Timestamp) -> impl Iterator<Item = &PendingAuthenticator> {
        self.pending_authenticators.iter().filter(move |pending| pending.is_alive(now))
    }

    pub fn pending_authenticator(&self, id: Uuid, now: Timestamp) -> Option<&Credential> {
        let mut credentials = self.pending_authenticators(now).map(|pending| &pending.credential);
        credentials.find(|credential| credential.id == id)
    }

    /// Live ones, then pending ones, each in the order in which they became so.
    pub fn all_authenticators(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (&Credential, AuthenticatorState)> {
        let pending = self.pending_authenticators(now).map(|pending| &pending.credential);
        let live = self.authenticators.iter().map(|credential| (credential, AuthenticatorState::Confirmed));
        live.chain(pending.map(|credential| (credential, AuthenticatorState::Pending)))
    }

    /// Wrong codes count against this one alone: whoever has to type one was shown the secret, so there is nothing to
    /// guess, and a mistake must not lock anybody out of what is live.
    pub fn confirm_authenticator(
        &mut self,
        id: Uuid,
        code: &Code,
        now: Timestamp,
        policy: &Policy,
    ) -> Confirmation {
        self.forget_dead_authenticators(now);
        let place = self.pending_authenticators.iter().position(|pending| pending.credential.id == id);
        let Some((place, pending)) =
            place.and_then(|place| Some((place, self.pending_authenticators.get_mut(place)?)))
        else {
            return Confirmation::NotPending;
        };
        let (step, confirmation) = match pending.credential.probe(code, now, policy) {
            Probed::Right(step) => (step, Confirmation::Confirmed),
            Probed::Adjusted(parameters, step) => {
                pending.credential.totp = pending.credential.totp.with_parameters(parameters);
                (step, Confirmation::Adjusted(parameters))
            }
            probed @ (Probed::Near(_) | Probed::Wrong) => {
                pending.failures = pending.failures.saturating_add(1);
                if pending.failures >= Policy::PENDING_FAILURES {
                    self.pending_authenticators.remove(place);
                    self.history.add(HistoryKind::AuthenticatorDropped, Some(id), now);
                }
                return if let Probed::Near(near) = probed {
                    Confirmation::NearMiss(near)
                } else {
                    Confirmation::Wrong
                };
            }
        };
        let mut credential = self.pending_authenticators.remove(place).credential;
        credential.succeed(step, now);
        self.authenticators.push(credential);
        self.unite_progress();
        // A code is a success once, whatever it is used for.
        self.spend_everywhere(code, OtpTypes::NONE, now, policy);
        self.history.add(HistoryKind::AuthenticatorConfirmed, Some(id), now);
        confirmation
    }

    /// Live or pending. `None` if there is no such authenticator.
    pub fn label_authenticator(
        &mut self,
        id: Uuid,
        label: Option<String>,
        now: Timestamp,
    ) -> Option<(&Credential, AuthenticatorState)> {
        self.forget_dead_authenticators(now);
        let pending = self.pending_authenticators.iter_mut().map(|pending| &mut pending.credential);
        let pending = pending.map(|credential| (credential, AuthenticatorState::Pending));
        let live = self.authenticators.iter_mut();
        let mut all = live.map(|credential| (credential, AuthenticatorState::Confirmed)).chain(pending);
        let (credential, state) = all.find(|(credential, _)| credential.id == id)?;
        credential.label = label;
        Some((credential, state))
    }

    /// Live or pending. `false` if there was none.
    pub fn delete_authenticator(&mut self, id: Uuid, now: Timestamp) -> bool {
        self.forget_dead_authenticators(now);
        let before = self.authenticators.len() + self.pending_authenticators.len();
        self.authenticators.retain(|credential| credential.id != id);
        self.pending_authenticators.retain(|pending| pending.credential.id != id);
        let is_gone = self.authenticators.len() + self.pending_authenticators.len() < before;
        if is_gone {
            self.history.add(HistoryKind::AuthenticatorDeleted, Some(id), now);
        }
        is_gone
    }

    /// Wherever one is changed, so that a secret which nobody wanted does not stay in the store.
    fn forget_dead_authenticators(&mut self, now: Timestamp) {
        self.pending_authenticators.retain(|pending| pending.is_alive(now));
    }
}
