//! A request that comes twice at once under one key: it is accepted once, and both lines say so.

use super::{SETTINGS, bare, of_alice, until_lines};
use crate::api::direct_grant::{CLIENT_SECRET, PASSWORD, World};
use crate::api::idempotency::{DEVICES, KEY, keyed};
use crate::harness::issuer::{Answer, GRANT};
use crate::http::client::within_patience;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_that_is_found_when_its_password_turns_out_right_is_a_repetition() {
    let world = World::start_with(CLIENT_SECRET, SETTINGS).await;
    let yes = Answer::Json(world.tokens(&json!({ "sub": "alice" })));
    world.judge.answer(GRANT, Answer::Held(Box::new(yes)));
    let device = "738e379f-fe30-45ab-819c-ba88804b6368";
    let data = json!({ "type": "deviceTOTP", "id": device, "attributes": { "password": PASSWORD } });
    let request = keyed(&format!("POST {DEVICES}"), &world.token("alice"), KEY, &json!({ "data": data }));
    let release = async {
        within_patience("both questions", async {
            while world.asked() < 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        world.judge.release();
    };
    let (one, other, ()) = tokio::join!(world.service.send(&request), world.service.send(&request), release);
    assert_eq!((one.status, other.status), (201, 201), "{one:?} {other:?}");
    let lines = until_lines(&world.service.directory.path().join("events.jsonl"), 4).await;
    let mut found: Vec<_> = lines.iter().map(|line| bare(line).to_string()).collect();
    found.sort();
    let accepted = of_alice("proof_accepted", &json!({ "of": "password" }));
    let enrolled = of_alice("device_enrolled", &json!({ "credential": device }));
    let mut expected =
        [&accepted, &accepted, &enrolled, &of_alice("repeated", &json!({}))].map(Value::to_string);
    expected.sort();
    assert_eq!(found, expected);
}
