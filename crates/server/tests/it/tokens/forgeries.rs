//! Tokens that nobody signed, or that somebody else did.

use super::World;
use crate::harness::issuer::{Answer, Issuer, SigningKey, encode};
use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

#[tokio::test]
async fn a_token_without_a_signature_is_refused_however_none_is_spelled_61() {
    let world = World::new().await;
    let claims = world.claims(&json!({}));
    let signed = world.key.token(&claims);
    let old_signature = signed.rsplit('.').next().unwrap();
    for alg in ["none", "None", "nOnE", "NONE", "", " none", "rs256", "RS256 ", "HS256"] {
        let header = encode(json!({ "alg": alg, "typ": "JWT", "kid": "rsa" }).to_string());
        let input = format!("{header}.{}", encode(claims.to_string()));
        world.refuses(alg, &format!("{input}.")).await;
        world.refuses(alg, &format!("{input}.{old_signature}")).await;
        world.refuses(alg, &input).await;
    }
    // Right algorithm, no signature.
    let (input, _) = signed.rsplit_once('.').unwrap();
    world.refuses("empty signature", &format!("{input}.")).await;
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret_in_any_form_62() {
    let world = World::new().await;
    let (pkcs1, spki) = world.key.rsa_public_der();
    let pem = |label: &str, der: &[u8]| {
        let body = BASE64.encode(der);
        let lines: Vec<_> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    };
    let (rsa_pem, spki_pem) = (pem("RSA PUBLIC KEY", &pkcs1), pem("PUBLIC KEY", &spki));
    let secrets = [
        rsa_pem.clone().into_bytes(),
        spki_pem.clone().into_bytes(),
        format!(" {spki_pem}").into_bytes(),
        format!("\n{spki_pem}").into_bytes(),
        spki_pem.trim_end().as_bytes().to_vec(),
        pkcs1,
        spki,
        world.key.jwk().to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        for (alg, hash) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            for alg in [alg, "RS256"] {
                let header = encode(json!({ "alg": alg, "typ": "JWT", "kid": "rsa" }).to_string());
                let input = format!("{header}.{}", encode(world.claims(&json!({})).to_string()));
                let tag = hmac::sign(&hmac::Key::new(hash, &secret), input.as_bytes());
                world.refuses(alg, &format!("{input}.{}", encode(tag))).await;
            }
        }
    }
}

#[tokio::test]
async fn a_token_with_any_bit_flipped_is_refused_64() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    // Before and after the token is known: the cache must not make it any easier.
    for _ in 0..2 {
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] ^= 1 << (position % 7);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            world.refuses("a flipped bit", &changed).await;
        }
        world.accepts(&token).await;
    }
}

#[tokio::test]
async fn a_signature_of_another_key_or_another_token_is_refused() {
    let world = World::new().await;
    let stranger = SigningKey::other_rsa("rsa");
    world.refuses("stranger", &stranger.token(&world.claims(&json!({})))).await;
    let mine = world.token(&json!({ "sub": "mallory" }));
    let hers = world.token(&json!({}));
    let (mine, _) = mine.rsplit_once('.').unwrap();
    let (_, hers) = hers.rsplit_once('.').unwrap();
    world.refuses("another token's signature", &format!("{mine}.{hers}")).await;
}

#[tokio::test]
async fn keys_that_a_token_brings_or_points_to_are_never_used_77() {
    let world = World::new().await;
    let thief = SigningKey::other_rsa("thief");
    let recorder = Issuer::start(&[&thief]).await;
    let (_, spki) = thief.rsa_public_der();
    for header in [
        json!({ "jwk": thief.jwk() }),
        json!({ "jku": recorder.keys_url() }),
        json!({ "x5u": recorder.keys_url() }),
        json!({ "x5c": [BASE64.encode(&spki)] }),
        json!({ "kid": "rsa", "jwk": thief.jwk(), "jku": recorder.keys_url() }),
        json!({ "kid": recorder.keys_url() }),
        json!({ "kid": "../../../keys" }),
        json!({ "kid": null, "jwk": thief.jwk() }),
    ] {
        let token = thief.token_with_header(&header, &world.claims(&json!({})));
        world.refuses(&header.to_string(), &token).await;
    }
    assert_eq!(recorder.requests().len(), 0);
    // Beside an honest signature they are mere decoration.
    let decorated = json!({ "jwk": thief.jwk(), "jku": recorder.keys_url(), "x5u": 1, "x5c": {} });
    world.accepts(&world.key.token_with_header(&decorated, &world.claims(&json!({})))).await;
    assert_eq!(recorder.requests().len(), 0);
}

