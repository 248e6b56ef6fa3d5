//! Passwords that the issuer judges: what it is asked, and which of its answers are a yes, a no or neither.

use super::create_otp::{CREATE, PIN};
use super::devices::device_request;
use crate::harness::issuer::{Answer, GRANT, INTROSPECTION, Issuer, SigningKey, encode, with};
use crate::harness::log::Log;
use crate::harness::postgres::PostgresServer;
use crate::harness::service::Service;
use crate::harness::wire::{JSON, request};
use crate::http::client::Answer as Told;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

pub(crate) const PASSWORD: &str = "correct horse";
/// Of the hash that alice's account has.
const LOCAL: &str = "of a hash that nobody asks";
const NAME: &str = "alice@example.com";
/// As the configuration has it.
pub(crate) const CLIENT_SECRET: &str = ", client_secret = \"geheim\"";

/// A service whose issuer judges passwords, at a server of its own, and alice with a PIN.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) judge: Issuer,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(CLIENT_SECRET, "").await
    }

    /// `None` where there is no PostgreSQL.
    pub(crate) async fn start_on_postgres() -> Option<Self> {
        let database = PostgresServer::shared()?.database();
        Some(Self::start_with(CLIENT_SECRET, &database.section()).await)
    }

    /// With `further` keys of `direct_grant`, and `sections` after it.
    pub(crate) async fn start_with(further: &str, sections: &str) -> Self {
        let judge = Issuer::start(&[]).await;
        let grant = setting(&judge.token_url(), further);
        let service = Service::start_with(&format!("{grant}\n{sections}")).await;
        service.provision(&json!({ "id": "alice", "pin": PIN, "password": LOCAL })).await;
        let world = Self { service, judge };
        world.says_yes_to("alice");
        world
    }

    pub(crate) fn says_yes_to(&self, subject: &str) {
        self.judge.answer(GRANT, Answer::Json(self.tokens(&json!({ "sub": subject }))));
    }

    pub(crate) fn says_no(&self) {
        self.judge.answer(GRANT, no());
    }

    /// What comes back for a right password of alice, with some claims of its ID token changed.
    pub(crate) fn tokens(&self, changes: &Value) -> Value {
        json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": self.jwt(changes) })
    }

    /// One that no key set of the issuer has signed.
    fn jwt(&self, changes: &Value) -> String {
        let claims =
            json!({ "iss": self.service.issuer.url(), "sub": "alice", "aud": "einmal", "typ": "ID" });
        SigningKey::new("EdDSA", None).token(&with(&claims, changes))
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.service.token_with(subject, &json!({ "preferred_username": NAME }))
    }

    pub(crate) fn request(&self, subject: &str, offered: &Value) -> Vec<u8> {
        create_request(&self.token(subject), offered)
    }

    pub(crate) async fn create(&self, subject: &str, offered: Value) -> Told {
        self.service.send(self.request(subject, &offered)).await
    }

    pub(crate) fn asked(&self) -> usize {
        self.judge.count(GRANT)
    }

    /// The status of alice's password when the judge answers so, and what it has cost.
    async fn status_at(&self, answer: Answer) -> (u16, u32) {
        self.judge.answer(GRANT, answer);
        let (before, _) = self.service.proof_failures("alice").await;
        let told = self.create("alice", json!({ "password": PASSWORD })).await;
        if told.status == 503 {
            assert_eq!((told.code().as_str(), told.header("retry-after")), ("unavailable", Some("5")));
        }
        let (after, _) = self.service.proof_failures("alice").await;
        self.service.change("alice", |account| account.password_throttle.clear()).await;
        (told.status, after.saturating_sub(before))
    }
}

pub(crate) fn setting(token_url: &str, further: &str) -> String {
    format!(
        "password = {{ direct_grant = {{ token_url = \"{token_url}\", client_id = \"einmal\", \
         username_claim = \"/preferred_username\"{further} }} }}"
    )
}

