//! The whole service as its clients see it: over HTTP, with real tokens, on a real store.

mod admin;
mod answers;
mod authenticator_documents;
pub(crate) mod authenticators;
mod body;
mod body_cases;
mod brute_force;
mod brute_force_counts;
pub(crate) mod create_otp;
mod create_otp_body;
pub(crate) mod devices;
mod diagnose;
pub(crate) mod direct_grant;
mod direct_grant_counts;
pub(crate) mod idempotency;
mod lockout;
mod one_use;
pub(crate) mod pin;
mod probe;
mod provisioning;
mod qr_code;
mod semantics;
mod subjects;
mod verify_otp;

use crate::harness::clock::NOW;
use crate::harness::service::{SECRET, Service};
use einmal::clock::Clock;
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, Credential, IssuedCode, Progress, Verification};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use serde_json::{Value, json};

/// Another secret than the demo device's.
pub(crate) const OTHER_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// A code that the server made, good for five minutes.
pub(crate) fn issued(service: &Service, code: &str) -> IssuedCode {
    IssuedCode::new(Code::parse(code).unwrap(), service.clock.now().plus_seconds(300))
}

pub(crate) fn credential(secret: &str) -> Credential {
    Credential {
        id: uuid::Uuid::nil(),
        label: None,
        created_at: Timestamp::from_seconds(NOW),
        totp: Totp::new(Secret::from_base32(secret).unwrap(), Algorithm::Sha1, 6, 30).unwrap(),
        progress: Progress::default(),
    }
}

/// A service at which alice has a device, with [`SECRET`].
async fn with_device() -> Service {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service
}

/// One of each kind: a device with [`SECRET`], an authenticator with [`OTHER_SECRET`], 135790 as the account
/// code and 246801 as the login code.
pub(crate) fn with_everything(service: &Service) -> Account {
    Account {
        devices: vec![credential(SECRET)],
        authenticators: vec![credential(OTHER_SECRET)],
        account_code: Some(issued(service, "135790")),
        login_code: Some(issued(service, "246801")),
        ..Account::default()
    }
}

/// Somebody, and what each time proves who is asking: alice has the PIN 8299 and the password `correct horse`, and bob is
/// [`with_everything`].
pub(crate) fn right_proofs(service: &Service) -> [(&'static str, Value); 5] {
    [
        ("alice", json!({ "pin": "8299" })),
        ("alice", json!({ "password": "correct horse" })),
        ("bob", json!({ "otp": "246801" })),
        ("bob", json!({ "otp": "135 790" })),
        ("bob", json!({ "otp": service.code(0) })),
    ]
}

/// Makes of a stored account what some other operation would have made of it.
pub(crate) async fn change(
    service: &Service,
    subject: &str,
    change: impl Fn(&mut Account) + Send + Sync + 'static,
) {
    let decide = move |account: &mut Account| {
        change(account);
        Verification::Accepted
    };
    let changed = service.running.accounts().update(AccountId::new("main", subject), decide).await;
    assert_eq!(changed.unwrap(), Some(Verification::Accepted), "{subject} has an account");
}
