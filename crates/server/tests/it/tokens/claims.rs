//! The inside of a well-signed token.

use super::{NOW, SCOPE, World};
use einmal::auth::TokenError;
use einmal_core::Timestamp;
use serde_json::json;

/// Signed claims with one replaced by text, which may be anything.
fn with_text(world: &World, claim: &str, text: &str) -> String {
    let claims = world.claims(&json!({ claim: "REPLACED" })).to_string();
    let claims = claims.replace(&format!("\"{claim}\":\"REPLACED\""), &format!("\"{claim}\":{text}"));
    world.key.token_of(world.key.header().to_string(), claims)
}

#[tokio::test]
async fn a_good_token_says_who_asks() {
    let world = World::new().await;
    let token = world.accepts(&world.token(&json!({}))).await;
    assert_eq!((token.account.issuer(), token.account.subject()), ("main", "alice"));
    assert_eq!(token.client.as_deref(), Some("app"));
    assert!(token.has_scope(SCOPE));
    assert_eq!(token.expires(), Timestamp::from_seconds(NOW + 300));
    assert_eq!(token.verified_email, None);
    let token = world.accepts(&world.token(&json!({ "azp": null, "client_id": "other" }))).await;
    assert_eq!(token.client.as_deref(), Some("other"));
}

#[tokio::test]
async fn an_expired_token_is_refused_after_the_leeway_and_told_so_65() {
    let world = World::new().await;
    for exp in [json!(NOW - 29), json!(NOW), json!(1_799_999_970.5)] {
        world.accepts(&world.token(&json!({ "exp": exp }))).await;
    }
    for exp in [json!(NOW - 30), json!(NOW - 31), json!(1_799_999_969.5), json!(0), json!(-1), json!(1.5)] {
        let answer = world.verify(&world.token(&json!({ "exp": exp }))).await;
        assert_eq!(answer.err(), Some(TokenError::Expired), "{exp}");
    }
}

#[tokio::test]
async fn only_of_authentic_tokens_it_is_said_that_they_have_expired() {
    let world = World::new().await;
    let expired = world.token(&json!({ "exp": NOW - 100 }));
    let (input, _) = expired.rsplit_once('.').unwrap();
    world.refuses("forged", &format!("{input}.AAAA")).await;
}

#[tokio::test]
async fn a_token_of_the_future_is_refused_but_its_time_of_issue_is_not_judged_65() {
    let world = World::new().await;
    for nbf in [json!(NOW + 30), json!(NOW), json!(0), json!(-7), json!(1_800_000_029.5)] {
        world.accepts(&world.token(&json!({ "nbf": nbf }))).await;
    }
    for nbf in [json!(NOW + 31), json!(1_800_000_030.5), json!(9_007_199_254_740_991_u64)] {
        world.refuses_claims(json!({ "nbf": nbf })).await;
    }
    for iat in [json!(null), json!(NOW + 31), json!(0), json!(NOW + 1_000_000)] {
        world.accepts(&world.token(&json!({ "iat": iat }))).await;
    }
}

#[tokio::test]
async fn a_time_that_is_no_number_is_not_taken_for_absent_66_67() {
    let world = World::new().await;
    for claim in ["exp", "nbf", "iat"] {
        for text in [
            "\"99999999999\"",
            "\"1\"",
            "\"\"",
            "null",
            "true",
            "[1]",
            "{}",
            "1e400",
            "-1e400",
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551616",
            "1e300",
            "NaN",
            "Infinity",
            "0x10",
            "01",
        ] {
            world.refuses(&format!("{claim} {text}"), &with_text(&world, claim, text)).await;
        }
    }
    world.refuses_claims(json!({ "exp": null })).await;
    world.accepts(&with_text(&world, "exp", "9007199254740991")).await;
    world.accepts(&with_text(&world, "exp", "1.9e9")).await;
}

