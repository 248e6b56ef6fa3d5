//! What support is told about a code that a user reads out, over HTTP: that it neither consumes nor counts, how often it is
//! told, and that no user can ask.

use super::{OTHER_SECRET, issued, with_everything};
use crate::harness::back_office::{ADMIN, ALICE};
use crate::harness::log::Log;
use crate::harness::postgres::PostgresServer;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use crate::http::client::{Answer, Client};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::task::JoinSet;

impl Service {
    /// What the back office is told about a code of alice's.
    async fn diagnose(&self, otp: &str, types: &[&str]) -> Answer {
        let body = json!({ "otp": otp, "types": types });
        self.administer(&format!("POST {ALICE}/diagnose"), &body).await
    }

    /// The verdict and the reasons, of any type.
    async fn reasons(&self, otp: &str) -> (String, Vec<String>) {
        let answer = self.diagnose(otp, &["login", "account", "totp", "device-totp"]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // A test asks more often than an agent may.
        self.change("alice", |account| account.diagnosed_at.clear()).await;
        let told = answer.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let findings = told["findings"].as_array().unwrap();
        (text(&told["verdict"]), findings.iter().map(|finding| text(&finding["reason"])).collect())
    }
}

/// The same of another service on the same store.
async fn diagnosed_by(address: SocketAddr, token: String, otp: String) -> Answer {
    let authorization = format!("Authorization: Bearer {token}");
    let body = json!({ "otp": otp }).to_string();
    let asked = request(&format!("POST {ALICE}/diagnose"), &[&authorization, JSON], body.as_bytes());
    Client::connect(address).await.request(asked).await
}

async fn administered() -> Service {
    let service = Service::start_administered().await;
    let device =
        json!({ "id": "8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60", "secret": SECRET, "label": "Glove box" });
    service.provision(&json!({ "id": "alice", "deviceTotps": [device] })).await;
    service
}

#[tokio::test]
async fn the_answer_whole() {
    let service = administered().await;
    let slow = service.diagnose(&service.code(-8), &[]).await;
    assert_snapshot!("slow", slow.whole());
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    service.clock.advance(12);
    assert_snapshot!("used", format!("{:#}", service.diagnose(&service.code(0), &[]).await.json()));
    let other = format!("{:#}", service.diagnose("246801", &["totp"]).await.json());
    assert_snapshot!("nothing_fits", other);
    for _ in 0..2 {
        service.diagnose("246801", &[]).await;
    }
    assert_snapshot!("too_often", service.diagnose("246801", &[]).await.whole());
}

#[tokio::test]
async fn a_code_that_was_diagnosed_is_as_good_as_before_and_once() {
    let service = administered().await;
    service.change("alice", |account| account.otp_throttle.failures = 3).await;
    let code = service.code(0);
    for _ in 0..3 {
        let accepted = ("would-be-accepted".to_owned(), vec!["right".to_owned()]);
        assert_eq!(service.reasons(&code).await, accepted);
    }
    for wrong in 0..3 {
        assert_eq!(service.reasons(&service.wrong_code(wrong)).await.1, ["no-match"]);
    }
    assert_eq!(service.failures("alice").await, 3, "nothing was counted");
    assert_eq!(service.verify("alice", &code).await, 204);
    assert_eq!(service.verify("alice", &code).await, 404);
    let refused = ("would-be-refused".to_owned(), vec!["used".to_owned()]);
    assert_eq!(service.reasons(&code).await, refused);
}

#[tokio::test]
async fn each_reason_is_told_by_its_name() {
    let service = Service::start_administered().await;
    let mut account = with_everything(&service);
    account.login_code.as_mut().unwrap().expires_at = issued(&service, "246801").expires_at;
    service.insert("alice", account).await;
    let reasons = async |otp: &str| service.reasons(otp).await.1;
    assert_eq!(reasons(&service.code(0)).await, ["right"]);
    assert_eq!(reasons(&service.code_of(OTHER_SECRET, 9)).await, ["clock-fast"]);
    assert_eq!(reasons(&service.code(-9)).await, ["clock-slow"]);
    assert_eq!(reasons("1234").await, ["not-a-code"]);
    assert_eq!(reasons("135 790").await, ["right"], "as people read it out");
    let by_default = service.diagnose("246801", &[]).await.json();
    assert_eq!(by_default["findings"][0]["reason"], "type-not-asked-for");
    assert_eq!(by_default["findings"][0]["credential"], json!({ "type": "login" }));

    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    assert_eq!(reasons(&service.code(-1)).await, ["older-than-used"]);
    service.change("alice", |account| account.authenticators[0].progress.failures = 100).await;
    assert_eq!(reasons(&service.code_of(OTHER_SECRET, 0)).await, ["suspended"]);
    for number in 0..5 {
        service.verify("alice", &service.wrong_code(number)).await;
    }
    assert_eq!(reasons("135790").await, ["waiting", "dead"]);
    service.clock.advance(600);
    assert_eq!(reasons("246801").await, ["expired"]);
    service.administer(&format!("PUT {ALICE}"), &json!({ "pin": "8299" })).await;
    assert_eq!(reasons("246801").await, ["nothing-enrolled"]);
}

#[tokio::test]
async fn an_app_that_waits_for_its_first_code_is_told() {
    let service = Service::start_administered().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let begun = service.begin("alice").await;
    let told = service.diagnose(&service.code_of(&begun.secret, 0), &["totp"]).await.json();
    assert_eq!(told["verdict"], "would-be-refused");
    let finding = &told["findings"][0];
    assert_eq!((&finding["reason"], &finding["seconds"]), (&"not-confirmed".into(), &900.into()));
    assert_eq!(finding["credential"]["id"], begun.id);
}

#[tokio::test]
async fn it_is_told_five_times_in_ten_minutes_over_two_services_and_a_restart() {
    let service = administered().await;
    let beside = service.start_beside().await;
    let token = service.admin_token(&json!({}));
    let there =
        async |otp: &str| diagnosed_by(beside.management_address, token.clone(), otp.to_owned()).await;
    let wrong = service.wrong_code(0);
    for _ in 0..2 {
        assert_eq!(service.diagnose(&wrong, &[]).await.status, 200);
        assert_eq!(there(&wrong).await.status, 200);
    }
    service.clock.advance(10);
    // What is no code is told all the same, and takes nobody's turn.
    assert_eq!(service.diagnose("1234", &[]).await.status, 200);
    assert_eq!(there(&wrong).await.status, 200);
    for answer in [service.diagnose(&wrong, &[]).await, there(&service.code(0)).await] {
        assert_eq!((answer.status, answer.code().as_str()), (429, "throttled"));
        assert_eq!(answer.header("retry-after"), Some("590"));
    }
    beside.shutdown.begin();
    beside.finished().await;
    let service = service.restart().await;
    assert_eq!(service.diagnose(&service.code(0), &[]).await.header("retry-after"), Some("590"));
    // Nor does a replacement by the one who asks.
    let record = json!({ "deviceTotps": [{ "secret": SECRET }] });
    assert_eq!(service.administer(&format!("PUT {ALICE}"), &record).await.status, 200);
    assert_eq!(service.diagnose(&service.code(0), &[]).await.status, 429);
    service.clock.advance(590);
    assert_eq!(service.diagnose(&service.code(0), &[]).await.status, 200);
}

/// Twenty at once, at one service after the other.
async fn five_are_told(service: &Service, addresses: &[SocketAddr]) {
    let (token, mut asked) = (service.admin_token(&json!({})), JoinSet::new());
    for address in addresses.iter().cycle().take(20) {
        asked.spawn(diagnosed_by(*address, token.clone(), service.wrong_code(0)));
    }
    let mut statuses: Vec<_> = asked.join_all().await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 5].as_slice(), &[429; 15]].concat());
}

