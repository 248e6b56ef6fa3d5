//! Which keys of an issuer are used, and for what.

use super::{HandClock, World, claims, settings};
use crate::harness::issuer::{Answer, Issuer, KEYS, SigningKey, encode};
use einmal::auth::{Algorithm, TokenError, TokenVerifier};
use einmal::clock::Clock as _;
use serde_json::{Value, json};

const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

#[tokio::test]
async fn every_algorithm_is_accepted_and_only_if_it_is_allowed() {
    for name in ALGORITHMS {
        let key = SigningKey::new(name, Some("k"));
        let world = World::with_jwks(&[key.jwk()]).await;
        world.accepts(&key.token(&world.claims(&json!({})))).await;

        let only_others = World::before_discovery(|settings| {
            settings.algorithms.retain(|algorithm| algorithm.name() != name);
        })
        .await;
        let good = SigningKey::new(if name == "ES256" { "ES384" } else { "ES256" }, Some("good"));
        only_others.issuer.publish(&[&key, &good]);
        only_others.verifier.discover().await.unwrap();
        only_others.accepts(&good.token(&only_others.claims(&json!({})))).await;
        only_others.refuses(name, &key.token(&only_others.claims(&json!({})))).await;
        // It could never be of a key we have not seen yet, so the issuer is not asked.
        only_others.clock.advance(31);
        let elsewhere = json!({ "kid": "elsewhere" });
        only_others.refuses(name, &key.token_with_header(&elsewhere, &only_others.claims(&json!({})))).await;
        assert_eq!(only_others.issuer.count(KEYS), 1);
    }
    let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    assert_eq!(names, ALGORITHMS);
    assert_eq!(Algorithm::from_name("none"), None);
    assert_eq!(Algorithm::from_name("ed25519"), None);
    assert_eq!(Algorithm::from_name("rs256"), None);
}

/// RFC 9864 section 2.2.
#[tokio::test]
async fn the_newer_name_of_eddsa_is_the_same_in_keys_tokens_and_settings() {
    assert_eq!(Algorithm::from_name("Ed25519"), Algorithm::from_name("EdDSA"));
    let key = SigningKey::new("EdDSA", Some("k"));
    for of_key in ["EdDSA", "Ed25519"] {
        let world = World::with_jwks(&[key.jwk_with(&json!({ "alg": of_key }))]).await;
        for of_token in ["EdDSA", "Ed25519"] {
            let header = json!({ "alg": of_token });
            world.accepts(&key.token_with_header(&header, &world.claims(&json!({})))).await;
        }
        world
            .refuses("Ed448", &key.token_with_header(&json!({ "alg": "Ed448" }), &world.claims(&json!({}))))
            .await;
    }
}

#[tokio::test]
async fn a_key_without_an_algorithm_serves_all_of_its_type() {
    let rsa = SigningKey::new("RS256", Some("k")).jwk_with(&json!({ "alg": null, "use": null }));
    let world = World::with_jwks(&[rsa]).await;
    for name in &ALGORITHMS[..6] {
        world.accepts(&SigningKey::new(name, Some("k")).token(&world.claims(&json!({})))).await;
    }
    for name in &ALGORITHMS[6..] {
        world.refuses(name, &SigningKey::new(name, Some("k")).token(&world.claims(&json!({})))).await;
    }
    let key_ops = json!({ "key_ops": ["verify", "x"], "use": null });
    let world = World::with_jwks(&[world.key.jwk_with(&key_ops)]).await;
    world.accepts(&world.token(&json!({}))).await;
}

#[tokio::test]
async fn without_a_kid_exactly_one_key_must_fit() {
    let (rsa, ec) = (SigningKey::rsa("rsa"), SigningKey::new("ES256", Some("ec")));
    let world = World::with_jwks(&[rsa.jwk(), ec.jwk()]).await;
    let good = world.claims(&json!({}));
    for key in [&rsa, &ec] {
        world.accepts(&key.token_with_header(&json!({ "kid": null }), &good)).await;
        world.accepts(&key.token_with_header(&json!({ "kid": "" }), &good)).await;
    }
    let null = r#"{"alg":"RS256","kid":null}"#;
    world.accepts(&rsa.token_of(null, good.to_string())).await;

    let other = SigningKey::other_rsa("other");
    let world = World::with_jwks(&[rsa.jwk(), other.jwk()]).await;
    let good = world.claims(&json!({}));
    for key in [&rsa, &other] {
        world.accepts(&key.token(&good)).await;
        world.refuses("two fit", &key.token_with_header(&json!({ "kid": null }), &good)).await;
    }
    // The other key's kid, or one that no key has.
    world.refuses("wrong kid", &rsa.token_with_header(&json!({ "kid": "other" }), &good)).await;
    world.refuses("unknown kid", &rsa.token_with_header(&json!({ "kid": "RSA" }), &good)).await;
}

