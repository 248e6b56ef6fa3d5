//! What could be taken for something else: keys for secrets, issuers and subjects for one another, a new key for an
//! old one of its name, a second spelling of a signature for another signature.

use super::{HandClock, NOW, World, claims, settings};
use crate::harness::issuer::{Answer, DISCOVERY, Issuer, KEYS, SigningKey, encode};
use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use einmal::auth::{TokenError, TokenVerifier};
use einmal::clock::Clock as _;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

fn decoded(text: &Value) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_str().unwrap().as_bytes()).unwrap()
}

/// DER of a public key (RFC 5480, RFC 8410): what stands before the key itself.
const P256_PREFIX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const ED25519_PREFIX: &str = "302a300506032b6570032100";

#[tokio::test]
async fn a_public_key_of_a_curve_is_no_hmac_secret_either_63() {
    for (algorithm, prefix) in [("ES256", P256_PREFIX), ("EdDSA", ED25519_PREFIX)] {
        let key = SigningKey::new(algorithm, Some("k"));
        let world = World::with_jwks(&[key.jwk()]).await;
        let jwk = key.jwk();
        let point = match algorithm {
            "ES256" => [vec![4], decoded(&jwk["x"]), decoded(&jwk["y"])].concat(),
            _ => decoded(&jwk["x"]),
        };
        let der = [HEXLOWER.decode(prefix.as_bytes()).unwrap(), point.clone()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&der));
        let secrets = [
            point,
            decoded(&jwk["x"]),
            jwk["x"].as_str().unwrap().into(),
            der,
            pem.trim_end().into(),
            pem.into_bytes(),
            jwk.to_string().into_bytes(),
        ];
        for secret in &secrets {
            for alg in ["HS256", algorithm, "none"] {
                let header = encode(json!({ "alg": alg, "typ": "JWT", "kid": "k" }).to_string());
                let input = format!("{header}.{}", encode(world.claims(&json!({})).to_string()));
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
                world.refuses(alg, &format!("{input}.{}", encode(tag))).await;
            }
        }
        world.accepts(&key.token(&world.claims(&json!({})))).await;
    }
}

#[tokio::test]
async fn tokens_of_unknown_issuers_and_unknown_algorithms_make_us_ask_nobody_75() {
    let world = World::new().await;
    let asked = world.issuer.requests().len();
    // Otherwise nothing would be fetched in any case.
    world.clock.advance(31);
    for number in 0..50 {
        let iss = format!("{}/{number}", world.issuer.url());
        let elsewhere = world.claims(&json!({ "iss": iss }));
        world.refuses("iss", &world.key.token_with_header(&json!({ "kid": "x" }), &elsewhere)).await;
        let header = json!({ "alg": "HS256", "kid": "x" });
        world.refuses("alg", &world.key.token_with_header(&header, &world.claims(&json!({})))).await;
    }
    assert_eq!(world.issuer.requests().len(), asked);
}

#[tokio::test]
async fn subjects_that_look_alike_are_accounts_of_their_own_81() {
    let world = World::new().await;
    let alike = [
        "1",
        "01",
        "1.0",
        "1e0",
        "+1",
        " 1",
        "1 ",
        "\u{ff11}",
        "\u{661}",
        "true",
        "null",
        "None",
        "alice",
        "Alice",
        "ALICE",
        "al\u{456}ce",
        "alice\u{200b}",
        "\u{e9}",
        "e\u{301}",
        "\u{212b}",
        "\u{c5}",
        "ma\u{df}e",
        "masse",
        "*",
        "%",
        "_",
        "..",
        "",
        "main",
        "main/alice",
    ];
    let mut accounts = HashSet::new();
    for subject in alike.iter().filter(|subject| !subject.is_empty()) {
        let account = world.accepts(&world.token(&json!({ "sub": subject }))).await.account.clone();
        assert_eq!(account.subject(), *subject);
        assert!(accounts.insert(account), "{subject}");
    }
    assert_eq!(accounts.len(), alike.len() - 1);
    for number in [json!(1), json!(1.0), json!(true), json!([1]), json!(["alice"])] {
        world.refuses_claims(json!({ "sub": number })).await;
    }
}

/// As tenants of one provider do.
#[tokio::test]
async fn issuers_that_share_a_key_set_are_still_two_84() {
    let key = SigningKey::rsa("k");
    let (a, b) = (Issuer::start(&[&key]).await, Issuer::start(&[&key]).await);
    let clock = HandClock::new();
    let of = |name: &str, issuer: &Issuer, audience: &str| {
        let mut settings = settings(name, issuer);
        settings.audiences = vec![audience.to_owned()];
        settings.jwks_uri = Some(a.keys_url().parse().unwrap());
        settings
    };
    let issuers = vec![of("a", &a, "for-a"), of("b", &b, "for-b")];
    let verifier = TokenVerifier::new(issuers, clock.clone()).unwrap();
    verifier.discover().await.unwrap();
    let verify = async |issuer: &Issuer, aud: Value| {
        let token = key.token(&claims(issuer, &json!({ "aud": aud })));
        verifier.verify(&token, clock.now()).await.map(|token| token.account.clone())
    };
    assert_eq!(verify(&a, json!("for-a")).await.unwrap().issuer(), "a");
    assert_eq!(verify(&b, json!(["for-a", "for-b"])).await.unwrap().issuer(), "b");
    for (issuer, aud) in [(&a, "for-b"), (&b, "for-a")] {
        assert!(matches!(verify(issuer, json!(aud)).await, Err(TokenError::Invalid(_))));
    }
}

