//! Guesses at codes whose answers nobody waits for.

use super::frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, PING, field, frame};
use crate::harness::service::{Service, VERIFY};
use serde_json::json;
use std::collections::BTreeMap;

/// Has a wrong code tried at each of 40 new accounts, by clients that leave as soon as it has been read; and another one
/// after it. How many failures each account has then.
pub(crate) async fn guess_and_leave(service: &Service) -> BTreeMap<String, u64> {
    let subjects: Vec<_> = (0..40).map(|number| format!("alice-{number}")).collect();
    for subject in &subjects {
        service.provision_device(subject).await;
        let token = format!("Bearer {}", service.token(subject));
        let fields: Vec<u8> = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", VERIFY),
            (":authority", "a"),
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
        ]
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect();
        let body = json!({ "otp": service.wrong_code(0) }).to_string();
        let mut client = Frames::connect(service.running.address).await;
        let guess =
            [frame(HEADERS, END_HEADERS, 1, &fields), frame(DATA, END_STREAM, 1, body.as_bytes())].concat();
        client.send([guess, frame(PING, 0, 0, &[7; 8])].concat()).await;
        // It has been read. Some are being looked at now, and others not yet.
        while client.next().await.unwrap().kind != PING {}
    }
    let mut counted = BTreeMap::new();
    for subject in subjects {
        // Behind whatever goes on at this account.
        assert_eq!(service.verify(&subject, &service.wrong_code(1)).await, 404);
        let failures = u64::from(service.failures(&subject).await);
        counted.insert(subject, failures);
    }
    assert!(counted.values().sum::<u64>() > 40, "none of those was looked at");
    counted
}