#[tokio::test]
async fn two_issuers_with_the_same_kid_and_the_same_subject_stay_apart_83() {
    let (a_key, b_key) = (SigningKey::rsa("k"), SigningKey::other_rsa("k"));
    let (a, b) = (Issuer::start(&[&a_key]).await, Issuer::start(&[&b_key]).await);
    let clock = HandClock::new();
    let verifier = TokenVerifier::new(vec![settings("a", &a), settings("b", &b)], clock.clone()).unwrap();
    verifier.discover().await.unwrap();
    let verify =
        async |token: String| verifier.verify(&token, clock.now()).await.map(|token| token.account.clone());
    let of_a = verify(a_key.token(&claims(&a, &json!({})))).await.unwrap();
    let of_b = verify(b_key.token(&claims(&b, &json!({})))).await.unwrap();
    assert_eq!((of_a.subject(), of_b.subject()), ("alice", "alice"));
    assert_ne!(of_a, of_b);
    for forged in [a_key.token(&claims(&b, &json!({}))), b_key.token(&claims(&a, &json!({})))] {
        assert!(matches!(verify(forged).await, Err(TokenError::Invalid(_))));
    }
}

#[tokio::test]
async fn one_issuer_out_of_reach_does_not_take_the_others_with_it() {
    let key = SigningKey::rsa("k");
    let (good, gone) = (Issuer::start(&[&key]).await, Issuer::start(&[&key]).await);
    gone.answer(&gone.discovery_path(), Answer::HangUp);
    let clock = HandClock::new();
    let issuers = vec![settings("good", &good), settings("gone", &gone)];
    let verifier = TokenVerifier::new(issuers, clock.clone()).unwrap();
    verifier.discover().await.unwrap();
    assert!(!verifier.is_ready());
    assert!(verifier.verify(&key.token(&claims(&good, &json!({}))), clock.now()).await.is_ok());
    let answer = verifier.verify(&key.token(&claims(&gone, &json!({}))), clock.now()).await;
    assert_eq!(answer.err(), Some(TokenError::Unavailable { retry_after_seconds: 30 }));
}

/// What a public key of Ed25519 begins with in DER (RFC 8410 section 4).
const ED25519_DER_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Keys that are none, with what is wrong with them.
fn bad_keys() -> Vec<Value> {
    let rsa = SigningKey::rsa("bad");
    let ec = SigningKey::new("ES256", Some("bad"));
    let ed = SigningKey::new("EdDSA", Some("bad"));
    let off_curve = encode([1; 32]);
    // Odd and of full length, as a modulus would be.
    let weak = |bytes: usize| encode([&[0xc3], vec![0x5b; bytes - 2].as_slice(), &[1]].concat());
    vec![
        json!({ "kty": "oct", "kid": "bad", "alg": "HS256", "k": encode([1; 32]) }),
        json!({ "kty": "unheard-of", "kid": "bad" }),
        json!({ "kid": "bad" }),
        json!({}),
        json!(null),
        json!("RSA"),
        json!([1]),
        json!({ "kty": ["RSA"] }),
        rsa.jwk_with(&json!({ "n": weak(128) })),
        rsa.jwk_with(&json!({ "n": weak(255) })),
        rsa.jwk_with(&json!({ "n": encode([0xff; 1025]) })),
        rsa.jwk_with(&json!({ "n": "" })),
        rsa.jwk_with(&json!({ "n": 7 })),
        rsa.jwk_with(&json!({ "n": null })),
        rsa.jwk_with(&json!({ "n": "+/+/" })),
        rsa.jwk_with(&json!({ "e": encode([1]) })),
        rsa.jwk_with(&json!({ "e": encode([0, 0, 1]) })),
        rsa.jwk_with(&json!({ "e": encode([2]) })),
        rsa.jwk_with(&json!({ "e": encode([0]) })),
        rsa.jwk_with(&json!({ "e": encode([0xff; 32]) })),
        rsa.jwk_with(&json!({ "e": "" })),
        rsa.jwk_with(&json!({ "kty": "EC" })),
        ec.jwk_with(&json!({ "x": off_curve })),
        ec.jwk_with(&json!({ "x": encode([0; 32]), "y": encode([0; 32]) })),
        ec.jwk_with(&json!({ "x": encode([1; 31]) })),
        ec.jwk_with(&json!({ "crv": "P-384" })),
        ec.jwk_with(&json!({ "crv": "secp256k1" })),
        ec.jwk_with(&json!({ "crv": null })),
        ec.jwk_with(&json!({ "y": null })),
        ec.jwk_with(&json!({ "kty": "RSA" })),
        ed.jwk_with(&json!({ "crv": "X25519" })),
        ed.jwk_with(&json!({ "crv": "Ed448" })),
        ed.jwk_with(&json!({ "x": encode([1; 31]) })),
        ed.jwk_with(&json!({ "x": encode([1; 33]) })),
        ed.jwk_with(&json!({ "x": encode([&ED25519_DER_PREFIX, [9; 32].as_slice()].concat()) })),
        ed.jwk_with(&json!({ "kty": "EC" })),
    ]
}

#[tokio::test]
async fn bad_keys_are_left_out_and_the_good_ones_beside_them_used_86() {
    let bad = bad_keys();
    // All together, before and after a good one.
    let good = SigningKey::rsa("rsa");
    let world = World::with_jwks(&[bad.clone(), vec![good.jwk()], bad.clone()].concat()).await;
    world.accepts(&world.token(&json!({}))).await;
    // Each alone: nothing that could be used.
    for jwk in bad {
        let world = World::with_jwks(std::slice::from_ref(&jwk)).await;
        assert!(!world.verifier.is_ready(), "{jwk}");
        assert_eq!(world.issuer.count(KEYS), 1);
    }
}
