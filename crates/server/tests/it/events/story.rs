//! All operations, one after the other, and the lines that they leave.

use super::{bare, lines_of, of_alice, of_support, until_lines};
use crate::harness::back_office::{ADMIN, ALICE};
use crate::harness::issuer::with;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use crate::http::client::{Answer, within_patience};
use einmal::events;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

const DEVICE: &str = "738e379f-fe30-45ab-819c-ba88804b6368";
const PHONE: &str = "0d6f1a52-9c1e-4c56-8f0b-5f2f1d0c7a11";

/// Somebody who reads the file along with what is done.
struct Reader {
    service: Service,
    path: PathBuf,
    seen: usize,
}

impl Reader {
    fn new(service: Service) -> Self {
        let path = service.directory.path().join("events.jsonl");
        Self { service, path, seen: 0 }
    }

    /// Exactly these lines have come since the last time.
    async fn reads(&mut self, expected: &[Value]) {
        let lines = until_lines(&self.path, self.seen + expected.len()).await;
        let found: Vec<_> = lines[self.seen..].iter().map(bare).collect();
        assert_eq!(found, expected);
        self.seen = lines.len();
    }

    async fn user(&self, line: &str, headers: &[&str], body: &Value) -> Answer {
        let authorization = format!("Authorization: Bearer {}", self.service.token("alice"));
        let headers = [&[authorization.as_str(), JSON], headers].concat();
        let line = line.replace(' ', " /user/2025-1/user/");
        self.service.send(request(&line, &headers, body.to_string().as_bytes())).await
    }

    async fn does(&self, line: &str, body: &Value, status: u16) {
        let answer = self.user(line, &[], body).await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
    }

    async fn supports(&self, line: &str, status: u16) {
        let answer = self.service.administer(line, &Value::Null).await;
        assert_eq!(answer.status, status, "{line}: {answer:?}");
    }

    /// The code of the next step, which is not spent.
    fn next_code(&self) -> String {
        self.service.clock.advance(30);
        self.service.code(0)
    }
}

fn resource(kind: &str, id: Option<&str>, attributes: &Value) -> Value {
    let mut resource = json!({ "type": kind, "attributes": attributes });
    if let Some(id) = id {
        resource["id"] = id.into();
    }
    json!({ "data": resource })
}

fn refused(reason: &str) -> Value {
    of_alice("refused", &json!({ "types": ["account", "device-totp"], "reason": reason }))
}

fn verified(kind: &str) -> Value {
    of_alice("verified", &json!({ "type": kind }))
}

fn of(event: &str, of: &str) -> Value {
    of_alice(event, &json!({ "of": of }))
}

