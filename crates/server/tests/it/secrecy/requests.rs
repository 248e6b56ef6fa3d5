//! Every kind of request, right and wrong, to the service and to those who provision: nothing that is secret in one comes
//! out anywhere.

use super::{Canaries, EVENTS, MARK, PASSWORD, PIN, SECRET, account, code, verify};
use crate::harness::back_office::ADMIN;
use crate::harness::installation::{Installation, Serving, code_of};
use crate::harness::issuer::SigningKey;
use crate::harness::program::Run;
use crate::harness::service::VERIFY;
use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use einmal::clock::{Clock, SystemClock};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Sends all kinds of requests and searches every answer. Returns their statuses.
async fn exercise(site: &Installation, serving: &Serving, canaries: &mut Canaries) -> Vec<u16> {
    let token = |changes| site.token_with("alice", &changes);
    let good = token(json!({ "jti": MARK }));
    let stranger = SigningKey::new("EdDSA", Some("canary-kid"));
    let claims =
        json!({ "iss": "http://canary", "sub": "canary-sub", "aud": "einmal", "exp": 9_999_999_999_u64 });
    let codes = [code(0), code(1)];
    for code in &codes {
        canaries.add("code", code.as_str());
    }
    let right = json!({ "otp": codes[0] }).to_string();
    let otp = |otp: &str| json!({ "otp": otp }).to_string();
    let requests = [
        (good.clone(), right.clone()),
        (good.clone(), right.clone()),
        (good.clone(), format!("{{\"otp\":\"{}", codes[1])),
        (good.clone(), format!("{{\"otp\":\"{MARK}-otp\",\"types\":[\"{MARK}-type\"]}}")),
        (good.clone(), json!({ "otp": { "pin": "canary-pin" }, "password": PASSWORD }).to_string()),
        (good.clone(), format!("{{\"otp\":1,\"otp\":\"{MARK}\"}}")),
        (good.clone(), format!("{MARK} {PASSWORD}")),
        (good.clone(), otp("canary-otp")),
        (good.clone(), otp(&BASE32_NOPAD.encode(SECRET))),
        (site.token_with("nobody", &json!({ "jti": MARK })), right.clone()),
        (token(json!({ "exp": 1, "jti": MARK })), right.clone()),
        (token(json!({ "scope": "canary-scope" })), right.clone()),
        (token(json!({ "aud": "canary-audience" })), right.clone()),
        (token(json!({ "iss": "http://canary-issuer" })), right.clone()),
        (stranger.token(&claims), right.clone()),
        (format!("{good}x"), right.clone()),
        ("canary-token".to_owned(), right.clone()),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp(&codes[1])),
    ];
    let mut statuses = Vec::new();
    for (token, body) in requests {
        canaries.add_token(&token);
        let answer = verify(serving, &format!("{VERIFY}?otp={MARK}"), &token, &body)
            .header("user-agent", format!("{MARK}/1"))
            .header("api-key", MARK)
            .send()
            .await
            .unwrap();
        statuses.push(answer.status().as_u16());
        let mut text = format!("{:?}", answer.headers()).into_bytes();
        text.extend_from_slice(&answer.bytes().await.unwrap());
        canaries.are_not_in("an answer", &text);
    }
    for (offered, expected) in [
        (json!({ "password": PASSWORD, "pin": MARK }), 201),
        (json!({ "password": "canary-password-wrong", "pin": "canary-pin" }), 404),
        (json!({ "password": { "is": PASSWORD } }), 422),
    ] {
        let answer =
            verify(serving, "/user/2025-1/user/otp", &good, &offered.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        canaries.are_not_in("an answer", &answer.bytes().await.unwrap());
    }
    enrol_authenticator(
        serving,
        &token(json!({ "scope": "user:device-totps:create", "jti": MARK })),
        canaries,
    )
    .await;
    let public = ["/canary-path?canary", "/docs/errors?canary", "/user/2025-1/user/otp/verify?otp=canary"];
    let private = ["/health/readiness?canary", "/health/liveness", "/metrics?canary"];
    let urls = public.iter().map(|path| format!("http://{}{path}", serving.address));
    for url in urls.chain(private.iter().map(|path| format!("http://{}{path}", serving.management))) {
        let answer = serving.client.get(&url).send().await.unwrap();
        canaries.are_not_in(&url, &answer.bytes().await.unwrap());
    }
    statuses.extend(administer(site, serving, canaries).await);
    statuses
}

