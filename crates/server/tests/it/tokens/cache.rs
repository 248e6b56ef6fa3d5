//! A token seen before is checked for everything that can have changed.

use super::{NOW, World};
use crate::harness::issuer::{Answer, KEYS, SigningKey};
use einmal::auth::TokenError;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn a_token_that_shares_all_but_its_signature_with_a_known_one_is_refused_90() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    let known = world.accepts(&token).await;
    assert!(Arc::ptr_eq(&known, &world.accepts(&token).await), "the second time it comes from the cache");
    let (input, signature) = token.rsplit_once('.').unwrap();
    let forged = world.token(&json!({ "sub": "bob" }));
    let (forged, _) = forged.rsplit_once('.').unwrap();
    world.refuses("same signature", &format!("{forged}.{signature}")).await;
    world.refuses("same input", &format!("{input}.{}", "A".repeat(signature.len()))).await;
    world.refuses("same beginning", &format!("{token}A")).await;
}

#[tokio::test]
async fn a_known_token_expires_all_the_same() {
    let world = World::new().await;
    let token = world.token(&json!({ "exp": NOW + 60 }));
    world.accepts(&token).await;
    world.clock.advance(89);
    world.accepts(&token).await;
    world.clock.advance(1);
    assert_eq!(world.verify(&token).await.err(), Some(TokenError::Expired));
}

#[tokio::test]
async fn a_known_token_is_not_yet_good_again_when_the_clock_goes_back() {
    let world = World::new().await;
    let token = world.token(&json!({ "nbf": NOW }));
    world.accepts(&token).await;
    world.clock.set_back(31);
    world.refuses("not yet", &token).await;
}

#[tokio::test]
async fn a_known_token_falls_with_the_key_that_signed_it() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    world.accepts(&token).await;
    let next = SigningKey::other_rsa("next");
    world.issuer.publish(&[&next]);
    world.clock.advance(31);
    world.accepts(&next.token(&world.claims(&json!({})))).await;
    world.refuses("withdrawn key", &token).await;
}

#[tokio::test]
async fn a_known_token_survives_a_refresh_that_brings_the_same_keys() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    let known = world.accepts(&token).await;
    world.clock.advance(31);
    // An unknown kid makes us fetch.
    world.refuses("unknown kid", &SigningKey::other_rsa("x").token(&world.claims(&json!({})))).await;
    assert_eq!(world.issuer.count(KEYS), 2);
    assert!(Arc::ptr_eq(&known, &world.accepts(&token).await));
}

#[tokio::test]
async fn a_known_token_is_refused_once_its_issuer_has_been_gone_for_a_day() {
    let world = World::new().await;
    let token = world.token(&json!({ "exp": NOW + 200_000 }));
    world.accepts(&token).await;
    world.issuer.answer(KEYS, Answer::HangUp);
    world.clock.advance(24 * 3600);
    world.accepts(&token).await;
    world.clock.advance(1);
    let answer = world.verify(&token).await.err();
    assert_eq!(answer, Some(TokenError::Unavailable { retry_after_seconds: 30 }));
}