fn about(event: &str, credential: &str) -> Value {
    of_alice(event, &json!({ "credential": credential }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_an_account_is_told_line_by_line_in_its_order() {
    let (service, _mail) =
        Service::start_mailing_with(&format!("{ADMIN}\n[events]\noutput = \"events.jsonl\"\n")).await;
    let mut reader = Reader::new(service);
    let record = json!({
        "pin": "8299", "password": "correct horse", "deviceTotps": [{ "id": PHONE, "secret": SECRET }],
    });
    assert_eq!(reader.service.put("alice", &record).await, 201);
    reader.reads(&[of_support("account_created")]).await;

    verifies(&mut reader).await;
    creates_codes(&mut reader).await;
    enrols_devices(&mut reader).await;
    enrols_authenticators(&mut reader).await;
    sets_a_pin(&mut reader).await;
    guesses(&mut reader).await;

    reader.does(&format!("DELETE devices/totp/{DEVICE}"), &json!({}), 204).await;
    reader.does(&format!("DELETE devices/totp/{DEVICE}"), &json!({}), 404).await;
    reader.reads(&[about("device_deleted", DEVICE)]).await;
    let diagnose = json!({ "otp": reader.service.code(0) });
    let answer = reader.service.administer(&format!("POST {ALICE}/diagnose"), &diagnose).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    reader.reads(&[of_support("diagnosed")]).await;
    reader.service.change("alice", |account| account.diagnosed_at = vec![account.diagnosed_at[0]; 20]).await;
    let answer = reader.service.administer(&format!("POST {ALICE}/diagnose"), &diagnose).await;
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let throttled = with(&of_support("throttled"), &json!({ "of": "diagnosis", "wait_seconds": wait }));
    reader.reads(&[throttled]).await;
    assert_eq!(reader.service.put("alice", &record).await, 200);
    reader.supports(&format!("GET {ALICE}"), 200).await;
    reader.supports(&format!("DELETE {ALICE}"), 204).await;
    reader.supports(&format!("DELETE {ALICE}"), 404).await;
    reader.reads(&[of_support("account_replaced"), of_support("account_deleted")]).await;

    // Everything is written before the end, and nothing came that nobody has read.
    let Reader { service, path, seen } = reader;
    service.running.shutdown.begin();
    within_patience("ending", service.running.finished()).await;
    let lines = lines_of(&path);
    assert_eq!(lines.len(), seen);
    let told: BTreeSet<_> = lines.iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    // The one of a store's keys is of no account.
    let others = BTreeSet::from(["keys_changed".to_owned()]);
    let named: BTreeSet<_> = events::names().map(str::to_owned).collect();
    assert_eq!(told.union(&others).cloned().collect::<BTreeSet<_>>(), named);
}

async fn verifies(reader: &mut Reader) {
    let code = reader.service.code(0);
    for (otp, status) in [(code.as_str(), 204), (&code, 404), ("12345", 404)] {
        reader.does("POST otp/verify", &json!({ "otp": otp }), status).await;
    }
    reader.reads(&[verified("device-totp"), refused("replayed"), refused("not_a_code")]).await;
    let wrong = reader.service.wrong_code(0);
    reader.does("POST otp/verify", &json!({ "otp": wrong, "types": ["totp"] }), 404).await;
    let nothing = json!({ "types": ["totp"], "reason": "nothing_enrolled" });
    assert_eq!(reader.service.verify("nobody", &wrong).await, 404);
    let nobody =
        json!({ "account": "nobody", "types": ["account", "device-totp"], "reason": "unknown_account" });
    reader.reads(&[of_alice("refused", &nothing), of_alice("refused", &nobody)]).await;
    reader.does("POST otp/verify", &json!({ "otp": wrong }), 404).await;
    reader.reads(&[refused("wrong")]).await;

    // Under the client's own id; and again under its key, which consumes nothing.
    let body = json!({ "otp": reader.next_code() });
    let headers = ["Request-Id: mine", "Idempotency-Key: 5f0c7a11-9c1e-4c56"];
    for _ in 0..2 {
        assert_eq!(reader.user("POST otp/verify", &headers, &body).await.status, 204);
    }
    reader.reads(&[verified("device-totp"), of_alice("repeated", &json!({}))]).await;
    let lines = lines_of(&reader.path);
    assert!(lines[reader.seen - 2..].iter().all(|line| line["request_id"] == "mine"), "{lines:#?}");
}

async fn creates_codes(reader: &mut Reader) {
    reader.does("POST otp", &json!({ "pin": "8299" }), 201).await;
    reader.does("POST otp", &json!({ "password": "correct horse" }), 201).await;
    reader.does("POST otp", &json!({ "password": "wrong", "pin": "0001" }), 404).await;
    let created = of_alice("code_created", &json!({}));
    reader
        .reads(&[
            of("proof_accepted", "pin"),
            created.clone(),
            of("proof_accepted", "password"),
            created,
            of("proof_refused", "password"),
            of("proof_refused", "pin"),
        ])
        .await;
    assert_eq!(reader.service.mail("alice").await.status, 204);
    assert_eq!(reader.service.mail("alice").await.status, 204, "and no second mail");
    reader.service.told_code().await;
    reader.reads(&[of_alice("code_mailed", &json!({})), of_support("code_told")]).await;
}

async fn enrols_devices(reader: &mut Reader) {
    let with = |proof: &Value| resource("deviceTOTP", Some(DEVICE), proof);
    reader.does("POST devices/totp", &with(&json!({ "pin": "8299" })), 201).await;
    reader.does("POST devices/totp", &with(&json!({ "otp": "no code" })), 403).await;
    let otp = reader.next_code();
    reader.does("POST devices/totp", &with(&json!({ "otp": otp })), 201).await;
    let label = resource("deviceTOTP", None, &json!({ "label": "Glove box" }));
    reader.does(&format!("PATCH devices/totp/{DEVICE}"), &label, 200).await;
    let all = json!({ "types": ["login", "account", "totp", "device-totp"], "reason": "not_a_code" });
    reader
        .reads(&[
            of("proof_accepted", "pin"),
            about("device_enrolled", DEVICE),
            of_alice("refused", &all),
            verified("device-totp"),
            about("device_replaced", DEVICE),
        ])
        .await;
}

async fn enrols_authenticators(reader: &mut Reader) {
    let begun = reader.service.begin("alice").await;
    let id = begun.id.as_str();
    reader.reads(&[of("proof_accepted", "pin"), about("authenticator_begun", id)]).await;
    let refused =
        |id: &str, reason| of_alice("authenticator_refused", &json!({ "credential": id, "reason": reason }));
    assert_eq!(reader.service.confirm("alice", id, "no code").await.status, 403);
    assert_eq!(reader.service.confirm("alice", id, &reader.service.wrong_code(0)).await.status, 403);
    let right = reader.service.code_of(&begun.secret, 0);
    assert_eq!(reader.service.confirm("alice", id, &right).await.status, 204);
    assert_eq!(reader.service.confirm("alice", id, &right).await.status, 404);
    reader
        .reads(&[refused(id, "not_a_code"), refused(id, "wrong"), about("authenticator_confirmed", id)])
        .await;
    reader.does(&format!("DELETE authenticators/{id}"), &json!({}), 204).await;
    reader.reads(&[about("authenticator_deleted", id)]).await;

    let dropped = reader.service.begin("alice").await.id;
    for number in 0..5 {
        let wrong = reader.service.wrong_code(number);
        assert_eq!(reader.service.confirm("alice", &dropped, &wrong).await.status, 403);
    }
    let mut expected = vec![of("proof_accepted", "pin"), about("authenticator_begun", &dropped)];
    expected.extend(vec![refused(&dropped, "wrong"); 5]);
    expected.push(about("authenticator_dropped", &dropped));
    reader.reads(&expected).await;
}

async fn sets_a_pin(reader: &mut Reader) {
    let otp = reader.next_code();
    let pin = |pin: &str, otp: &str| resource("pin", None, &json!({ "pin": pin, "otp": otp }));
    reader.does("PUT pin", &pin("1234", &otp), 406).await;
    for _ in 0..2 {
        let headers = ["Idempotency-Key: 6f0c7a11-9c1e-4c56"];
        assert_eq!(reader.user("PUT pin", &headers, &pin("4378", &otp)).await.status, 200);
    }
    reader.does("PUT pin", &pin("8299", "no code"), 403).await;
    let all = json!({ "types": ["login", "account", "totp", "device-totp"], "reason": "not_a_code" });
    let (set, repeated) = (of_alice("pin_set", &json!({})), of_alice("repeated", &json!({})));
    reader.reads(&[verified("device-totp"), set, repeated, of_alice("refused", &all)]).await;
}

async fn guesses(reader: &mut Reader) {
    reader.service.fail("alice", 5).await;
    reader.does("POST otp/verify", &json!({ "otp": reader.service.code(1) }), 404).await;
    reader.supports(&format!("POST {ALICE}/unlock"), 204).await;
    let waiting = json!({ "types": ["account", "device-totp"], "of": "code", "wait_seconds": 30 });
    let mut expected = vec![refused("wrong"); 5];
    expected.extend([of("wait_begun", "code"), of_alice("throttled", &waiting), of_support("unlocked")]);
    reader.reads(&expected).await;

    for _ in 0..5 {
        reader.does("POST otp", &json!({ "pin": "0001" }), 404).await;
    }
    reader.does("POST otp", &json!({ "pin": "4378" }), 404).await;
    let mut expected = vec![of("proof_refused", "pin"); 5];
    expected.extend([of("wait_begun", "pin"), of_alice("pin_dead", &json!({}))]);
    expected.push(of_alice("throttled", &json!({ "of": "pin", "wait_seconds": 30 })));
    reader.reads(&expected).await;

    // One guess before the last one that the secret takes.
    reader.service.change("alice", |account| account.devices[0].progress.failures = 99).await;
    reader.service.fail("alice", 1).await;
    reader.reads(&[refused("wrong"), of_alice("suspended", &json!({ "secrets": 1 }))]).await;
}
