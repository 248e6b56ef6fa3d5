//! Tokens, and what issuers were asked.

use super::growth;
use crate::api::direct_grant::{World, no};
use crate::harness::clock::NOW;
use crate::harness::issuer::{Answer, GRANT, INTROSPECTION, Issuer, KEYS};
use crate::harness::service::Service;
use serde_json::json;

#[tokio::test]
async fn tokens_and_questions_to_issuers_are_counted_by_what_came_of_them() {
    let asked = Issuer::start(&[]).await;
    let service = Service::start_with(&format!(
        "introspection = {{ url = \"{}\", client_id = \"einmal\", client_secret = \"geheim\" }}",
        asked.introspection_url()
    ))
    .await;
    service.provision_device("alice").await;
    let introspections =
        |outcome| format!("einmal_introspections_total{{issuer=\"main\",outcome=\"{outcome}\"}}");
    let tokens = |outcome| format!("einmal_tokens_total{{outcome=\"{outcome}\"}}");
    let body = json!({ "otp": "000000" });
    let send = async |token: &str| drop(service.request_with_token(token, &body).send().await.unwrap());

    let good = service.token("alice");
    let misdirected = service.token_with("alice", &json!({ "aud": "another" }));
    let expired = service.token_with("alice", &json!({ "exp": NOW - 3_600 }));
    for (token, outcome) in
        [(good.as_str(), "accepted"), (expired.as_str(), "expired"), (&misdirected, "invalid")]
    {
        let series = tokens(outcome);
        assert_eq!(growth(&service, [&series], async || send(token).await).await, [1], "{outcome}");
    }

    let active = json!({ "active": true, "sub": "alice", "aud": "einmal", "scope": "user:otp:verify" });
    for (answer, outcome, of_token) in [
        (Answer::Json(active), "active", "accepted"),
        (Answer::Json(json!({ "active": false })), "refused", "invalid"),
        (Answer::HangUp, "failed", "unavailable"),
    ] {
        asked.answer(INTROSPECTION, answer);
        let series = [introspections(outcome), tokens(of_token)];
        let series = [series[0].as_str(), series[1].as_str()];
        let grown = growth(&service, series, async || send(&format!("opaque-{outcome}")).await);
        assert_eq!(grown.await, [1, 1], "{outcome}");
    }
    let again = introspections("active");
    let grown = growth(&service, [&again], async || send("opaque-active").await);
    assert_eq!(grown.await, [0], "what is remembered is not asked again");
}

#[tokio::test]
async fn fetches_of_key_sets_are_counted_by_issuer_and_outcome() {
    let service = Service::start().await;
    let series = |outcome| format!("einmal_jwks_fetches_total{{issuer=\"main\",outcome=\"{outcome}\"}}");
    let [fetched, failed] = ["fetched", "failed"].map(series);
    assert_eq!(service.metric(&fetched).await, 1);
    service.issuer.answer(KEYS, Answer::HangUp);
    service.clock.advance(31);
    let stranger = crate::harness::issuer::SigningKey::new("EdDSA", Some("stranger"));
    let token = stranger.token(&service.claims("alice"));
    let grown = growth(&service, [&fetched, &failed], async || {
        let answer = service.request_with_token(&token, &json!({ "otp": "000000" })).send().await.unwrap();
        assert_eq!(answer.status(), 401);
    });
    assert_eq!(grown.await, [0, 1]);
}

#[tokio::test]
async fn passwords_that_an_issuer_was_asked_about_are_counted_by_what_came_of_them() {
    let world = World::start().await;
    let yes = Answer::Json(world.tokens(&json!({})));
    let series = |outcome| format!("einmal_password_grants_total{{issuer=\"main\",outcome=\"{outcome}\"}}");
    let asking = "einmal_stage_duration_seconds_count{stage=\"grant\"}";
    for (answer, outcome) in [(yes, "right"), (no(), "wrong"), (Answer::HangUp, "failed")] {
        world.judge.answer(GRANT, answer);
        let series = series(outcome);
        let grown = growth(&world.service, [&series, asking], async || {
            drop(world.create("alice", json!({ "password": "x" })).await);
        });
        assert_eq!(grown.await, [1, 1], "{outcome}");
    }
    let [throttled, waits] =
        ["throttled", "waits_begun"].map(|name| format!("einmal_{name}_total{{of=\"password\"}}"));
    let grown = growth(&world.service, [&throttled, &waits], async || {
        for _ in 0..4 {
            drop(world.create("alice", json!({ "password": "x" })).await);
        }
    });
    assert_eq!(grown.await, [1, 1], "no verdict, but perhaps a guess");
}