#[tokio::test]
async fn a_new_key_under_an_old_name_is_found_by_one_fetch_too_85() {
    let world = World::new().await;
    let old = world.token(&json!({}));
    world.accepts(&old).await;
    let new = SigningKey::other_rsa("rsa");
    world.issuer.publish(&[&new]);
    world.clock.advance(30);
    world.accepts(&new.token(&world.claims(&json!({})))).await;
    world.refuses("withdrawn", &old).await;
    assert_eq!(world.issuer.count(KEYS), 2);
    // And a flood of bad signatures costs no more than that.
    for number in 0..50 {
        let token = world.token(&json!({ "jti": number }));
        world.refuses("signed by the old key", &token).await;
    }
    assert_eq!(world.issuer.count(KEYS), 2);
}

#[tokio::test]
async fn keys_that_share_a_name_are_told_apart_by_what_they_are_87() {
    let (rsa, other) = (SigningKey::rsa("k"), SigningKey::other_rsa("k"));
    let (ec, ed) = (SigningKey::new("ES256", Some("k")), SigningKey::new("EdDSA", Some("k")));
    let jwks: Vec<_> = [&rsa, &other, &ec, &ed].iter().map(|key| key.jwk()).collect();
    let world = World::with_jwks(&jwks).await;
    for key in [&rsa, &other, &ec, &ed] {
        world.accepts(&key.token(&world.claims(&json!({})))).await;
    }
    let stranger = SigningKey::new("ES384", Some("k"));
    world.refuses("another key", &stranger.token(&world.claims(&json!({})))).await;
}

#[tokio::test]
async fn an_issuer_that_says_nothing_holds_the_start_up_for_5_seconds_86() {
    for silent in [DISCOVERY, KEYS] {
        let world = World::before_discovery(|_| ()).await;
        world.issuer.answer(silent, Answer::Silent);
        let begun = Instant::now();
        world.verifier.discover().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert!(!world.verifier.is_ready());
        let answer = world.verify(&world.token(&json!({}))).await.err();
        assert_eq!(answer, Some(TokenError::Unavailable { retry_after_seconds: 30 }));
    }
}

#[tokio::test]
async fn keys_outlive_their_issuer_for_24_hours_and_a_token_seen_first_then_is_503() {
    let world = World::new().await;
    let token = |number: u64| world.token(&json!({ "jti": number, "exp": NOW + 200_000 }));
    world.issuer.answer(DISCOVERY, Answer::Text { status: 500, body: String::new() });
    world.clock.advance(24 * 3600);
    world.accepts(&token(1)).await;
    assert!(world.verifier.is_ready());
    world.clock.advance(1);
    assert!(!world.verifier.is_ready());
    assert!(matches!(world.verify(&token(2)).await.err(), Some(TokenError::Unavailable { .. })));
    let discovery = json!({ "issuer": world.issuer.url(), "jwks_uri": world.issuer.keys_url() });
    world.issuer.answer(DISCOVERY, Answer::Json(discovery));
    world.clock.advance(30);
    world.accepts(&token(3)).await;
}

/// Of each algorithm: a good signature written otherwise, and none at all.
#[tokio::test]
async fn a_signature_has_one_spelling_79() {
    /// Order of the base point of Ed25519, little-endian (RFC 8032 section 5.1).
    const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = HEXLOWER.decode(ED25519_ORDER.as_bytes()).unwrap();
    for algorithm in ["RS256", "PS256", "ES384", "EdDSA"] {
        let key = SigningKey::new(algorithm, Some("k"));
        let world = World::with_jwks(&[key.jwk()]).await;
        let token = key.token(&world.claims(&json!({})));
        let (input, signature) = token.rsplit_once('.').unwrap();
        let good = decoded(&json!(signature));
        let half = good.len() / 2;
        let mut bad = vec![
            Vec::new(),
            vec![0; good.len()],
            vec![0xff; good.len()],
            [&[0], &good[..]].concat(),
            [&good[..], &[0]].concat(),
            good[..good.len() - 1].to_vec(),
            [&good[..half], &vec![0; good.len() - half][..]].concat(),
            [&vec![0; half][..], &good[half..]].concat(),
            [&good[half..], &good[..half]].concat(),
        ];
        if algorithm == "EdDSA" {
            bad.push([&good[..32], &sum(&good[32..], &order)].concat());
            // The neutral element, which some take for a signature of everything.
            bad.push([&[1], &[0; 63][..]].concat());
        }
        if algorithm == "RS256" {
            bad.push(vec![1]);
            bad.push([vec![0; good.len() - 1], vec![1]].concat());
        }
        for signature in bad {
            world
                .refuses(&format!("{algorithm} {signature:?}"), &format!("{input}.{}", encode(&signature)))
                .await;
        }
        world.accepts(&token).await;
    }
}

/// Of little-endian numbers; it fits, for both are far below 2^255.
fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let add = |(a, b): (&u8, &u8)| {
        let digit = u16::from(*a) + u16::from(*b) + carry;
        carry = digit >> 8;
        u8::try_from(digit & 0xff).unwrap()
    };
    a.iter().zip(b).map(add).collect()
}
