//! When the issuer is asked, and what happens if it does not answer as it should.

use super::{HandClock, NOW, World, claims, eventually, settings};
use crate::harness::issuer::{Answer, Issuer, KEYS, SigningKey};
use einmal::auth::{TokenError, TokenVerifier};
use einmal::clock::Clock as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A token that names a key nobody has published.
fn with_unknown_kid(world: &World, number: usize) -> String {
    world
        .key
        .token_with_header(&json!({ "kid": format!("k{number}") }), &world.claims(&json!({ "jti": number })))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_kids_costs_one_fetch_in_30_seconds_74() {
    let world = Arc::new(World::new().await);
    assert_eq!(world.issuer.count(KEYS), 1);
    let flood = async |count: usize| {
        // Signed by nobody: what matters is that no key has the name.
        let token = with_unknown_kid(&world, 0);
        let (_, rest) = token.split_once('.').unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..64 {
            let (world, rest) = (Arc::clone(&world), rest.to_owned());
            tasks.spawn(async move {
                for number in 0..count / 64 {
                    let header = json!({ "alg": "RS256", "kid": format!("{worker}-{number}") }).to_string();
                    let token = format!("{}.{rest}", crate::harness::issuer::encode(header));
                    world.refuses("unknown kid", &token).await;
                }
            });
        }
        tasks.join_all().await;
    };
    flood(10_000).await;
    assert_eq!(world.issuer.count(KEYS), 1, "30 s have not passed since the start");
    world.clock.advance(30);
    flood(1_000).await;
    assert_eq!(world.issuer.count(KEYS), 2);
    world.clock.advance(29);
    flood(1_000).await;
    assert_eq!(world.issuer.count(KEYS), 2);
    world.clock.advance(1);
    flood(64).await;
    assert_eq!(world.issuer.count(KEYS), 3);
}

#[tokio::test]
async fn good_tokens_do_not_wait_for_a_fetch_that_bad_ones_caused_74() {
    let world = Arc::new(World::new().await);
    world.issuer.answer(KEYS, Answer::Silent);
    world.clock.advance(30);
    let bad = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.refuses("unknown kid", &with_unknown_kid(&world, 1)).await }
    });
    eventually("the fetch begins", || world.issuer.count(KEYS) == 2).await;
    let begun = Instant::now();
    for number in 0..20 {
        world.accepts(&world.token(&json!({ "jti": number }))).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(!bad.is_finished());
    // The issuer never answers. The bad token is refused all the same, after 5 s.
    bad.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn requests_wait_for_the_fetch_under_way_and_a_request_that_goes_away_does_not_end_it() {
    let world = Arc::new(World::before_discovery(|_| ()).await);
    world.issuer.answer(KEYS, Answer::Held(Box::new(Answer::Json(json!({ "keys": [world.key.jwk()] })))));
    let ask = || {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.accepts(&world.token(&json!({}))).await.account.clone() })
    };
    let first = ask();
    eventually("the fetch begins", || world.issuer.count(KEYS) == 1).await;
    let others: Vec<_> = (0..10).map(|_| ask()).collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    world.issuer.release();
    for other in others {
        assert_eq!(other.await.unwrap().subject(), "alice");
    }
    assert_eq!(world.issuer.count(KEYS), 1);
}

#[tokio::test]
async fn a_new_key_is_found_by_one_fetch_and_an_overlap_keeps_both_85() {
    let world = World::new().await;
    let next = SigningKey::other_rsa("next");
    world.issuer.publish(&[&world.key, &next]);
    world.clock.advance(30);
    let token = next.token(&world.claims(&json!({})));
    world.accepts(&token).await;
    world.accepts(&world.token(&json!({}))).await;
    assert_eq!(world.issuer.count(KEYS), 2);
}

