//! What is counted when somebody guesses, and against whom: a wrong code once, against its own account, at whichever door
//! and service; a replay and a forged token against nobody.

use super::{OTHER_SECRET, credential, issued, with_device, with_everything};
use crate::harness::issuer::{SigningKey, encode};
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::Client;
use einmal::clock::Clock;
use einmal_core::account::Account;
use serde_json::json;

#[tokio::test]
async fn a_captured_code_cannot_lock_its_owner_out_99() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let captured = [("device-totp", service.code(0)), ("account", "135790".to_owned())];
    for (kind, code) in &captured {
        assert_eq!(service.verify_as("alice", code, &[kind]).await, 204);
    }
    service.fail("alice", 4).await;
    let mut client = service.connect().await;
    for number in 0..60 {
        let (_, code) = &captured[number % 2];
        let body = json!({ "otp": code }).to_string();
        let answer = client.request(service.verify_request("alice", &[JSON], body)).await;
        assert_eq!(answer.told(), (404, None), "replay {number}");
    }
    assert_eq!(service.failures("alice").await, 4);
    assert_eq!(service.verify("alice", &service.code(1)).await, 204);
}

#[tokio::test]
async fn services_on_one_store_have_one_count_and_one_wait_102() {
    let service = with_device().await;
    let beside = service.start_beside().await;
    let send = async |address, code: &str| {
        let request = service.verify_request("alice", &[JSON], json!({ "otp": code }).to_string());
        Client::connect(address).await.request(request).await
    };
    let both = [service.running.address, beside.address];
    for number in 0..5 {
        let answer = send(both[number % 2], &service.wrong_code(number)).await;
        assert_eq!(answer.told(), (404, None), "failure {number}");
    }
    for address in both {
        assert_eq!(send(address, &service.code(0)).await.told(), (404, Some("30")));
    }
    service.clock.advance(30);
    assert_eq!(send(both[1], &service.wrong_code(0)).await.told(), (404, None));
    assert_eq!(send(both[0], &service.code(0)).await.told(), (404, Some("60")));
    service.clock.advance(60);
    assert_eq!(send(both[0], &service.code(0)).await.status, 204);
    assert_eq!(service.failures("alice").await, 0);
    assert_eq!(send(both[1], &service.wrong_code(0)).await.told(), (404, None));
}

#[tokio::test]
async fn a_forged_token_counts_against_nobody_and_learns_nothing_108() {
    let service = with_device().await;
    let claims = service.claims("alice");
    let (stranger, key) = (SigningKey::new("EdDSA", Some("key")), &service.key);
    let signed = key.token(&service.claims("mallory"));
    let signature = signed.rsplit('.').next().unwrap();
    let none = encode(json!({ "alg": "none", "kid": "key" }).to_string());
    let forged = [
        stranger.token(&claims),
        key.token_with_header(&json!({ "alg": "none" }), &claims),
        format!("{none}.{}.", encode(claims.to_string())),
        format!("{}.{}.{signature}", signed.split('.').next().unwrap(), encode(claims.to_string())),
        service.token_with("alice", &json!({ "aud": "another" })),
        service.token_with("alice", &json!({ "iss": "http://127.0.0.1:1" })),
        service.token_with("alice", &json!({ "exp": service.clock.now().seconds() - 31 })),
    ];
    let send = async |token: &str, code: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        let body = json!({ "otp": code }).to_string();
        service.send(request(&format!("POST {VERIFY}"), &[JSON, &authorization], body.as_bytes())).await
    };
    let before = service.versions("alice").await;
    let mut answers = Vec::new();
    for token in &forged {
        for code in [service.wrong_code(0), service.code(0)] {
            let answer = send(token, &code).await;
            assert_eq!(answer.told(), (401, None));
            answers.push(answer.whole());
        }
    }
    assert_eq!(service.versions("alice").await, before);
    // While alice must wait they are answered as before, and are no way around the wait.
    service.fail("alice", 5).await;
    let mut locked = Vec::new();
    for token in &forged {
        for code in [service.wrong_code(0), service.code(0)] {
            locked.push(send(token, &code).await.whole());
        }
    }
    assert_eq!(locked, answers);
    assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some("30")));
    assert_eq!(service.failures("alice").await, 5);
}

