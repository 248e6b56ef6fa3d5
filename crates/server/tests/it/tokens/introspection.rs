//! Opaque tokens: whom einmal asks about them, how, and which answers are good enough.

use super::{HandClock, NOW, SCOPE, World, settings};
use crate::harness::issuer::{Answer, INTROSPECTION, Issuer, KEYS, SigningKey, encode, with};
use einmal::auth::{
    IntrospectionSettings, IssuerSettings, LinkedIdentitySettings, TokenError, TokenVerifier,
};
use einmal::clock::Clock as _;
use einmal::config::Secret;
use einmal_core::Timestamp;
use serde_json::{Value, json};

pub(super) const TOKEN: &str = "opaque-token";
pub(super) const UNAVAILABLE: Option<TokenError> = Some(TokenError::Unavailable { retry_after_seconds: 5 });
const INVALID: &str = "refused";

pub(super) fn introspection(issuer: &Issuer) -> IntrospectionSettings {
    IntrospectionSettings {
        url: issuer.introspection_url().parse().unwrap(),
        client_id: "einmal".to_owned(),
        client_secret: Secret::new("geheim"),
        token_prefix: String::new(),
        takes_missing_audience: false,
    }
}

/// A world whose issuer vouches for every opaque token.
pub(super) async fn world() -> World {
    world_with(|_| ()).await
}

pub(super) async fn world_with(change: impl FnOnce(&mut IssuerSettings)) -> World {
    let issuer = Issuer::start(&[&SigningKey::rsa("rsa")]).await;
    let introspection = introspection(&issuer);
    let url = issuer.url();
    let mut world = World::with(|settings| {
        settings.issuer = url;
        settings.introspection = Some(introspection);
        change(settings);
    })
    .await;
    world.issuer = issuer;
    world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &json!({}))));
    world
}

/// What the issuer says of an active token, with some members set to something else, or removed by null.
pub(super) fn active(world: &World, changes: &Value) -> Value {
    let usual = json!({
        "active": true, "iss": world.issuer.url(), "sub": "alice", "aud": "einmal", "scope": SCOPE,
        "client_id": "app", "exp": NOW + 300, "token_type": "Bearer", "username": "Alice",
    });
    with(&usual, changes)
}

/// What comes of an opaque token about which the issuer gives this answer.
async fn verdict(world: &World, answer: Answer) -> Result<(), TokenError> {
    let token = format!("{TOKEN}-{}", world.issuer.count(INTROSPECTION));
    world.issuer.answer(INTROSPECTION, answer);
    world.verify(&token).await.map(drop)
}

async fn verdict_on(world: &World, changes: &Value) -> Result<(), &'static str> {
    match verdict(world, Answer::Json(active(world, changes))).await {
        Ok(()) => Ok(()),
        Err(TokenError::Invalid(_)) => Err(INVALID),
        Err(TokenError::Expired) => Err("expired"),
        Err(TokenError::Unavailable { .. }) => Err("unavailable"),
    }
}

