//! What is fuzzed of tokens: the header they come in, their outside, their inside and the keys they are checked with.
//! Each target takes any bytes and panics where its property does not hold. It must not be in what is shipped.

use super::algorithm::Algorithm;
use super::caller::bearer_token;
use super::claims::Claims;
use super::jwk;
use super::key_set::{Judgement, KeySet};
use super::token::{self, MAX_TOKEN_BYTES, Token};
use crate::fuzzing::Repeating;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use data_encoding::BASE64URL_NOPAD;
use einmal_core::Timestamp;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Lines of `Authorization`. A token is taken from one line alone, whose scheme is Bearer, and is all of the rest.
pub(crate) fn authorization(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Ok(value) = HeaderValue::from_bytes(line.trim_ascii()) else { return };
        headers.append(AUTHORIZATION, value);
    }
    let lines: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
    let expected = match lines.as_slice() {
        [line] => line.to_str().ok().and_then(|line| {
            let (scheme, token) = line.split_once(' ')?;
            let token = token.trim_start_matches(' ');
            let is_token = !token.is_empty() && !token.contains([' ', '\t']);
            (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
        }),
        _ => None,
    };
    assert_eq!(bearer_token(&headers).ok(), expected, "{lines:?}");
}

/// Tokens that were signed once, and the public keys. Nobody has the private ones any more.
struct Signed {
    keys: KeySet,
    tokens: Vec<String>,
}

static SIGNED: LazyLock<Option<Signed>> = LazyLock::new(|| {
    let signed: Value = serde_json::from_str(include_str!("../../../../fuzz/signed_tokens.json")).ok()?;
    let keys = KeySet::parse(signed.get("jwks")?.to_string().as_bytes(), &Algorithm::ALL).ok()?;
    let tokens =
        signed.get("tokens")?.as_array()?.iter().filter_map(|token| token.as_str().map(str::to_owned));
    Some(Signed { keys, tokens: tokens.collect() })
});

/// A token has one spelling, and none is authentic but those that were signed.
pub(crate) fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = Token::split(text) else {
        return;
    };
    assert!(!token::is_opaque(text), "a JWT that would be shown to an issuer: {text}");
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        assert_eq!(parts.len(), 3, "{text}");
        return;
    };
    assert_eq!(BASE64URL_NOPAD.encode(&token.payload), **payload);
    assert_eq!(BASE64URL_NOPAD.encode(&token.signature), **signature);
    assert_eq!(token.signing_input, format!("{header}.{payload}").as_bytes());
    let json = BASE64URL_NOPAD.decode(header.as_bytes()).unwrap_or_default();
    assert_eq!(BASE64URL_NOPAD.encode(&json), **header);

    // What is skipped is not looked at: another library may find it broken.
    if let Ok(header) = serde_json::from_slice::<Value>(&json) {
        let member = |name: &str| header.get(name).and_then(Value::as_str);
        assert_eq!(member("alg"), Some(token.algorithm.name()));
        assert_eq!(member("kid").filter(|kid| !kid.is_empty()), token.kid.as_deref());
        assert!(header.get("crit").is_none() && header.get("b64").is_none(), "{header}");
        let typ = header.get("typ").map(|typ| typ.as_str().unwrap_or_default().to_ascii_lowercase());
        let access = ["jwt", "at+jwt", "application/at+jwt"];
        assert!(typ.is_none_or(|typ| access.contains(&&*typ)), "{header}");
        for twice in Repeating::members_of(&json, &header) {
            let twice = format!("{}.{payload}.{signature}", BASE64URL_NOPAD.encode(&twice.text));
            assert!(Token::split(&twice).is_err(), "{twice}");
        }
    }

    let Some(signed) = &*SIGNED else {
        assert!(SIGNED.is_some(), "no signed tokens");
        return;
    };
    if text.len() <= MAX_TOKEN_BYTES && matches!(signed.keys.judge(&token), Judgement::Authentic) {
        // A signature over a curve has a second spelling, which nobody but its signer is served by.
        let is_of = |token: &String| {
            token.rsplit_once('.').is_some_and(|(input, _)| input.as_bytes() == token_input(text))
        };
        assert!(signed.tokens.iter().any(is_of), "authentic, and nobody signed it: {text}");
    } else {
        assert!(!signed.tokens.iter().any(|signed| signed == text), "signed, and not authentic: {text}");
    }
}

fn token_input(token: &str) -> &[u8] {
    token.rsplit_once('.').map_or(&[], |(input, _)| input.as_bytes())
}

const NOW: u64 = 1_800_000_000;