pub(crate) fn no() -> Answer {
    Answer::Text {
        status: 401,
        body: json!({ "error": "invalid_grant", "error_description": NAME }).to_string(),
    }
}

pub(crate) fn create_request(token: &str, offered: &Value) -> Vec<u8> {
    let authorization = format!("Authorization: Bearer {token}");
    request(&format!("POST {CREATE}"), &[&authorization, JSON], offered.to_string().as_bytes())
}

fn refusal(status: u16, error: &str) -> Answer {
    Answer::Text { status, body: json!({ "error": error }).to_string() }
}

#[tokio::test]
async fn the_issuer_says_whether_a_password_is_right_and_a_local_hash_says_nothing() {
    let world = World::start().await;
    let created = world.create("alice", json!({ "password": PASSWORD })).await;
    assert_eq!(created.status, 201);
    assert_eq!(world.service.verify("alice", &created.otp()).await, 204);
    world.says_no();
    for (password, failures) in [(PASSWORD, 1), (LOCAL, 2)] {
        let refused = world.create("alice", json!({ "password": password })).await;
        assert_eq!((refused.status, refused.code().as_str()), (404, "credentials-invalid"));
        assert_eq!(world.service.proof_failures("alice").await, (failures, 0));
    }
    world.says_yes_to("alice");
    assert_eq!(world.create("alice", json!({ "password": PASSWORD })).await.status, 201);
    assert_eq!(world.service.proof_failures("alice").await, (0, 0));
    assert_eq!(world.asked(), 4, "each time anew");
}

#[tokio::test]
async fn the_question_is_a_form_from_a_client_that_says_who_it_is() {
    let name = "ä+b&c=d e%\"\u{1f697}";
    let password = "p&password=x+y%20\u{0}z ü";
    let encoded =
        "username=%C3%A4%2Bb%26c%3Dd+e%25%22%F0%9F%9A%97&password=p%26password%3Dx%2By%2520%00z+%C3%BC";
    for (further, basic, tail) in [
        (", client_secret = \"a+b%c:d&e\"", Some("einmal:a%2Bb%25c%3Ad%26e"), "&scope=openid"),
        (", scope = \"openid profile\"", None, "&scope=openid+profile&client_id=einmal"),
    ] {
        let world = World::start_with(further, "").await;
        let token = world.service.token_with("alice", &json!({ "preferred_username": name }));
        let created = world.service.send(create_request(&token, &json!({ "password": password }))).await;
        assert_eq!(created.status, 201);
        let requests = world.judge.requests();
        let [request] = &requests[..] else { panic!("{requests:?}") };
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
        let header = |name: &str| head.lines().find(|line| line.to_lowercase().starts_with(name));
        assert_eq!(header("accept:"), Some("accept: application/json"));
        assert_eq!(header("content-type:"), Some("content-type: application/x-www-form-urlencoded"));
        let basic = basic
            .map(|basic| format!("authorization: Basic {}", data_encoding::BASE64.encode(basic.as_bytes())));
        assert_eq!(header("authorization:"), basic.as_deref());
        assert_eq!(body, format!("grant_type=password&{encoded}{tail}"));
    }
}

