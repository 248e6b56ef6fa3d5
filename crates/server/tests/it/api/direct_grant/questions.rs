//! When the issuer is asked about a password, about whose, and how.

use super::{NAME, PASSWORD, PIN, World, create_request, setting};
use crate::api::devices::device_request;
use crate::harness::issuer::{Answer, GRANT, INTROSPECTION, Issuer, SigningKey, with};
use crate::harness::log::Log;
use crate::harness::service::Service;
use crate::harness::wire::request;
use serde_json::{Value, json};

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
