//! A request that was accepted under an idempotency key, in either part.

use einmal_core::Timestamp;
use einmal_core::account::{AcceptedRequest, AcceptedRequests, KeyedRequest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize, PartialEq)]
pub(super) struct SealedRequest {
    key: [u8; 16],
    body: [u8; 16],
    at: u64,
    device: Option<[u8; 16]>,
    other_bodies: u8,
}

impl SealedRequest {
    pub(super) fn all_of(accepted: &AcceptedRequests) -> Vec<Self> {
        let one = |one: &AcceptedRequest| Self {
            key: one.request.key,
            body: one.request.body,
            at: one.at.seconds(),
            device: one.device.map(Uuid::into_bytes),
            other_bodies: one.other_bodies,
        };
        accepted.0.iter().map(one).collect()
    }

    pub(super) fn into_accepted(self) -> AcceptedRequest {
        AcceptedRequest {
            request: KeyedRequest { key: self.key, body: self.body },
            at: Timestamp::from_seconds(self.at),
            device: self.device.map(Uuid::from_bytes),
            other_bodies: self.other_bodies,
        }
    }
}