#[tokio::test]
async fn nothing_of_a_token_appears_in_what_we_send_76() {
    let world = World::new().await;
    world.clock.advance(31);
    let marked = SigningKey::other_rsa("canary-kid/../x?y#z");
    let claims =
        world.claims(&json!({ "sub": "canary-sub", "jku": "http://canary-claim/", "azp": "canary-azp" }));
    world.refuses("unknown kid", &marked.token(&claims)).await;
    let foreign =
        marked.token(&world.claims(&json!({ "iss": format!("{}/canary-iss", world.issuer.url()) })));
    world.refuses("unknown issuer", &foreign).await;
    assert_eq!(world.issuer.requests().len(), 4, "a discovery and a key set, twice");
    for request in world.issuer.requests() {
        assert!(!request.contains("canary"), "{request}");
        assert!(!request.to_lowercase().contains("authorization"), "{request}");
    }
    world.issuer.answer("/", Answer::HangUp);
}

#[tokio::test]
async fn degenerate_ecdsa_signatures_are_refused_79() {
    const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    const ORDER_LESS_ONE: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
    let key = SigningKey::new("ES256", Some("ec"));
    let world = World::with_jwks(&[key.jwk()]).await;
    let token = key.token(&world.claims(&json!({})));
    world.accepts(&token).await;
    let (input, signature) = token.rsplit_once('.').unwrap();
    let good = data_encoding::BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let (r, s) = good.split_at(32);
    let number = |hex: &str| HEXLOWER.decode(hex.as_bytes()).unwrap();
    let special = [vec![0; 32], number(ORDER), number(ORDER_LESS_ONE), [vec![0; 31], vec![1]].concat()];
    let mut bad: Vec<Vec<u8>> = vec![Vec::new(), der(r, s)];
    for a in &special {
        bad.extend([[a, s].concat(), [r, a].concat()]);
        bad.extend(special.iter().map(|b| [a.as_slice(), b].concat()));
    }
    bad.extend([good[..63].to_vec(), [&good[..], &[0]].concat(), [&[0], &good[..]].concat()]);
    bad.extend([
        [&[0], r, &[0], s].concat(),
        [&good[..], &good[..]].concat(),
        [&[0; 32], r, &[0; 32], s].concat(),
    ]);
    for signature in bad {
        world.refuses(&format!("{signature:?}"), &format!("{input}.{}", encode(&signature))).await;
    }
}

fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[2, 33, 0], number].concat();
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
}

/// The same classes of attack as Project Wycheproof has for JWS: a good signature under a key, and an
/// algorithm or a purpose that is not the key's.
#[tokio::test]
async fn a_key_is_used_for_nothing_but_its_own_algorithm_and_purpose_92() {
    let algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    for algorithm in algorithms {
        let key = SigningKey::new(algorithm, Some("k"));
        let usable = World::with_jwks(&[key.jwk()]).await;
        let good = usable.claims(&json!({}));
        usable.accepts(&key.token(&good)).await;
        for other in algorithms.iter().filter(|other| **other != algorithm) {
            let token = key.token_with_header(&json!({ "alg": other }), &good);
            usable.refuses(&format!("{algorithm} as {other}"), &token).await;
        }
        let mut bytes = key.sign(b"x");
        bytes.fill(0);
        let (input, _) = key.token(&good).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.len())).unwrap();
        usable.refuses("zeroes", &format!("{input}.{}", encode(&bytes))).await;
        bytes.pop();
        usable.refuses("too short", &format!("{input}.{}", encode(&bytes))).await;

        for changes in [
            json!({ "use": "enc" }),
            json!({ "use": ["sig"] }),
            json!({ "key_ops": ["sign"] }),
            json!({ "key_ops": [] }),
            json!({ "key_ops": "verify" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": "RSA-OAEP" }),
            json!({ "alg": 1 }),
            json!({ "kty": "oct" }),
            json!({ "kid": 1 }),
        ] {
            refuses_key(&key, &changes).await;
        }
    }
}

/// The changed key is no key: beside a good one, its tokens are refused.
async fn refuses_key(key: &SigningKey, changes: &Value) {
    let good = SigningKey::other_rsa("good");
    let world = World::with_jwks(&[key.jwk_with(changes), good.jwk()]).await;
    world.accepts(&good.token(&world.claims(&json!({})))).await;
    world.refuses(&changes.to_string(), &key.token(&world.claims(&json!({})))).await;
}