#[tokio::test]
async fn of_many_diagnoses_at_once_five_are_told() {
    let service = administered().await;
    let beside = service.start_beside().await;
    five_are_told(&service, &[service.running.management_address, beside.management_address]).await;
}

#[tokio::test]
async fn of_many_diagnoses_at_once_on_postgres_five_are_told() {
    let Some(server) = PostgresServer::shared() else { return };
    let settings = format!("{ADMIN}\n{}", server.database().section());
    let service = Service::start_with(&settings).await;
    service.provision_device("alice").await;
    let beside = service.start_beside().await;
    five_are_told(&service, &[service.running.management_address, beside.management_address]).await;
}

#[tokio::test]
async fn no_token_of_a_user_is_told_anything_and_nothing_is_counted() {
    let service = administered().await;
    let before = service.versions("alice").await;
    let body = json!({ "otp": service.code(0) }).to_string();
    for (token, status) in [
        (service.token("alice"), 403),
        (service.token_with("alice", &json!({ "scope": "einmal:admin" })), 403),
        (service.admin_token(&json!({ "scope": "user:otp:verify" })), 403),
        ("nonsense".to_owned(), 401),
    ] {
        let authorization = format!("Authorization: Bearer {token}");
        let line = format!("POST {ALICE}/diagnose");
        let answer = service.manage(&line, &[&authorization, JSON], &body).await;
        assert_eq!(answer.status, status);
        let public = service.send(request(&line, &[&authorization, JSON], body.as_bytes())).await;
        assert_eq!(public.status, 404);
    }
    assert_eq!(service.versions("alice").await, before);
}