#[tokio::test]
async fn a_rotation_without_kids_is_found_too_85() {
    let (old, new) = (SigningKey::new("RS256", None), SigningKey::new("ES256", None));
    let world = World::with_jwks(&[old.jwk()]).await;
    world.accepts(&old.token(&world.claims(&json!({})))).await;
    world.issuer.publish(&[&new]);
    world.clock.advance(30);
    world.accepts(&new.token(&world.claims(&json!({})))).await;
    world.refuses("withdrawn", &old.token(&world.claims(&json!({})))).await;
    assert_eq!(world.issuer.count(KEYS), 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_after_the_next_refresh_85() {
    let world = World::new().await;
    let token = world.token(&json!({ "exp": NOW + 10_000 }));
    world.accepts(&token).await;
    world.issuer.publish(&[&SigningKey::other_rsa("next")]);
    world.clock.advance(599);
    one_round_of_refreshing(&world).await;
    world.accepts(&token).await;
    assert_eq!(world.issuer.count(KEYS), 1, "not due before 10 minutes");
    world.clock.advance(1);
    one_round_of_refreshing(&world).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.verify(&token).await.is_ok() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.refuses("withdrawn", &token).await;
    assert_eq!(world.issuer.count(KEYS), 2);
}

#[tokio::test]
async fn a_refresh_that_fails_is_tried_again_after_30_seconds_and_the_old_keys_are_kept() {
    let world = World::new().await;
    world.issuer.answer(KEYS, Answer::HangUp);
    world.clock.advance(600);
    one_round_of_refreshing(&world).await;
    eventually("a fetch", || world.issuer.count(KEYS) == 2).await;
    world.clock.advance(29);
    one_round_of_refreshing(&world).await;
    world.refuses("unknown kid", &with_unknown_kid(&world, 0)).await;
    assert_eq!(world.issuer.count(KEYS), 2);
    world.clock.advance(1);
    one_round_of_refreshing(&world).await;
    eventually("another fetch", || world.issuer.count(KEYS) == 3).await;
    assert!(world.verifier.is_ready());
    world.accepts(&world.token(&json!({ "exp": NOW + 10_000 }))).await;
}

#[tokio::test]
async fn the_refresher_keeps_looking() {
    let world = Arc::new(World::new().await);
    let refreshing = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.verifier.refresh_forever().await }
    });
    for fetches in 2..4 {
        world.clock.advance(600);
        eventually("a refresh", || world.issuer.count(KEYS) == fetches).await;
    }
    refreshing.abort();
}

/// The refresher looks first and sleeps then; the fetch it begins is a task of its own.
async fn one_round_of_refreshing(world: &World) {
    let forever = tokio::time::timeout(Duration::ZERO, world.verifier.refresh_forever());
    assert!(forever.await.is_err());
}

#[tokio::test]
async fn an_unreachable_issuer_is_asked_again_and_tokens_are_unavailable_till_then() {
    let world = World::before_discovery(|_| ()).await;
    world.issuer.answer(KEYS, Answer::Text { status: 500, body: String::new() });
    world.verifier.discover().await.unwrap();
    assert!(!world.verifier.is_ready());
    let token = world.token(&json!({}));
    let unavailable = |retry_after_seconds| Some(TokenError::Unavailable { retry_after_seconds });
    assert_eq!(world.verify(&token).await.err(), unavailable(30));
    world.clock.advance(20);
    assert_eq!(world.verify(&token).await.err(), unavailable(10));
    assert_eq!(world.issuer.count(KEYS), 1);
    world.issuer.publish(&[&world.key]);
    world.clock.advance(10);
    world.accepts(&token).await;
    assert!(world.verifier.is_ready());
}

#[tokio::test]
async fn the_cool_down_survives_a_clock_that_is_set_back() {
    let world = World::new().await;
    world.clock.set_back(86_400);
    for number in 0..5 {
        world.refuses("unknown kid", &with_unknown_kid(&world, number)).await;
    }
    assert_eq!(world.issuer.count(KEYS), 2, "one at most, and the interval begins anew");
    world.clock.advance(29);
    world.refuses("unknown kid", &with_unknown_kid(&world, 9)).await;
    assert_eq!(world.issuer.count(KEYS), 2);
    world.clock.advance(1);
    world.refuses("unknown kid", &with_unknown_kid(&world, 10)).await;
    assert_eq!(world.issuer.count(KEYS), 3);
}