#[tokio::test]
async fn the_issuer_is_compared_byte_for_byte_and_must_be_a_string_68() {
    let world = World::new().await;
    let issuer = world.issuer.url();
    for iss in [
        json!(null),
        json!(""),
        json!("https://evil.example"),
        json!(issuer.to_uppercase()),
        json!(format!("{issuer}/")),
        json!(format!(" {issuer}")),
        json!([issuer]),
        json!(["https://evil.example", issuer]),
        json!(1),
        json!({ "iss": issuer }),
    ] {
        world.refuses_claims(json!({ "iss": iss })).await;
    }
    world.refuses("null", &with_text(&world, "iss", "null")).await;
}

#[tokio::test]
async fn the_audience_must_name_us_69() {
    let world = World::with(|settings| settings.audiences.push("second".to_owned())).await;
    for aud in [json!("einmal"), json!("second"), json!(["x", "einmal"]), json!(["einmal"])] {
        world.accepts(&world.token(&json!({ "aud": aud }))).await;
    }
    for aud in [
        json!(null),
        json!(""),
        json!([]),
        json!("other"),
        json!("Einmal"),
        json!("einmal2"),
        json!("einmal second"),
        json!("einmal,second"),
        json!([["einmal"]]),
        json!(["einmal", 1]),
        json!(["einmal", null]),
        json!({ "einmal": true }),
        json!(1),
        json!(true),
    ] {
        world.refuses_claims(json!({ "aud": aud })).await;
    }
    world.refuses("null", &with_text(&world, "aud", "null")).await;
}