#[tokio::test]
async fn a_wrong_code_is_one_failure_of_its_own_account_and_of_no_other_111() {
    let service = Service::start().await;
    let account = || Account {
        devices: vec![credential(SECRET), credential(OTHER_SECRET)],
        authenticators: vec![credential(&SECRET.replace('P', "Q"))],
        account_code: Some(issued(&service, "135790")),
        login_code: Some(issued(&service, "246801")),
        ..Account::default()
    };
    for subject in ["alice", "bob"] {
        service.insert(subject, account()).await;
    }
    let bob = service.versions("bob").await;
    let all = ["device-totp", "totp", "account", "login"];
    for number in 0..4 {
        let wrong = service.wrong_code(number);
        assert_eq!(service.verify_as("alice", &wrong, &all).await, 404);
    }
    let counts = service
        .look("alice", |account| {
            let totps = account.credentials().map(|(_, credential)| credential.progress.failures);
            let codes = account.account_code.iter().chain(&account.login_code).map(|code| code.failures);
            (account.otp_throttle.failures, totps.chain(codes).collect::<Vec<_>>())
        })
        .await;
    assert_eq!(counts, (4, vec![4; 5]), "one each, however many credentials were tried");
    let others = service.look("alice", |a| (a.pin_throttle.failures, a.password_throttle.failures)).await;
    assert_eq!(others, (0, 0), "PIN and password have counts of their own");
    assert_eq!(service.versions("bob").await, bob);
    assert_eq!(service.verify_as("alice", &service.code(0), &all).await, 204);
}

#[tokio::test]
async fn all_paths_and_media_types_of_an_operation_have_one_count_114() {
    let service = with_device().await;
    let authorization = format!("Authorization: Bearer {}", service.token("alice"));
    let send = async |path: &str, content_type: &str, code: &str| {
        let line = format!("POST {path}");
        let body = json!({ "otp": code }).to_string();
        service.send(request(&line, &[content_type, &authorization], body.as_bytes())).await
    };
    // Other spellings of the path lead nowhere at all.
    let before = service.versions("alice").await;
    for path in [
        format!("{VERIFY}/"),
        format!("/{VERIFY}"),
        VERIFY.to_uppercase(),
        VERIFY.replace("verify", "Verify"),
        VERIFY.replace("verify", "%76erify"),
        VERIFY.replace("otp/", "otp//"),
        VERIFY.replace("otp/", "otp/./"),
        VERIFY.replace("otp/", "otp/x/../"),
        VERIFY.replace("2025-1", "2025-1%20"),
        format!("{VERIFY};a=b"),
        format!("{VERIFY}%00"),
        VERIFY.replace("otp/verify", "otp%2Fverify"),
    ] {
        assert_eq!(send(&path, JSON, &service.code(0)).await.code(), "not-found", "{path}");
    }
    assert_eq!(service.versions("alice").await, before);
    let paths = ["2020-4", "2021-2", "2022-1", "2023-1", "2024-1", "2024-2", "2024-3", "2024-4", "2025-1"]
        .map(|version| VERIFY.replace("2025-1", version));
    let types = [JSON, "Content-Type: application/vnd.api+json", "Content-Type: application/json; a=b"];
    let mut evaluated = 0;
    for (number, path) in paths.iter().flat_map(|path| [path.clone(), format!("{path}?a={path}")]).enumerate()
    {
        let answer = send(&path, types[number % 3], &service.wrong_code(number)).await;
        assert_eq!(answer.status, 404);
        evaluated += usize::from(answer.header("retry-after").is_none());
    }
    assert_eq!((evaluated, service.failures("alice").await), (5, 5));
}