/// A secret that the service makes is in the answer that makes it and, drawn, in the QR code, and nowhere else.
async fn enrol_authenticator(serving: &Serving, token: &str, canaries: &mut Canaries) {
    canaries.add_token(token);
    let authenticators = "/user/2025-1/user/authenticators";
    let proof = json!({ "data": { "type": "authenticator", "attributes": { "password": PASSWORD } } });
    let begun = verify(serving, authenticators, token, &proof.to_string()).send().await.unwrap();
    assert_eq!(begun.status(), 201);
    let begun: serde_json::Value = serde_json::from_slice(&begun.bytes().await.unwrap()).unwrap();
    let secret = begun["data"]["attributes"]["secret"].as_str().unwrap();
    let bytes = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    canaries.add("authenticator, base32", secret);
    canaries.add("authenticator, base32 in small letters", secret.to_lowercase());
    canaries.add("authenticator, hex", HEXLOWER.encode(&bytes));
    canaries.add("authenticator, base64", BASE64.encode(&bytes));
    canaries.add("authenticator, Debug", format!("{bytes:?}"));
    let code = code_of(secret, SystemClock.now().seconds() / 30);
    let id = begun["data"]["id"].as_str().unwrap();
    canaries.add("authenticator, raw", bytes);
    let confirm = format!("{authenticators}/{id}/confirm");
    for (path, body, expected) in [
        (format!("{authenticators}/{id}/qr"), None, 200),
        (authenticators.to_owned(), None, 200),
        (confirm.clone(), Some(json!({ "otp": "canary" })), 403),
        (confirm.clone(), Some(json!({ "otp": { "is": PASSWORD } })), 422),
        (confirm.clone(), Some(json!({ "otp": code })), 204),
        (confirm, Some(json!({ "otp": code })), 404),
        (authenticators.to_owned(), None, 200),
        (format!("{authenticators}/{id}/qr"), None, 404),
    ] {
        let request = match body {
            Some(body) => verify(serving, &path, token, &body.to_string()),
            None => serving.client.get(format!("http://{}{path}", serving.address)).bearer_auth(token),
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{path}");
        canaries.are_not_in("an answer", &answer.bytes().await.unwrap());
    }
}

/// Provisions with secrets, rightly and wrongly, and searches every answer.
async fn administer(site: &Installation, serving: &Serving, canaries: &mut Canaries) -> Vec<u16> {
    let claims = json!({ "client_id": "backoffice", "scope": "einmal:admin", "jti": MARK });
    let token = site.token_with("agent", &claims);
    canaries.add_token(&token);
    let secret = BASE32_NOPAD.encode(SECRET);
    let wrong = json!({
        "id": MARK, "pin": MARK, "password": PASSWORD, "passwordHash": MARK, "email": MARK,
        "deviceTotps": [
            { "secret": MARK },
            { "uri": MARK },
            { "id": MARK, "label": MARK.repeat(12), "secret": secret },
        ],
    });
    let spoken = code(0);
    canaries.add("code", spoken.as_str());
    let requests = [
        ("PUT", "bob", account("bob").to_string()),
        ("PUT", "bob", account("bob").to_string()),
        ("PUT", "bob", wrong.to_string()),
        ("PUT", "bob", json!({ "pin": [PASSWORD], "password": { "a": MARK } }).to_string()),
        ("PUT", "bob", format!("{{\"pin\":\"{MARK}")),
        ("GET", "bob?canary", String::new()),
        ("POST", "bob/unlock", MARK.to_owned()),
        ("POST", "bob/code", MARK.to_owned()),
        ("POST", "bob/diagnose", json!({ "otp": spoken, "pin": MARK }).to_string()),
        ("POST", "bob/diagnose", json!({ "otp": MARK }).to_string()),
        ("POST", "bob/diagnose", json!({ "otp": spoken, "types": [MARK] }).to_string()),
        ("DELETE", "bob", String::new()),
    ];
    let mut statuses = Vec::new();
    for (method, path, body) in requests {
        let url = format!("http://{}/admin/accounts/main/{path}", serving.management);
        let request = serving.client.request(method.parse().unwrap(), url).bearer_auth(&token);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        let mut text = format!("{:?}", answer.headers()).into_bytes();
        text.extend_from_slice(&answer.bytes().await.unwrap());
        canaries.are_not_in("an answer", &text);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_secret_password_key_or_token_comes_out_142_143_145() {
    let site = Installation::with(&format!("{ADMIN}\n{EVENTS}")).await;
    let mut canaries = Canaries::new(&site);
    let lines = [account("alice").to_string(), "{\"id\":\"canary\",\"pin\":5}".to_owned(), MARK.to_owned()];
    let imported = site.import_with(&[], lines.join("\n"));
    assert!(
        imported.stdout.starts_with("1 imported") && imported.stdout.contains("2 refused"),
        "{imported:?}"
    );
    canaries.are_not_in("an import's output", format!("{imported:?}").as_bytes());
    let serving = Serving::start(site.einmal(&["serve"]).env("EINMAL__LOG__LEVEL", "trace")).await;
    let statuses = exercise(&site, &serving, &mut canaries).await;
    let expected = [
        204, 404, 422, 422, 422, 422, 422, 404, 404, 404, 401, 403, 401, 401, 401, 401, 401, 404, 404, 404,
        404, 404, 404, 201, 200, 422, 422, 422, 200, 204, 201, 200, 200, 422, 204,
    ];
    assert_eq!(statuses, expected);

    // While it runs: the write-ahead log and its index are there.
    let mut files = Vec::new();
    for entry in fs::read_dir(site.directory.path()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("einmal.db") {
            let bytes = fs::read(entry.path()).unwrap();
            canaries.are_not_in(&name, &bytes);
            assert_eq!(memchr::memmem::find(&bytes, PIN.as_bytes()), None, "the PIN in {name}");
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{name} is open to others");
            files.push(name);
        }
    }
    files.sort();
    assert_eq!(files, ["einmal.db", "einmal.db-shm", "einmal.db-wal"]);
    serving.program.signal(Signal::TERM);
    let Run { stdout, stderr, .. } = serving.program.ended().await;
    assert!(stdout.lines().count() > statuses.len(), "{stdout}");
    canaries.are_not_in("what it wrote", (stdout + &stderr).as_bytes());
    canaries.are_not_in("the database", &fs::read(site.path("einmal.db")).unwrap());
    let events = fs::read_to_string(site.path("events.jsonl")).unwrap();
    assert!(events.lines().count() > 15, "{events}");
    canaries.are_not_in("the events", events.as_bytes());
    // That the search finds what is there.
    assert_eq!(canaries.found_in(BASE32_NOPAD.encode(SECRET).as_bytes()), ["secret, base32"]);
}
