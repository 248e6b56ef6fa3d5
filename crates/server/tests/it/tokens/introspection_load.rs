//! How often an issuer is asked about opaque tokens, and how long its word is good.

use super::introspection::{TOKEN, UNAVAILABLE, active, world};
use super::{NOW, World, eventually};
use crate::harness::ended_runtime::assert_in_vain;
use crate::harness::issuer::{Answer, INTROSPECTION};
use einmal::auth::TokenError;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn asked(world: &World) -> usize {
    world.issuer.count(INTROSPECTION)
}

#[tokio::test]
async fn a_revoked_token_is_refused_within_10_seconds_91() {
    let world = world().await;
    let known = world.accepts(TOKEN).await;
    world.issuer.answer(INTROSPECTION, Answer::Json(json!({ "active": false })));
    world.clock.advance(9);
    assert!(Arc::ptr_eq(&known, &world.accepts(TOKEN).await), "it is remembered");
    assert_eq!(asked(&world), 1);
    world.clock.advance(1);
    world.refuses("revoked", TOKEN).await;
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn an_active_token_is_asked_about_again_after_10_seconds_and_not_before() {
    let world = world().await;
    for round in 1..4 {
        for _ in 0..5 {
            world.accepts(TOKEN).await;
        }
        assert_eq!(asked(&world), round);
        world.clock.advance(10);
    }
    // Of another token nothing is known.
    world.accepts("opaque-tokem").await;
    assert_eq!(asked(&world), 4);
}

#[tokio::test]
async fn an_outage_is_bridged_no_longer_than_a_token_is_remembered() {
    let world = world().await;
    world.accepts(TOKEN).await;
    world.issuer.answer(INTROSPECTION, Answer::HangUp);
    world.clock.advance(9);
    world.accepts(TOKEN).await;
    world.clock.advance(1);
    assert_eq!(world.verify(TOKEN).await.err(), UNAVAILABLE);
}

#[tokio::test]
async fn no_token_is_remembered_beyond_its_end() {
    let world = world().await;
    world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &json!({ "exp": NOW + 3 }))));
    world.accepts(TOKEN).await;
    world.clock.advance(2);
    world.accepts(TOKEN).await;
    assert_eq!(asked(&world), 1);
    world.clock.advance(1);
    world.accepts(TOKEN).await;
    assert_eq!(asked(&world), 2, "at its end it is asked about, each time");
    world.accepts(TOKEN).await;
    assert_eq!(asked(&world), 3);
    world.clock.advance(30);
    assert_eq!(world.verify(TOKEN).await.err(), Some(TokenError::Expired));
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_the_memory_longer() {
    let world = world().await;
    world.accepts(TOKEN).await;
    world.clock.set_back(100_000);
    world.accepts(TOKEN).await;
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn refusals_are_not_remembered() {
    let world = world().await;
    for (number, answer) in
        [Answer::Json(json!({ "active": false })), Answer::HangUp].into_iter().cycle().take(4).enumerate()
    {
        world.issuer.answer(INTROSPECTION, answer);
        assert!(world.verify(TOKEN).await.is_err());
        assert_eq!(asked(&world), number + 1);
    }
    world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &json!({}))));
    world.accepts(TOKEN).await;
}

/// A world whose issuer keeps its answer until it is released.
async fn slow_world() -> Arc<World> {
    let world = world().await;
    let answer = Answer::Json(active(&world, &json!({})));
    world.issuer.answer(INTROSPECTION, Answer::Held(Box::new(answer)));
    Arc::new(world)
}

fn spawn(
    world: &Arc<World>,
    token: impl Into<String>,
) -> impl Future<Output = Option<TokenError>> + Send + 'static {
    let (world, token) = (Arc::clone(world), token.into());
    async move { world.verify(&token).await.err() }
}

#[tokio::test]
async fn requests_with_one_token_wait_for_one_question_and_one_that_goes_away_does_not_end_it() {
    let world = slow_world().await;
    let first = tokio::spawn(spawn(&world, TOKEN));
    eventually("the question", || asked(&world) == 1).await;
    let mut others = JoinSet::new();
    for _ in 0..50 {
        others.spawn(spawn(&world, TOKEN));
    }
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    world.issuer.release();
    assert!(others.join_all().await.iter().all(Option::is_none));
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_flood_of_garbage_is_32_questions_at_once_and_256_requests_that_wait() {
    let world = slow_world().await;
    let mut flood = JoinSet::new();
    for number in 0..400 {
        flood.spawn(spawn(&world, format!("garbage-{number}")));
    }
    // Those for which there is no place are told so at once.
    for _ in 0..400 - 256 {
        assert_eq!(flood.join_next().await.unwrap().unwrap(), UNAVAILABLE);
    }
    eventually("the questions", || asked(&world) == 32).await;
    // JWTs go on being served, and so do tokens that are asked about already.
    world.accepts(&world.token(&json!({}))).await;
    flood.spawn(spawn(&world, "garbage-0"));
    assert_eq!(asked(&world), 32);
    world.issuer.release();
    assert!(flood.join_all().await.iter().all(Option::is_none));
    assert_eq!(asked(&world), 256);
    world.accepts("afterwards").await;
}

#[tokio::test]
async fn an_issuer_that_says_nothing_costs_a_request_5_seconds_91() {
    let world = Arc::new(world().await);
    world.issuer.answer(INTROSPECTION, Answer::Silent);
    let begun = Instant::now();
    let mut waiting = JoinSet::new();
    // More than are asked about at once: waiting for a turn counts, too.
    for number in 0..40 {
        waiting.spawn(spawn(&world, format!("token-{number}")));
    }
    assert!(waiting.join_all().await.iter().all(|error| *error == UNAVAILABLE));
    let took = begun.elapsed();
    assert!((Duration::from_millis(4_900)..Duration::from_secs(8)).contains(&took), "{took:?}");
    world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &json!({}))));
    world.accepts("token-0").await;
}

#[test]
fn who_asks_about_a_token_while_the_runtime_closes_is_told_and_waits_for_nothing() {
    assert_in_vain(world, |world| Box::pin(async { world.verify(TOKEN).await.err() == UNAVAILABLE }));
}