#[tokio::test]
async fn the_subject_is_1_to_255_bytes_without_control_characters_70() {
    let world = World::new().await;
    for sub in ["a", &"x".repeat(255), "Ünïcode 🚗", " ", &"ü".repeat(127)] {
        assert_eq!(world.accepts(&world.token(&json!({ "sub": sub }))).await.account.subject(), sub);
    }
    for sub in [
        json!(null),
        json!(""),
        json!(7),
        json!(["alice"]),
        json!("x".repeat(256)),
        json!("ü".repeat(128)),
        json!("x".repeat(5_000)),
        json!("a\0b"),
        json!("a\n"),
        json!("\u{7f}"),
        json!("\u{85}"),
    ] {
        world.refuses_claims(json!({ "sub": sub })).await;
    }
    world.refuses("null", &with_text(&world, "sub", "null")).await;
    world.refuses("half a character", &with_text(&world, "sub", r#""\ud800""#)).await;
}

#[tokio::test]
async fn a_scope_is_granted_only_by_its_exact_name_71() {
    let world = World::new().await;
    for claims in [
        json!({ "scope": SCOPE }),
        json!({ "scope": format!("openid {SCOPE} email") }),
        json!({ "scope": null, "scp": ["openid", SCOPE] }),
    ] {
        assert!(world.accepts(&world.token(&claims)).await.has_scope(SCOPE), "{claims}");
    }
    for claims in [
        json!({ "scope": null }),
        json!({ "scope": "" }),
        json!({ "scope": "user:otp" }),
        json!({ "scope": "user:otp:verify2" }),
        json!({ "scope": "USER:OTP:VERIFY" }),
        json!({ "scope": format!("openid,{SCOPE}") }),
        json!({ "scope": format!("openid\t{SCOPE}") }),
        json!({ "scope": null, "scp": [] }),
        json!({ "scope": null, "scp": ["user:otp"] }),
        json!({ "scope": "openid", "scp": [SCOPE] }),
    ] {
        assert!(!world.accepts(&world.token(&claims)).await.has_scope(SCOPE), "{claims}");
    }
    for claims in [
        json!({ "scope": [SCOPE] }),
        json!({ "scope": 1 }),
        json!({ "scope": null, "scp": SCOPE }),
        json!({ "scope": null, "scp": [SCOPE, 1] }),
        json!({ "scope": null, "scp": [format!("openid {SCOPE}")] }),
        json!({ "scp": { SCOPE: true } }),
    ] {
        world.refuses_claims(claims).await;
    }
}

#[tokio::test]
async fn other_tokens_of_the_same_issuer_and_user_are_refused_72_73() {
    let world = World::new().await;
    for claims in [json!({ "typ": "Bearer" }), json!({ "token_use": "access" }), json!({ "nonce": "n" })] {
        world.accepts(&world.token(&claims)).await;
    }
    for claims in [
        json!({ "typ": "ID" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": "Offline" }),
        json!({ "typ": "Logout" }),
        json!({ "typ": "DPoP" }),
        json!({ "typ": "" }),
        json!({ "typ": ["Bearer"] }),
        json!({ "token_use": "id" }),
        json!({ "token_use": 1 }),
        json!({ "nonce": "n", "at_hash": "x" }),
        json!({ "c_hash": "x" }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
    ] {
        world.refuses_claims(claims).await;
    }
}

#[tokio::test]
async fn a_token_bound_to_a_key_is_no_bearer_token_89() {
    let world = World::new().await;
    for cnf in ["{\"jkt\":\"x\"}", "{\"x5t#S256\":\"x\"}", "{}", "null", "\"x\""] {
        world.refuses(cnf, &with_text(&world, "cnf", cnf)).await;
    }
}

#[tokio::test]
async fn claims_are_one_strict_json_object_without_repetitions() {
    let world = World::new().await;
    let good = world.claims(&json!({})).to_string();
    let open = good.strip_suffix('}').unwrap();
    let sign = |claims: &[u8]| world.key.token_of(world.key.header().to_string(), claims);
    for text in [
        String::new(),
        "null".to_owned(),
        "\"x\"".to_owned(),
        format!("[{good}]"),
        format!("{good}{good}"),
        open.to_owned(),
        format!("{open},}}"),
        format!("\u{feff}{good}"),
        format!("{open},\"sub\":\"bob\"}}"),
        format!("{open},\"s\\u0075b\":\"bob\"}}"),
        format!("{open},\"exp\":9999999999}}"),
        format!("{open},\"aud\":\"einmal\"}}"),
        format!("{open},\"x\":1,\"y\":2,\"x\":1}}"),
        format!("{open},\"x\":1,\"\\u0078\":1}}"),
    ] {
        world.refuses(&text, &sign(text.as_bytes())).await;
    }
    world.refuses("no UTF-8", &sign(&[open.as_bytes(), b",\"x\":\"\xff\"}"].concat())).await;
    world.accepts(&sign(format!("{open},\"x\":{{\"sub\":1,\"sub\":2}}}}").as_bytes())).await;
    // Thousands of levels must not end the process.
    let deep = format!("{open},\"x\":{}{}}}", "[".repeat(2_500), "]".repeat(2_500));
    let _ = world.verify(&sign(deep.as_bytes())).await;
}

#[tokio::test]
async fn an_address_counts_only_if_the_issuer_has_verified_it() {
    let world = World::new().await;
    let email = "a@example.com";
    let verified = world.accepts(&world.token(&json!({ "email": email, "email_verified": true }))).await;
    assert_eq!(verified.verified_email.as_deref(), Some(email));
    for claims in [
        json!({ "email": email }),
        json!({ "email": email, "email_verified": false }),
        json!({ "email": email, "email_verified": "true" }),
        json!({ "email": email, "email_verified": 1 }),
        json!({ "email": [email], "email_verified": true }),
        json!({ "email": { "a": email }, "email_verified": true }),
    ] {
        assert_eq!(world.accepts(&world.token(&claims)).await.verified_email, None, "{claims}");
    }
}

#[tokio::test]
async fn the_time_of_registration_is_read_where_the_operator_says() {
    let world = World::with(|settings| settings.registered_at_claim = Some("/user/since".to_owned())).await;
    let fraction: serde_json::Value = serde_json::from_str(&format!("{}.5", NOW - 61)).unwrap();
    for since in
        [json!(NOW - 60), fraction, json!("2027-01-15T07:59:00Z"), json!("2027-01-15T08:59:00+01:00")]
    {
        let token = world.accepts(&world.token(&json!({ "user": { "since": since } }))).await;
        assert_eq!(token.registered_at, Some(Timestamp::from_seconds(NOW - 60)), "{since}");
    }
    for user in
        [json!({}), json!({ "since": "yesterday" }), json!({ "since": [NOW] }), json!([1]), json!("x")]
    {
        assert_eq!(world.accepts(&world.token(&json!({ "user": user }))).await.registered_at, None, "{user}");
    }
}
