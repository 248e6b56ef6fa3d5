//! The outside of a token: parts, encoding and header.

use super::World;
use crate::harness::issuer::encode;
use serde_json::json;

#[tokio::test]
async fn a_token_of_more_than_8_kib_is_refused_unread_80() {
    let world = World::new().await;
    let longest = (5_000..6_144)
        .map(|filler| world.token(&json!({ "x": "y".repeat(filler) })))
        .take_while(|token| token.len() <= 8_192);
    let longest = longest.last().unwrap();
    assert!(longest.len() > 8_180, "{}", longest.len());
    world.accepts(&longest).await;
    world.refuses("8 KiB and a little", &padded_to(&world, 8_193)).await;
    world.refuses("60 KiB", &padded_to(&world, 60 * 1024)).await;
}

fn padded_to(world: &World, at_least: usize) -> String {
    let bare = world.token(&json!({})).len();
    let token = world.token(&json!({ "x": "y".repeat((at_least - bare) * 3 / 4 + 1) }));
    assert!(token.len() >= at_least);
    token
}

#[tokio::test]
async fn only_three_strict_base64url_parts_are_a_token_80() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    world.accepts(&token).await;
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!() };
    for (what, bad) in [
        ("empty", String::new()),
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{token}.")),
        ("four parts", format!("{header}.{payload}.{payload}.{signature}")),
        ("five parts, as a JWE has", format!("{header}.{payload}.{payload}.{payload}.{signature}")),
        ("dots alone", ".".repeat(8_000)),
        ("a million dots", ".".repeat(1_000_000)),
        (
            "JSON serialization",
            json!({ "payload": payload, "protected": header, "signature": signature }).to_string(),
        ),
        ("space before", format!(" {token}")),
        ("space after", format!("{token} ")),
        ("line feed after", format!("{token}\n")),
        ("space inside", format!("{header}.{payload}. {signature}")),
        ("padding", format!("{token}==")),
        ("padded header", format!("{header}=.{payload}.{signature}")),
        ("NUL", format!("{token}\0")),
        ("not ASCII", format!("{header}.{payload}é.{signature}")),
    ] {
        world.refuses(what, &bad).await;
    }
}

#[tokio::test]
async fn unused_bits_and_the_other_alphabet_do_not_make_a_second_spelling_80() {
    let world = World::new().await;
    let token = world.token(&json!({}));
    // 256 bytes of signature end in a character of which four bits are unused.
    let (rest, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.find(last).unwrap();
    assert_eq!(value % 16, 0);
    for bit in [1, 2, 4, 8] {
        let spelling = &alphabet[value + bit..=value + bit];
        world.refuses("unused bits", &format!("{rest}{spelling}")).await;
    }
    // A signature that has both characters in which the alphabets differ.
    let token =
        (0..100).map(|n| world.token(&json!({ "jti": n }))).find(|token| token.contains(['-', '_'])).unwrap();
    world.accepts(&token).await;
    world.refuses("standard alphabet", &token.replace('-', "+").replace('_', "/")).await;
}

#[tokio::test]
async fn a_compressed_jwe_is_refused_and_not_unpacked_82() {
    let world = World::new().await;
    let header =
        encode(json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "zip": "DEF", "kid": "rsa" }).to_string());
    world.refuses("JWE", &format!("{header}.{0}.{0}.{0}.{0}", encode([0; 900]))).await;
    // Nor does `zip` mean anything in a signed token.
    world.accepts(&world.key.token_with_header(&json!({ "zip": "DEF" }), &world.claims(&json!({})))).await;
}

#[tokio::test]
async fn the_header_is_one_strict_json_object() {
    let world = World::new().await;
    let claims = world.claims(&json!({})).to_string();
    for header in [
        "",
        "null",
        "[]",
        "\"RS256\"",
        "{}",
        r#"{"alg":"RS256","kid":"rsa""#,
        r#"{"alg":"RS256","kid":"rsa"}x"#,
        r#"{"alg":"RS256","kid":"rsa",}"#,
        r#"{"alg":"RS256","alg":"RS256","kid":"rsa"}"#,
        r#"{"alg":"RS256","\u0061lg":"none","kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":"rsa","kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":"rsa","x":1,"y":2,"x":1}"#,
        r#"{"alg":"RS256","kid":"rsa","typ":"JWT","typ":"JWT"}"#,
        r#"{"alg":["RS256"],"kid":"rsa"}"#,
        r#"{"alg":null,"kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":["rsa"]}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256","kid":{"kid":"rsa"}}"#,
        r#"{"alg":"RS256","kid":"rsa","typ":null}"#,
        r#"{"alg":"RS256","kid":"rsa","typ":["JWT"]}"#,
        "\u{feff}{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
    ] {
        world.refuses(header, &world.key.token_of(header, &claims)).await;
    }
    world
        .refuses(
            "no UTF-8",
            &world.key.token_of(b"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}", &claims),
        )
        .await;
    world
        .accepts(&world.key.token_of(r#" {"kid" : "rsa", "alg" : "RS256", "x" : {"alg":1}} "#, &claims))
        .await;
}

#[tokio::test]
async fn only_the_type_of_an_access_token_passes_72() {
    let world = World::new().await;
    let token = |typ: &str| world.key.token_with_header(&json!({ "typ": typ }), &world.claims(&json!({})));
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        world.accepts(&token(typ)).await;
    }
    world.accepts(&world.key.token_with_header(&json!({ "typ": null }), &world.claims(&json!({})))).await;
    for typ in
        ["", "id+jwt", "ID", "logout+jwt", "dpop+jwt", "secevent+jwt", "application/jwt+x", "at+jwt ", "JOSE"]
    {
        world.refuses(typ, &token(typ)).await;
    }
}

#[tokio::test]
async fn a_header_that_demands_an_extension_is_refused_78() {
    let world = World::new().await;
    for header in [
        json!({ "crit": ["exp"], "exp": 1 }),
        json!({ "crit": [] }),
        json!({ "crit": ["b64"], "b64": false }),
        json!({ "b64": true }),
        json!({ "b64": false }),
        json!({ "crit": "x" }),
    ] {
        let token = world.key.token_with_header(&header, &world.claims(&json!({})));
        world.refuses(&header.to_string(), &token).await;
    }
    let null = r#"{"alg":"RS256","kid":"rsa","crit":null}"#;
    world.refuses(null, &world.key.token_of(null, world.claims(&json!({})).to_string())).await;
}