#[tokio::test]
async fn what_is_asked_is_read_as_for_verification() {
    let service = Service::start_with(ADMIN).await;
    service.provision_device("alice").await;
    let line = format!("POST {ALICE}/diagnose");
    for (body, code) in [
        (json!({}), "missing-value"),
        (json!({ "otp": 123_456 }), "invalid-value"),
        (json!({ "otp": "" }), "invalid-value"),
        (json!({ "otp": "123456", "types": ["sms"] }), "invalid-value"),
        (json!([]), "invalid-value"),
    ] {
        let answer = service.administer(&line, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, code), "{body}");
    }
    let somebody = json!({ "otp": "123456" });
    let nobody = service.administer("POST /admin/accounts/main/bob/diagnose", &somebody).await;
    assert_eq!(nobody.code(), "not-found");
    let verdict = async |types: Value| {
        let body = json!({ "otp": service.code(0), "types": types });
        service.administer(&line, &body).await.json()["verdict"].clone()
    };
    assert_eq!(verdict(json!(null)).await, "would-be-accepted");
    assert_eq!(verdict(json!(["totp"])).await, "would-be-refused");
}

#[tokio::test]
async fn auditors_see_who_asked_and_nobody_sees_the_code() {
    Log::capture();
    let service = administered().await;
    let (right, slow) = (service.code(0), service.code(-8));
    for otp in [&right, &slow, &"4711".to_owned()] {
        let answer = service.diagnose(otp, &[]).await;
        assert!(!answer.whole().contains(&format!("\"{otp}\"")), "{answer:?}");
        assert!(!answer.whole().contains(SECRET));
    }
    for _ in 0..4 {
        service.diagnose(&right, &[]).await;
    }
    let lines = Log::lines("admin");
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "ok", "ok", "ok", "ok", "ok", "throttled"]);
    for line in &lines {
        assert_eq!((&line["operation"], &line["account"]), (&"diagnose".into(), &"alice".into()));
        assert_eq!((&line["by_client"], &line["by_subject"]), (&"backoffice".into(), &"agent-7".into()));
    }
    let text = Log::text();
    for absent in [&right, &slow, &"4711".to_owned()] {
        assert!(!text.contains(&format!("\"{absent}\"")), "{absent} in {text}");
    }
}
