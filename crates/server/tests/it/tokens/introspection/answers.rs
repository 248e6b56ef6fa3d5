//! Which answers about an opaque token are good enough, and what is taken from them.

use super::{TOKEN, UNAVAILABLE, active, world, world_with};
use crate::harness::issuer::{Answer, INTROSPECTION, Issuer, encode};
use crate::tokens::{NOW, SCOPE, World};
use einmal::auth::{LinkedIdentitySettings, TokenError};
use einmal_core::Timestamp;
use serde_json::{Value, json};

const INVALID: &str = "refused";

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
