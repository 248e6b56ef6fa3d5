//! What published mobile clients do, step by step and with the headers that they send, over real HTTP and SMTP. They
//! know the addresses of the original API and nothing of our extensions, but for the last one.

use crate::harness::mail_server::MailServer;
use crate::harness::service::Service;
use crate::harness::wire::request;
use crate::http::client::Answer;
use serde_json::{Value, json};

const PLAIN: &str = "application/json";
const JSON_API: &str = "application/vnd.api+json";
const DEVICE: &str = "738e379f-fe30-45ab-819c-ba88804b6368";
const KEY: &str = "7f4df3a4-2f2c-4a52-b0a8-0d3f4f0c9b21";
const PASSWORD: &str = "correct horse battery staple";

/// A mobile client of one user.
struct App {
    service: Service,
    mail_server: MailServer,
}

impl App {
    /// Of a user with a password and a verified address.
    async fn start() -> Self {
        let mail_server = MailServer::start().await;
        let service = Service::start_with(&mail_server.settings()).await;
        service
            .provision(&json!({ "id": "alice", "email": "alice@example.com", "password": PASSWORD }))
            .await;
        Self { service, mail_server }
    }

    /// What it sends says what it takes, also where nothing is sent.
    async fn call(&self, line: &str, media_type: &str, body: Option<&Value>, further: &[&str]) -> Answer {
        let headers = [
            format!("Authorization: Bearer {}", self.service.token("alice")),
            format!("Accept: {media_type}"),
            format!("Content-Type: {media_type}"),
            "API-Key: 3ab2e1f0".to_owned(),
            "uber-trace-id: 53ce929d0e0e4736:53ce929d0e0e4736:0:1".to_owned(),
            "User-Agent: Cars/3.1 (iOS 19.2; en-GB)".to_owned(),
            "Accept-Language: de-DE".to_owned(),
        ];
        let headers: Vec<_> = headers.iter().map(String::as_str).chain(further.iter().copied()).collect();
        let body = body.map(Value::to_string).unwrap_or_default();
        self.service.send(request(line, &headers, body.as_bytes())).await
    }

