//! Which answers of the issuer are a yes, a no or neither, and what each of them costs.

use super::{LOCAL, NAME, PASSWORD, PIN, World, create_request, setting};
use crate::harness::issuer::{Answer, Issuer, SigningKey, encode, with};
use crate::harness::log::Log;
use crate::harness::service::Service;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

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