#[tokio::test]
async fn a_password_is_right_only_if_what_comes_back_is_of_the_same_issuer_and_subject() {
    let world = World::start().await;
    let jwt = |changes: Value| world.jwt(&changes);
    let id = |changes: Value| world.tokens(&changes);
    let access = |token: String| with(&id(json!({})), &json!({ "id_token": null, "access_token": token }));
    let encrypted =
        format!("{0}.{1}.{1}.{1}.{1}", encode(r#"{"alg":"dir","enc":"A256GCM"}"#), encode([0; 9]));
    for (what, body, expected) in [
        ("an ID token", id(json!({})), (201, 0)),
        ("an access token", access(jwt(json!({ "typ": "Bearer" }))), (201, 0)),
        ("a null ID token", with(&access(jwt(json!({}))), &json!({ "x": 1 })), (201, 0)),
        ("an encrypted ID token", with(&access(jwt(json!({}))), &json!({ "id_token": encrypted })), (201, 0)),
        ("another sub", id(json!({ "sub": "bob" })), (404, 1)),
        ("another sub in the access token", access(jwt(json!({ "sub": "bob" }))), (404, 1)),
        ("a sub in capitals", id(json!({ "sub": "Alice" })), (404, 1)),
        (
            "an ID token of another, an access token of hers",
            with(&id(json!({ "sub": "bob" })), &json!({ "access_token": jwt(json!({})) })),
            (404, 1),
        ),
        ("another iss", id(json!({ "iss": "https://evil.example" })), (404, 1)),
        ("almost its iss", id(json!({ "iss": format!("{}/", world.service.issuer.url()) })), (404, 1)),
        ("a list as sub", id(json!({ "sub": ["alice"] })), (503, 1)),
        ("a number as sub", id(json!({ "sub": 7 })), (503, 1)),
        ("no sub", id(json!({ "sub": null })), (503, 1)),
        ("no iss", id(json!({ "iss": null })), (503, 1)),
        ("opaque tokens", access("opaque".to_owned()), (503, 1)),
        ("nothing of that", json!({ "token_type": "Bearer" }), (503, 1)),
        ("tokens that are no text", json!({ "id_token": 1 }), (503, 1)),
        ("two tokens in one", access(format!("{0}.{0}", jwt(json!({})))), (503, 1)),
        ("a list", json!([id(json!({}))]), (503, 1)),
    ] {
        assert_eq!(world.status_at(Answer::Json(body)).await, expected, "{what}");
    }
    let twice =
        format!("{{\"id_token\":{:?},\"id_token\":{:?}}}", jwt(json!({ "sub": "bob" })), jwt(json!({})));
    assert_eq!(world.status_at(Answer::Text { status: 200, body: twice }).await, (503, 1));
    let key = SigningKey::new("EdDSA", None);
    let iss = world.service.issuer.url();
    let payload = format!("{{\"iss\":{iss:?},\"sub\":\"bob\",\"s\\u0075b\":\"alice\"}}");
    let twice = access(key.token_of(key.header().to_string(), payload));
    assert_eq!(world.status_at(Answer::Json(twice)).await, (503, 1), "sub twice");
}

#[tokio::test]
async fn what_is_no_verdict_is_503_and_counts_only_if_the_password_may_have_been_judged() {
    let world = World::start().await;
    let elsewhere = Issuer::start(&[]).await;
    let yes = world.tokens(&json!({})).to_string();
    let text = |status, body: &str| Answer::Text { status, body: body.to_owned() };
    for (what, answer, expected) in [
        ("no", refusal(400, "invalid_grant"), (404, 1)),
        ("no, as some say it", refusal(401, "invalid_grant"), (404, 1)),
        ("unknown client", refusal(401, "invalid_client"), (503, 0)),
        ("client that may not", refusal(400, "unauthorized_client"), (503, 0)),
        ("grant that is not there", refusal(400, "unsupported_grant_type"), (503, 0)),
        ("too many", refusal(429, "invalid_grant"), (503, 0)),
        ("another error", refusal(400, "invalid_request"), (503, 1)),
        ("no by another status", refusal(403, "invalid_grant"), (503, 1)),
        ("no by a yes", refusal(200, "invalid_grant"), (503, 1)),
        ("a yes by a no", text(400, &yes), (503, 1)),
        ("no that is no JSON", text(400, "invalid_grant"), (503, 1)),
        ("500", text(500, "<html>"), (503, 1)),
        ("502", text(502, ""), (503, 1)),
        ("503", refusal(503, "temporarily_unavailable"), (503, 1)),
        ("404", text(404, ""), (503, 1)),
        ("201", text(201, &yes), (503, 1)),
        ("204", text(204, ""), (503, 1)),
        ("redirect", Answer::Redirect(elsewhere.token_url()), (503, 1)),
        ("hangs up", Answer::HangUp, (503, 1)),
        ("endless", Answer::Endless, (503, 1)),
        ("too long", text(200, &format!("{yes}{}", " ".repeat(64 * 1024))), (503, 1)),
        ("no JSON", text(200, "<html>"), (503, 1)),
        ("half of it", text(200, &yes[..yes.len() - 1]), (503, 1)),
        ("two", text(200, &format!("{yes}{yes}")), (503, 1)),
        ("nothing", text(200, ""), (503, 1)),
        ("just short enough", text(200, &format!("{yes}{}", " ".repeat(64 * 1024 - yes.len()))), (201, 0)),
    ] {
        assert_eq!(world.status_at(answer).await, expected, "{what}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
    assert_eq!(world.asked(), 26, "nothing is asked twice");
}

#[tokio::test]
async fn where_no_connection_comes_about_nothing_was_judged_and_nothing_counts() {
    // One is bound and does not listen, and one listens and has its queue full.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let full_address = full.local_addr().unwrap();
    let mut queue = Vec::new();
    for _ in 0..4 {
        queue.push(tokio::spawn(tokio::net::TcpStream::connect(full_address)));
    }
    for address in [bound.local_addr().unwrap(), full_address] {
        let service = Service::start_with(&setting(&format!("http://{address}/token"), "")).await;
        service.provision(&json!({ "id": "alice", "pin": PIN })).await;
        let token = service.token_with("alice", &json!({ "preferred_username": NAME }));
        let refused = service.send(create_request(&token, &json!({ "password": PASSWORD }))).await;
        assert_eq!(refused.told(), (503, Some("5")), "{address}");
        assert_eq!(service.proof_failures("alice").await, (0, 0), "{address}");
        assert_eq!(service.create("alice", json!({ "pin": PIN })).await.status, 201, "a PIN needs no issuer");
    }
}

#[tokio::test]
async fn the_operator_reads_what_is_wrong_and_no_names() {
    Log::capture();
    let world = World::start().await;
    for (answer, expected) in [
        (Answer::Json(world.tokens(&json!({ "sub": "bob" }))), "sub that came back"),
        (Answer::Json(world.tokens(&json!({ "iss": "https://evil.example" }))), "iss that came back"),
        (Answer::Json(json!({ "access_token": "opaque" })), "expected an id_token"),
        (refusal(401, "invalid_client"), "says invalid_client"),
        (refusal(400, "alice@example.com"), "status 400"),
        (Answer::Text { status: 500, body: NAME.to_owned() }, "status 500"),
        (Answer::Endless, "more than 65536 bytes"),
        (Answer::HangUp, "could not be read"),
    ] {
        Log::capture();
        world.status_at(answer).await;
        let lines =
            [Log::lines("a password was another account's"), Log::lines("a password could not be judged")];
        let [line] = &lines.concat()[..] else { panic!("{}", Log::text()) };
        assert_eq!(line["issuer"], "main");
        assert!(line["error"].as_str().unwrap().contains(expected), "{line}");
        for name in ["alice", "bob", "evil", PASSWORD, "geheim"] {
            assert!(!Log::text().contains(name), "{name} in {}", Log::text());
        }
    }
}

#[tokio::test]
async fn a_token_without_the_user_name_is_a_wrong_password_and_the_operator_is_told() {
    Log::capture();
    let world = World::start().await;
    for (failures, name) in
        (1..).zip([json!(null), json!(""), json!(7), json!([NAME]), json!({ "is": NAME })])
    {
        let token = world.service.token_with("alice", &json!({ "preferred_username": name }));
        let refused = world.service.send(create_request(&token, &json!({ "password": PASSWORD }))).await;
        assert_eq!((refused.status, refused.code().as_str()), (404, "credentials-invalid"));
        assert_eq!(world.service.proof_failures("alice").await, (failures, 0));
    }
    assert_eq!(world.asked(), 0);
    let lines = Log::lines("a token names no user whose password could be asked about");
    assert_eq!((lines.len(), &lines[0]["claim"]), (5, &json!("/preferred_username")));
}

#[tokio::test]
async fn the_user_of_an_opaque_token_has_the_name_that_introspection_tells() {
    let judge = Issuer::start(&[]).await;
    let introspection = format!(
        "{}\nintrospection = {{ url = \"{}\", client_id = \"einmal\", client_secret = \"geheim\" }}",
        setting(&judge.token_url(), ""),
        judge.introspection_url()
    );
    let world = World { service: Service::start_with(&introspection).await, judge };
    world.says_yes_to("carol");
    let active = json!({
        "active": true, "sub": "carol", "aud": "einmal", "scope": "user:otp:create", "preferred_username": "car ol",
    });
    world.judge.answer(INTROSPECTION, Answer::Json(active));
    let created = world.service.send(create_request("opaque-token", &json!({ "password": PASSWORD }))).await;
    assert_eq!(created.status, 201);
    let question = world.judge.requests().pop().unwrap();
    assert!(question.contains("&username=car+ol&password=correct+horse&"), "{question}");
}

#[tokio::test]
async fn an_issuer_that_judges_passwords_has_one_of_everybody_and_another_issuer_is_not_concerned() {
    let (judge, other, key) = (Issuer::start(&[]).await, SigningKey::rsa("k"), SigningKey::rsa("k"));
    let other = Issuer::start(&[&other]).await;
    let settings = format!(
        "name = \"main\"\n{}\n[[issuers]]\nname = \"other\"\nissuer = \"{}\"\naudiences = [\"einmal\"]",
        setting(&judge.token_url(), ""),
        other.url()
    );
    let world = World { service: Service::start_with(&settings).await, judge };
    let asking = async |token: &str, path: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        world.service.send(request(&format!("GET /user/2025-1/user/{path}"), &[&authorization], b"")).await
    };
    let theirs = key.token(&with(&world.service.claims("alice"), &json!({ "iss": other.url() })));
    for (token, status, has_one) in [(world.token("nobody"), 200, true), (theirs.clone(), 404, false)] {
        assert_eq!(asking(&token, "password").await.status, status);
        assert_eq!(asking(&token, "password?timeout=x").await.status, 422);
        let either = asking(&token, "pin-or-password").await.document();
        assert_eq!(either, json!({ "pin": false, "password": has_one }));
    }
    assert_eq!(asking(&world.token("nobody"), "password?timeout=60").await.status, 200, "and at once");
    let offered = create_request(&theirs, &json!({ "password": PASSWORD }));
    assert_eq!(world.service.send(offered).await.status, 404);
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn a_device_is_enrolled_against_a_password_that_the_issuer_judges() {
    let world = World::start().await;
    world.service.change("alice", |account| account.registered_at = None).await;
    let enrol = async |attributes: Value| {
        let body = json!({ "data": { "type": "deviceTOTP", "attributes": attributes } }).to_string();
        let line = "POST /user/2025-1/user/devices/totp";
        world.service.send(device_request(line, &world.token("alice"), &body)).await.status
    };
    assert_eq!(enrol(json!({ "password": PASSWORD })).await, 201);
    assert_eq!(world.asked(), 1);
    let code = world.create("alice", json!({ "pin": PIN })).await.otp();
    assert_eq!(enrol(json!({ "otp": code, "password": PASSWORD })).await, 201);
    assert_eq!(world.asked(), 1, "the code was right");
    world.says_no();
    assert_eq!(enrol(json!({ "password": PASSWORD })).await, 403);
    assert_eq!(enrol(json!({})).await, 403);
    world.judge.answer(GRANT, Answer::HangUp);
    assert_eq!(enrol(json!({ "password": PASSWORD })).await, 503);
    assert_eq!(world.service.look("alice", |account| account.devices.len()).await, 2);
    assert_eq!(world.service.proof_failures("alice").await, (2, 0));
}