#[tokio::test]
async fn an_active_token_says_who_asks_91() {
    let world = world().await;
    let token = world.accepts(TOKEN).await;
    assert_eq!((token.account.issuer(), token.account.subject()), ("main", "alice"));
    assert_eq!(token.client.as_deref(), Some("app"));
    assert!(token.has_scope(SCOPE) && !token.has_scope("user:otp:create"));
    assert_eq!(token.expires(), Timestamp::from_seconds(NOW + 300));
    // The account is that of the issuer's JWTs.
    assert_eq!(token.account, world.accepts(&world.token(&json!({}))).await.account);
}

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
async fn only_a_plain_yes_is_a_yes_91() {
    let world = world().await;
    assert_eq!(verdict_on(&world, &json!({})).await, Ok(()));
    let nice = json!({ "active": false, "exp": NOW + 9_999 });
    assert_eq!(verdict_on(&world, &nice).await, Err(INVALID));
    let alone = verdict(&world, Answer::Json(json!({ "active": false }))).await;
    assert!(matches!(alone, Err(TokenError::Invalid(_))));
    for active in [json!(null), json!("true"), json!("false"), json!(1), json!(0), json!([true]), json!({})] {
        assert_eq!(verdict_on(&world, &json!({ "active": active })).await, Err("unavailable"), "{active}");
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_as_it_should_is_503_and_never_a_success_91() {
    let world = world().await;
    let good = active(&world, &json!({})).to_string();
    let open = good.strip_suffix('}').unwrap();
    let text = |body: &str| Answer::Text { status: 200, body: body.to_owned() };
    let with_status = |status| Answer::Text { status, body: good.clone() };
    let elsewhere = Issuer::start(&[]).await;
    let mut answers = vec![
        ("hangs up", Answer::HangUp),
        ("redirect", Answer::Redirect(elsewhere.introspection_url())),
        ("endless", Answer::Endless),
        ("too long", text(&format!("{good}{}", " ".repeat(256 * 1024)))),
        ("half of it", text(open)),
        ("two", text(&format!("{good}{good}"))),
        ("nothing", text("")),
        ("no JSON", text("<html>")),
        ("a list", text(&format!("[{good}]"))),
        ("true", text("true")),
        ("null active", text(&format!("{open},\"active\":null}}"))),
        ("byte order mark", text(&format!("\u{feff}{good}"))),
        ("active twice", text(&format!("{open},\"active\":true}}"))),
        ("sub twice", text(&format!("{open},\"s\\u0075b\":\"bob\"}}"))),
        ("a stranger twice", text(&format!("{open},\"x\":1,\"x\":1}}"))),
        ("deep", text(&format!("{open},\"x\":{}{}}}", "[".repeat(999), "]".repeat(999)))),
    ];
    answers.extend(
        [201, 204, 206, 400, 401, 403, 404, 429, 500, 503].map(|status| ("status", with_status(status))),
    );
    for (what, answer) in answers {
        assert_eq!(verdict(&world, answer).await.err(), UNAVAILABLE, "{what}");
    }
    for changes in [
        json!({ "sub": 7 }),
        json!({ "aud": 1 }),
        json!({ "scope": [SCOPE] }),
        json!({ "exp": "9999999999" }),
        json!({ "nbf": "1" }),
    ] {
        assert_eq!(verdict_on(&world, &changes).await, Err("unavailable"), "{changes}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
    assert_eq!(verdict(&world, text(&good)).await, Ok(()), "and it recovers by itself");
}

#[tokio::test]
async fn what_an_issuer_says_of_an_active_token_is_judged_as_a_jwt_is() {
    let world = world().await;
    for fine in [
        json!({ "iss": null }),
        json!({ "exp": null }),
        json!({ "token_type": null }),
        json!({ "token_type": "bearer" }),
        json!({ "token_type": "access_token", "token_use": "access_token" }),
        json!({ "typ": "Bearer" }),
        json!({ "aud": ["x", "einmal"] }),
        json!({ "exp": NOW - 29 }),
        json!({ "nbf": NOW + 30, "iat": NOW + 999 }),
        json!({ "sub": "x".repeat(255) }),
        json!({ "scope": null }),
    ] {
        assert_eq!(verdict_on(&world, &fine).await, Ok(()), "{fine}");
    }
    for bad in [
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": format!("{}/", world.issuer.url()) }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": "x".repeat(256) }),
        json!({ "sub": "a\u{0}b" }),
        json!({ "aud": null }),
        json!({ "aud": [] }),
        json!({ "aud": "other" }),
        json!({ "aud": ["other", "einmal2"] }),
        json!({ "nbf": NOW + 31 }),
        json!({ "cnf": { "jkt": "x" } }),
        json!({ "cnf": {} }),
        json!({ "token_type": "DPoP" }),
        json!({ "token_type": "refresh_token" }),
        json!({ "token_type": "" }),
        json!({ "token_type": 1 }),
        json!({ "typ": "Refresh" }),
        json!({ "token_use": "refresh_token" }),
        json!({ "token_use": "id" }),
        json!({ "at_hash": "x" }),
    ] {
        assert_eq!(verdict_on(&world, &bad).await, Err(INVALID), "{bad}");
    }
    assert_eq!(verdict_on(&world, &json!({ "exp": NOW - 30 })).await, Err("expired"));
}

#[tokio::test]
async fn a_missing_audience_is_taken_only_where_the_operator_says_so() {
    let world = world_with(|settings| {
        settings.introspection.as_mut().unwrap().takes_missing_audience = true;
    })
    .await;
    for aud in [json!(null), json!([]), json!("einmal")] {
        assert_eq!(verdict_on(&world, &json!({ "aud": aud })).await, Ok(()), "{aud}");
    }
    for aud in [json!("other"), json!(["other"]), json!("")] {
        assert_eq!(verdict_on(&world, &json!({ "aud": aud })).await, Err(INVALID), "{aud}");
    }
    // What many say of a refresh token.
    for aud in [json!(null), json!([])] {
        let changes = json!({ "aud": aud, "token_type": null });
        assert_eq!(verdict_on(&world, &changes).await, Err(INVALID), "{changes}");
    }
    world.refuses_claims(json!({ "aud": null })).await;
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
async fn a_linked_identity_and_a_time_of_registration_are_found_in_the_answer_91() {
    let world = world_with(|settings| {
        let (claim, provider) = ("/links".to_owned(), "fleet".to_owned());
        let clients = vec!["fleet-app".to_owned()];
        settings.linked_identity = Some(LinkedIdentitySettings { claim, provider, clients });
        settings.registered_at_claim = Some("/ext/since".to_owned());
    })
    .await;
    for (changes, missing) in [
        (json!({}), false),
        (json!({ "client_id": "fleet-app" }), true),
        (json!({ "client_id": "fleet-app", "links": ["fleet"] }), false),
        (json!({ "client_id": "other", "azp": "fleet-app", "links": [] }), true),
    ] {
        world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &changes)));
        let token = world.accepts(&format!("token-{}", encode(changes.to_string()))).await;
        assert_eq!(token.linked_identity_missing, missing, "{changes}");
        assert_eq!(token.registered_at, None);
    }
    let since = json!({ "ext": { "since": NOW - 60 }, "email": "a@example.com", "email_verified": true,
        "locale": "de-AT" });
    world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &since)));
    let token = world.accepts(TOKEN).await;
    assert_eq!(token.registered_at, Some(Timestamp::from_seconds(NOW - 60)));
    assert_eq!(token.verified_email.as_deref(), Some("a@example.com"));
    assert_eq!(token.locale.as_deref(), Some("de-AT"));
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
