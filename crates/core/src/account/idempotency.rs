//! Repeats of accepted requests: whoever lost the answer asks again under the same key and is answered the same, and
//! nothing is consumed twice. It must never make a success of anything that was not one.

use super::{Account, OtpTypes, Verdict, Verification};
use crate::Timestamp;
use crate::otp::Code;
use crate::policy::Policy;
use uuid::Uuid;

/// A request that came with an idempotency key, as digests: neither the key nor what is in the body is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedRequest {
    /// Of operation, client and key.
    pub key: [u8; 16],
    /// Of the body's bytes, and of no use for guessing what is in it to whoever does not know the key.
    pub body: [u8; 16],
}

/// A request that was accepted, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedRequest {
    pub request: KeyedRequest,
    pub at: Timestamp,
    /// The device that it enrolled.
    pub device: Option<Uuid>,
    /// How often another body came under its key.
    pub other_bodies: u8,
}

/// What became of a request with this key before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing that is remembered.
    Nothing,
    /// It was accepted, with this body.
    Accepted(AcceptedRequest),
    /// One with another body was, or too many bodies have come that were others.
    OtherBody,
}

/// What a request comes to that may have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed<T> {
    First(T),
    /// It was accepted before, and is to be answered as it was then.
    Repeated,
    /// The key was another request's. Nothing was looked at.
    KeyReused,
}

/// The last accepted requests of a kind that came with a key, the latest at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedRequests(pub Vec<AcceptedRequest>);

impl AcceptedRequests {
    /// `seconds`: for how long they are remembered. Other bodies are counted, and past the most of them no body is the
    /// right one any more: a body holds a code or a PIN, and whoever has come by key and token must not go on guessing
    /// at it, beside all throttles, until it is told to be the same again.
    fn find(&mut self, request: &KeyedRequest, now: Timestamp, seconds: u64) -> Earlier {
        let mut remembered = self.0.iter_mut().filter(|one| now.seconds_since(one.at) < seconds);
        let Some(one) = remembered.find(|one| one.request.key == request.key) else {
            return Earlier::Nothing;
        };
        if one.other_bodies >= Policy::OTHER_BODIES {
            return Earlier::OtherBody;
        }
        if one.request.body == request.body {
            return Earlier::Accepted(*one);
        }
        one.other_bodies += 1;
        Earlier::OtherBody
    }

    fn push(&mut self, accepted: AcceptedRequest, seconds: u64) {
        self.0.retain(|one| {
            accepted.at.seconds_since(one.at) < seconds && one.request.key != accepted.request.key
        });
        self.0.push(accepted);
        let surplus = self.0.len().saturating_sub(Policy::REPEATS_KEPT);
        self.0.drain(..surplus);
    }
}

impl Account {
    /// As [`Account::verify_telling`], but a repeat of what was accepted is so again, whatever wait is on.
    pub fn verify_keyed(
        &mut self,
        request: Option<&KeyedRequest>,
        code: &Code,
        wanted: OtpTypes,
        now: Timestamp,
        policy: &Policy,
    ) -> Keyed<Verdict> {
        match request.map_or(Earlier::Nothing, |request| self.earlier_verification(request, now)) {
            Earlier::Accepted(_) => return Keyed::Repeated,
            Earlier::OtherBody => return Keyed::KeyReused,
            Earlier::Nothing => {}
        }
        let verdict = self.verify_telling(code, wanted, now, policy);
        if let (Verification::Accepted, Some(request)) = (verdict.verification, request) {
            self.remember_verification(*request, now);
        }
        Keyed::First(verdict)
    }

    /// Of requests to verify a code. What this counts must be written.
    pub fn earlier_verification(&mut self, request: &KeyedRequest, now: Timestamp) -> Earlier {
        self.accepted_verifications.find(request, now, Policy::VERIFICATION_REPEAT_SECONDS)
    }

    fn remember_verification(&mut self, request: KeyedRequest, now: Timestamp) {
        let accepted = AcceptedRequest { request, at: now, device: None, other_bodies: 0 };
        self.accepted_verifications.push(accepted, Policy::VERIFICATION_REPEAT_SECONDS);
    }

    /// Of requests that set or enrolled something. What this counts must be written.
    pub fn earlier_change(&mut self, request: &KeyedRequest, now: Timestamp) -> Earlier {
        self.accepted_changes.find(request, now, Policy::CHANGE_REPEAT_SECONDS)
    }

    pub fn remember_change(&mut self, request: KeyedRequest, now: Timestamp, device: Option<Uuid>) {
        let accepted = AcceptedRequest { request, at: now, device, other_bodies: 0 };
        self.accepted_changes.push(accepted, Policy::CHANGE_REPEAT_SECONDS);
    }

    /// Once the secret that a request enrolled is gone, there is no answer that could be given again.
    pub(super) fn forget_enrolment_of(&mut self, device: Uuid) {
        self.accepted_changes.0.retain(|one| one.device != Some(device));
    }
}