#[tokio::test]
async fn an_outage_is_bridged_for_no_longer_because_the_clock_was_set_back() {
    let world = World::new().await;
    let token = world.token(&json!({ "exp": NOW + 10_000_000 }));
    world.accepts(&token).await;
    world.issuer.answer(KEYS, Answer::HangUp);
    world.clock.set_back(1_000_000);
    one_round_of_refreshing(&world).await;
    eventually("a fetch", || world.issuer.count(KEYS) == 2).await;
    world.clock.advance(24 * 3600);
    world.accepts(&token).await;
    world.clock.advance(1);
    assert!(matches!(world.verify(&token).await.err(), Some(TokenError::Unavailable { .. })));
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_changes_nothing_and_the_cool_down_holds_86() {
    let metadata_service = Issuer::start(&[&SigningKey::rsa("k0")]).await;
    // The set that would make the tokens good, if only it came in a way that is allowed.
    let tempting = json!({ "keys": [SigningKey::rsa("k0").jwk(), SigningKey::rsa("rsa").jwk()] }).to_string();
    let with_status = |status| Answer::Text { status, body: tempting.clone() };
    let text = |body: &str| Answer::Text { status: 200, body: body.to_owned() };
    let many: Vec<Value> = (0..101).map(|n| SigningKey::rsa(&format!("k{n}")).jwk()).collect();
    for (what, answer) in [
        ("no keys", text(r#"{"keys":[]}"#)),
        ("no member keys", text("{}")),
        ("keys is an object", text(r#"{"keys":{}}"#)),
        ("keys is null", text(r#"{"keys":null}"#)),
        ("an array", text("[]")),
        ("no JSON", text("<html>")),
        ("half of it", text(&tempting[..tempting.len() - 1])),
        ("nothing", text("")),
        ("too many keys", Answer::Json(json!({ "keys": many }))),
        ("too long", text(&format!("{tempting}{}", " ".repeat(256 * 1024)))),
        ("endless", Answer::Endless),
        ("error", with_status(503)),
        ("partial content", with_status(206)),
        ("redirect", Answer::Redirect(metadata_service.keys_url())),
        ("redirect away", Answer::Redirect("http://169.254.169.254/latest/".to_owned())),
        ("not found", with_status(404)),
        ("hangs up", Answer::HangUp),
    ] {
        let world = World::new().await;
        world.issuer.answer(KEYS, answer.clone());
        world.clock.advance(30);
        world.refuses(what, &with_unknown_kid(&world, 0)).await;
        world.refuses(what, &with_unknown_kid(&world, 1)).await;
        assert_eq!(world.issuer.count(KEYS), 2, "{what}");
        world.accepts(&world.token(&json!({ "jti": what }))).await;

        // Without an older set there is nothing to go by.
        let world = World::before_discovery(|_| ()).await;
        world.issuer.answer(KEYS, answer);
        for _ in 0..3 {
            let answer = world.verify(&world.token(&json!({}))).await.err();
            assert_eq!(answer, Some(TokenError::Unavailable { retry_after_seconds: 30 }), "{what}");
        }
        assert_eq!(world.issuer.count(KEYS), 1, "{what}");
    }
    assert_eq!(metadata_service.requests().len(), 0);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_stops_the_start_88() {
    for (discovery, said) in [
        (
            json!({ "issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys" }),
            "evil.example",
        ),
        (json!({ "issuer": "ISSUER/", "jwks_uri": "KEYS" }), "expected"),
        (json!({ "issuer": "ISSUER", "jwks_uri": "http://192.0.2.1/keys" }), "192.0.2.1"),
        (json!({ "issuer": "ISSUER", "jwks_uri": "file:///etc/passwd" }), "passwd"),
        (json!({ "issuer": "ISSUER", "jwks_uri": "keys" }), "jwks_uri"),
    ] {
        let world = World::before_discovery(|_| ()).await;
        let text = discovery.to_string().replace("ISSUER", &world.issuer.url());
        let text = text.replace("KEYS", &world.issuer.keys_url());
        world.issuer.answer(&world.issuer.discovery_path(), Answer::Text { status: 200, body: text });
        let error = world.verifier.discover().await.unwrap_err().to_string();
        assert!(error.contains("\"main\"") && error.contains(said), "{error}");
        assert_eq!(world.issuer.count(KEYS), 0);
        assert!(!world.verifier.is_ready());
    }
}

#[tokio::test]
async fn the_discovery_document_is_under_the_path_of_the_issuer() {
    let key = SigningKey::rsa("rsa");
    for (path, asked) in [
        ("", "/.well-known/openid-configuration"),
        ("/", "/.well-known/openid-configuration"),
        ("/realms/cars", "/realms/cars/.well-known/openid-configuration"),
        ("/realms/cars/", "/realms/cars/.well-known/openid-configuration"),
    ] {
        let issuer = Issuer::start_at(path, &[&key]).await;
        let clock = HandClock::new();
        let verifier = TokenVerifier::new(vec![settings("main", &issuer)], clock.clone()).unwrap();
        verifier.discover().await.unwrap();
        assert_eq!(issuer.count(asked), 1, "{path}: {:?}", issuer.requests());
        assert!(verifier.verify(&key.token(&claims(&issuer, &json!({}))), clock.now()).await.is_ok());
    }
}

#[tokio::test]
async fn a_configured_key_set_needs_no_discovery() {
    let keys = Issuer::start(&[&SigningKey::rsa("rsa")]).await;
    let world = World::with(|settings| settings.jwks_uri = Some(keys.keys_url().parse().unwrap())).await;
    world.accepts(&world.token(&json!({}))).await;
    assert_eq!((keys.requests().len(), world.issuer.requests().len()), (1, 0));
}
