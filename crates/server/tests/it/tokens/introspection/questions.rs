//! Whom einmal asks about a token, and how: about opaque ones alone, and that issuer alone whose it is.

use super::{TOKEN, introspection, world, world_with};
use crate::harness::issuer::{Answer, INTROSPECTION, Issuer, KEYS, SigningKey, encode};
use crate::tokens::{HandClock, World, settings};
use einmal::auth::{IntrospectionSettings, IssuerSettings, TokenError, TokenVerifier};
use einmal::clock::Clock as _;
use einmal::config::Secret;
use serde_json::json;

#[tokio::test]
async fn the_question_is_a_form_from_a_client_that_says_who_it_is() {
    let world = world_with(|settings| {
        let introspection = settings.introspection.as_mut().unwrap();
        introspection.client_id = "ein:mal ü".to_owned();
        introspection.client_secret = Secret::new("a+b%c:d&e");
    })
    .await;
    world.accepts("tok/en+&token=other~._").await;
    let request = world.issuer.requests().into_iter().find(|request| request.starts_with("POST")).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /introspect HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name)).expect(name);
        line.split_once(": ").unwrap().1.to_owned()
    };
    let basic = data_encoding::BASE64.encode(b"ein%3Amal+%C3%BC:a%2Bb%25c%3Ad%26e");
    assert_eq!(header("authorization:"), format!("Basic {basic}"));
    assert_eq!(header("accept:"), "application/json");
    assert_eq!(header("content-type:"), "application/x-www-form-urlencoded");
    assert_eq!(body, "token=tok%2Fen%2B%26token%3Dother%7E._&token_type_hint=access_token");
}

#[tokio::test]
async fn a_jwt_is_never_shown_to_its_issuer_whatever_is_wrong_with_it() {
    let world = world().await;
    let good = world.token(&json!({}));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let unsigned = encode(json!({ "alg": "none" }).to_string());
    let jwe = encode(json!({ "alg": "dir", "enc": "A256GCM" }).to_string());
    for token in [
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{signature}."),
        format!("{header}.{payload}.!{signature}"),
        format!("{header}."),
        format!("{unsigned}.{payload}."),
        format!("{jwe}.{0}.{0}.{0}.{0}", encode([0; 9])),
        format!("{}.x.y", encode("{}")),
        format!("{}.x.y", encode(" \n{\"alg\":[]}")),
        json!({ "payload": payload, "protected": header, "signature": signature }).to_string(),
        SigningKey::other_rsa("rsa").token(&world.claims(&json!({}))),
        world.token(&json!({ "iss": "https://evil.example" })),
        world.token(&json!({ "cnf": {} })),
        world.token(&json!({ "typ": "ID" })),
    ] {
        world.refuses(&token, &token).await;
    }
    assert_eq!(world.verify(&world.token(&json!({ "exp": 1 }))).await.err(), Some(TokenError::Expired));
    world.accepts(&good).await;
    assert_eq!(world.issuer.count(INTROSPECTION), 0);
}

#[tokio::test]
async fn whatever_is_no_jwt_is_opaque_if_it_is_text_of_at_most_8_kib() {
    let world = world().await;
    for token in [
        "x",
        "2YotnFZFEjr1zCsicMWpAA",
        "ory_at_abc.def",
        "v4.local.AAAA",
        "a.b.c",
        "...",
        "eyJ",
        "tok/en+=",
        "e30",
        &"y".repeat(8_192),
        // The payload is an object, but not the header.
        &format!("{}.{}.x", encode("x"), encode("{}")),
        &format!("{}.{}.x", encode("[]"), encode("{}")),
    ] {
        let asked = world.issuer.count(INTROSPECTION);
        world.accepts(token).await;
        assert_eq!(world.issuer.count(INTROSPECTION), asked + 1, "{token}");
    }
    let asked = world.issuer.count(INTROSPECTION);
    for token in ["", " ", "a b", "a\n", "a\0", "ä", &"y".repeat(8_193), &"y".repeat(60_000)] {
        world.refuses(token, token).await;
    }
    assert_eq!(world.issuer.count(INTROSPECTION), asked);
}

#[tokio::test]
async fn without_introspection_an_opaque_token_is_refused_and_nobody_is_asked() {
    let world = World::new().await;
    let asked = world.issuer.requests().len();
    world.refuses("opaque", TOKEN).await;
    assert_eq!(world.issuer.requests().len(), asked);
}

#[tokio::test]
async fn of_several_issuers_only_the_one_whose_prefix_a_token_has_is_asked() {
    let key = SigningKey::rsa("k");
    let (a, b) = (Issuer::start(&[&key]).await, Issuer::start(&[&key]).await);
    let opaque = |name: &str, issuer: &Issuer, prefix: &str| {
        let token_prefix = prefix.to_owned();
        let introspection = IntrospectionSettings { token_prefix, ..introspection(issuer) };
        IssuerSettings { introspection: Some(introspection), ..settings(name, issuer) }
    };
    let clock = HandClock::new();
    let verifier = |prefixes: [&str; 2]| {
        TokenVerifier::new(vec![opaque("a", &a, prefixes[0]), opaque("b", &b, prefixes[1])], clock.clone())
    };
    for prefixes in [["", ""], ["x", ""], ["", "x"], ["x", "x"], ["x", "xy"], ["xy", "x"]] {
        let error = verifier(prefixes).err().unwrap().to_string();
        assert!(error.contains("token_prefix"), "{error}");
    }
    let verifier = verifier(["at_a_", "at_b_"]).unwrap();
    for issuer in [&a, &b] {
        let answer = json!({ "active": true, "sub": "alice", "aud": "einmal" });
        issuer.answer(INTROSPECTION, Answer::Json(answer));
    }
    for (token, name, asked) in [("at_a_1", "a", (1, 0)), ("at_b_1", "b", (1, 1)), ("at_a_2", "a", (2, 1))] {
        let account = verifier.verify(token, clock.now()).await.unwrap().account.clone();
        assert_eq!((account.issuer(), account.subject()), (name, "alice"));
        assert_eq!((a.count(INTROSPECTION), b.count(INTROSPECTION)), asked);
    }
    let nobodys = verifier.verify("at_c_1", clock.now()).await;
    assert!(matches!(nobodys.err(), Some(TokenError::Invalid(_))));
    assert_eq!((a.count(INTROSPECTION), b.count(INTROSPECTION)), (2, 1));
}

#[tokio::test]
async fn an_issuer_of_opaque_tokens_alone_needs_no_key_set() {
    let world = world_with(|settings| settings.algorithms.clear()).await;
    assert!(world.verifier.is_ready());
    world.accepts(TOKEN).await;
    world.refuses("a JWT", &world.token(&json!({}))).await;
    assert_eq!(world.issuer.count(KEYS), 0);
}