    async fn create_otp(&self, body: &Value) -> String {
        let answer = self.call("POST /user/2025-1/user/otp", PLAIN, Some(body), &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.document()["otp"].as_str().unwrap().to_owned()
    }

    /// Asks for a mail and reads it.
    async fn mailed_otp(&self) -> String {
        let answer = self.call("POST /user/2025-1/user/otp/sendmail", PLAIN, None, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (204, None), "{answer:?}");
        let mail = self.mail_server.mails().pop().unwrap();
        assert_eq!(mail.recipients, ["TO:<alice@example.com>"]);
        mail.code()
    }

    /// Enables biometry: the secret stays in the phone's keychain.
    async fn create_totp(&self, proof: &Value) -> Secret {
        let document = json!({ "data": { "type": "deviceTOTP", "id": DEVICE, "attributes": proof } });
        let answer = self.call("POST /user/2025-1/user/devices/totp", JSON_API, Some(&document), &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (201, Some(JSON_API)), "{answer:?}");
        let attributes = &answer.document()["data"]["attributes"];
        assert_eq!(answer.document()["data"]["id"], DEVICE);
        assert_eq!((&attributes["digits"], &attributes["period"]), (&json!(6), &json!(30)));
        assert_eq!(attributes["algorithm"], "SHA1");
        Secret(attributes["secret"].as_str().unwrap().to_owned())
    }

    async fn update_pin(&self, pin: &str, otp: &str) -> Answer {
        let document =
            json!({ "data": { "type": "pin", "id": DEVICE, "attributes": { "pin": pin, "otp": otp } } });
        self.call("PUT /user/2025-1/user/pin", JSON_API, Some(&document), &[]).await
    }

    async fn check(&self, path: &str, media_type: &str) -> Answer {
        self.call(&format!("GET /user/2025-1{path}"), media_type, None, &[]).await
    }

    async fn verify(&self, otp: &str, further: &[&str]) -> u16 {
        self.call("POST /user/2025-1/user/otp/verify", PLAIN, Some(&json!({ "otp": otp })), further)
            .await
            .status
    }

    /// Whether a payment can be approved with this PIN: a code on demand, which is then verified.
    async fn approves_with(&self, pin: &str) -> bool {
        let otp = self.create_otp(&json!({ "pin": pin })).await;
        self.verify(&otp, &[]).await == 204
    }
}

struct Secret(String);

impl Secret {
    fn code(&self, app: &App) -> String {
        app.service.code_of(&self.0, 0)
    }
}

#[tokio::test]
async fn a_pin_is_set_by_the_password() {
    let app = App::start().await;
    assert_eq!(app.check("/user/password", JSON_API).await.status, 200);
    assert_eq!(app.check("/user/pin", JSON_API).await.status, 404);
    let otp = app.create_otp(&json!({ "password": PASSWORD })).await;
    let answer = app.update_pin("8299", &otp).await;
    assert_eq!((answer.status, answer.header("content-type"), answer.body.len()), (200, None, 0));
    assert_eq!(app.check("/user/pin", JSON_API).await.status, 200);
    let either = app.check("/user/pin-or-password", PLAIN).await;
    assert_eq!(either.document(), json!({ "pin": true, "password": true }));
    assert!(app.approves_with("8299").await);
}

#[tokio::test]
async fn biometry_is_enabled_by_the_pin() {
    let app = App::start().await;
    let otp = app.create_otp(&json!({ "password": PASSWORD })).await;
    assert_eq!(app.update_pin("8299", &otp).await.status, 200);
    let secret = app.create_totp(&json!({ "pin": "8299" })).await;
    assert_eq!(app.verify(&secret.code(&app), &[]).await, 204);
}

#[tokio::test]
async fn biometry_is_enabled_by_the_password() {
    let app = App::start().await;
    let secret = app.create_totp(&json!({ "password": PASSWORD })).await;
    assert_eq!(app.verify(&secret.code(&app), &[]).await, 204);
}

#[tokio::test]
async fn biometry_is_enabled_by_a_mailed_code() {
    let app = App::start().await;
    let otp = app.mailed_otp().await;
    let secret = app.create_totp(&json!({ "otp": otp })).await;
    assert_eq!(app.verify(&secret.code(&app), &[]).await, 204);
    let again = json!({ "data": { "type": "deviceTOTP", "id": DEVICE, "attributes": { "otp": otp } } });
    let again = app.call("POST /user/2025-1/user/devices/totp", JSON_API, Some(&again), &[]).await;
    assert_eq!(again.status, 403, "the mailed code is spent");
}

#[tokio::test]
async fn a_pin_is_set_by_a_mailed_code_through_a_new_device() {
    let app = App::start().await;
    let otp = app.mailed_otp().await;
    let secret = app.create_totp(&json!({ "otp": otp })).await;
    assert_eq!(app.update_pin("1234", &secret.code(&app)).await.status, 406, "which costs no code");
    assert_eq!(app.update_pin("8299", &secret.code(&app)).await.status, 200);
    assert!(app.approves_with("8299").await);
    assert_eq!(app.verify(&secret.code(&app), &[]).await, 404, "the device's code is spent");
}

#[tokio::test]
async fn a_pin_is_set_by_a_mailed_code() {
    let app = App::start().await;
    let otp = app.mailed_otp().await;
    assert_eq!(app.update_pin("8299", &otp).await.status, 200);
    assert!(app.approves_with("8299").await);
    assert_eq!(app.update_pin("4378", &otp).await.status, 403, "it is spent");
}

#[tokio::test]
async fn a_code_by_biometry_is_verified_on_every_version_and_once() {
    let app = App::start().await;
    let secret = app.create_totp(&json!({ "password": PASSWORD })).await;
    for version in ["2020-4", "2021-2", "2022-1", "2023-1", "2024-1", "2024-2", "2024-3", "2024-4", "2025-1"]
    {
        let line = format!("POST /user/{version}/user/otp/verify");
        let body = json!({ "otp": secret.code(&app), "types": ["device-totp"] });
        assert_eq!(app.call(&line, PLAIN, Some(&body), &[]).await.status, 204, "{version}");
        assert_eq!(app.call(&line, PLAIN, Some(&body), &[]).await.status, 404, "{version}: again");
        app.service.clock.advance(30);
    }
}

#[tokio::test]
async fn a_client_that_repeats_after_a_lost_answer_is_answered_as_it_was() {
    let app = App::start().await;
    let key = format!("Idempotency-Key: {KEY}");
    let document =
        json!({ "data": { "type": "deviceTOTP", "id": DEVICE, "attributes": { "password": PASSWORD } } });
    let mut secrets = Vec::new();
    for _ in 0..8 {
        let line = "POST /user/2025-1/user/devices/totp";
        let answer = app.call(line, JSON_API, Some(&document), &[&key]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        secrets.push(answer.document()["data"]["attributes"]["secret"].as_str().unwrap().to_owned());
    }
    secrets.dedup();
    let [secret] = secrets.as_slice() else { panic!("{} secrets", secrets.len()) };
    let secret = Secret(secret.clone());
    let otp = secret.code(&app);
    for _ in 0..8 {
        assert_eq!(app.verify(&otp, &[&key]).await, 204);
    }
    assert_eq!(app.verify(&otp, &[]).await, 404, "without the key it is a replay");
    app.service.clock.advance(30);
    let document =
        json!({ "data": { "type": "pin", "attributes": { "pin": "8299", "otp": secret.code(&app) } } });
    for _ in 0..8 {
        let answer = app.call("PUT /user/2025-1/user/pin", JSON_API, Some(&document), &[&key]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
    }
    assert!(app.approves_with("8299").await);
}
