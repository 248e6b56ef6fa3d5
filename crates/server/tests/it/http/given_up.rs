//! Guesses at codes whose answers nobody waits for.

use super::frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, PING, field, frame};
use crate::harness::service::{Service, VERIFY};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Service {
    /// A client whose request has been read, and not answered yet.
    pub(crate) async fn ask_and_have_it_read(
        &self,
        subject: &str,
        path: &str,
        media_type: &str,
        body: &Value,
    ) -> Frames {
        let token = format!("Bearer {}", self.token(subject));
        let fields: Vec<u8> = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "a"),
            ("authorization", token.as_str()),
            ("content-type", media_type),
        ]
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect();
        let body = body.to_string();
        let mut client = Frames::connect(self.running.address).await;
        let asked =
            [frame(HEADERS, END_HEADERS, 1, &fields), frame(DATA, END_STREAM, 1, body.as_bytes())].concat();
        client.send([asked, frame(PING, 0, 0, &[7; 8])].concat()).await;
        while client.next().await.unwrap().kind != PING {}
        client
    }
}

/// Has a wrong code tried at each of 40 new accounts, by clients that leave as soon as it has been read; and another one
/// after it. How many failures each account has then.
pub(crate) async fn guess_and_leave(service: &Service) -> BTreeMap<String, u64> {
    let subjects: Vec<_> = (0..40).map(|number| format!("alice-{number}")).collect();
    for subject in &subjects {
        service.provision_device(subject).await;
        let body = json!({ "otp": service.wrong_code(0) });
        // Some are being looked at now, and others not yet.
        drop(service.ask_and_have_it_read(subject, VERIFY, "application/json", &body).await);
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