/// Claims mean what another library reads in them.
pub(crate) fn claims(data: &[u8]) {
    let Ok(claims) = Claims::parse(data) else { return };
    // What is skipped is not looked at.
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    assert_eq!(claims.issuer().ok(), text("iss"));
    let subject = text("sub")
        .filter(|subject| (1..=255).contains(&subject.len()) && !subject.contains(char::is_control));
    assert_eq!(claims.subject().ok(), subject);
    assert_eq!(claims.client(), text("azp").or(text("client_id")));

    let audiences = value.get("aud").map(|aud| aud.as_array().cloned().unwrap_or_else(|| vec![aud.clone()]));
    let is_ours = audiences.as_ref().is_some_and(|all| all.iter().any(|one| one == "einmal"));
    assert_eq!(claims.require_audience(&["einmal".to_owned()]).is_ok(), is_ours, "{value}");
    assert_eq!(claims.has_audience(), audiences.is_some_and(|all| !all.is_empty()));

    let time = |name: &str| value.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let now = NOW as f64;
    let is_good = time("exp").is_some_and(|end| now < end + 30.0)
        && time("nbf").is_none_or(|start| start <= now + 30.0);
    let judged = claims.lifetime().and_then(|lifetime| lifetime.check(Timestamp::from_seconds(NOW)));
    assert_eq!(judged.is_ok(), is_good, "{value}");

    let scopes = match (text("scope"), value.get("scp").and_then(Value::as_array)) {
        (Some(scope), _) => scope.split(' ').map(str::to_owned).collect(),
        (None, Some(scp)) => {
            scp.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect::<Vec<_>>()
        }
        (None, None) => Vec::new(),
    };
    if let Ok(read) = claims.scopes() {
        let is_granted = |scope: &str| read.split(' ').any(|granted| granted == scope);
        assert!(scopes.iter().filter(|scope| !scope.is_empty()).all(|scope| is_granted(scope)), "{value}");
        assert!(
            read.split(' ').all(|scope| scope.is_empty() || scopes.iter().any(|one| one == scope)),
            "{value}"
        );
    }
    let is_verified = value.get("email_verified") == Some(&Value::Bool(true));
    assert_eq!(claims.verified_email(), text("email").filter(|_| is_verified));
    if claims.require_access_token().is_ok() {
        assert!(
            ["cnf", "at_hash", "c_hash", "events"].iter().all(|name| value.get(name).is_none()),
            "{value}"
        );
        assert!(text("typ").is_none_or(|typ| typ.eq_ignore_ascii_case("Bearer")), "{value}");
    }
    for twice in Repeating::members_of(data, &value) {
        assert!(Claims::parse(&twice.text).is_err(), "{} twice in {value}", twice.member);
    }
}

/// A set of keys is the sum of its keys: none takes another with it, or lends it anything; and none is weak.
pub(crate) fn jwks(data: &[u8]) {
    let whole = KeySet::parse(data, &Algorithm::ALL);
    let Ok(document) = serde_json::from_slice::<Value>(data) else {
        assert!(whole.is_err(), "no JSON, and a key set");
        return;
    };
    let Some(jwks) = document.get("keys").and_then(Value::as_array) else {
        assert!(whole.is_err(), "no keys, and a key set");
        return;
    };
    let set =
        |keys: Vec<&Value>| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), &Algorithm::ALL);
    let of_each = jwks.iter().map(|jwk| set(vec![jwk]).map_or(0, |set| set.keys.len()));
    let usable: usize = of_each.sum();
    let Ok(whole) = whole else {
        assert!(usable == 0 || jwks.len() > 100, "keys, and no key set");
        return;
    };
    assert!(jwks.len() <= 100 && whole.keys.len() == usable, "{} of {usable} keys", whole.keys.len());
    let (secret, weak) =
        (json!({ "kty": "oct", "k": "AAAA" }), json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }));
    if jwks.len() < 98 {
        let mut more = vec![&secret, &Value::Null];
        more.extend(jwks);
        more.insert(2, &weak);
        more.truncate(100);
        assert!(set(more).is_ok_and(|more| more == whole), "a bad key beside good ones changed them");
    }
    for jwk in jwks.iter().filter(|jwk| !jwk::parse(jwk, &Algorithm::ALL).is_empty()) {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let length = |name: &str| {
            let bytes =
                text(name).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok()).unwrap_or_default();
            bytes.iter().skip_while(|byte| **byte == 0).count()
        };
        assert!(text("use").is_none_or(|purpose| purpose == "sig"), "{jwk}");
        match text("kty") {
            Some("RSA") => {
                assert!((256..=1024).contains(&length("n")) && (1..=4).contains(&length("e")), "{jwk}");
            }
            Some("EC") => assert!(matches!(text("crv"), Some("P-256" | "P-384")), "{jwk}"),
            Some("OKP") => assert_eq!(text("crv"), Some("Ed25519"), "{jwk}"),
            other => assert_eq!(other, Some("RSA, EC or OKP"), "{jwk}"),
        }
    }
}
