//! Guessing: how often one may, that no door and no disguise gives more tries, and that the answers do not help.

use super::{OTHER_SECRET, credential, issued, with_everything};
use crate::harness::clock::NOW;
use crate::harness::is_long;
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::Client;
use einmal_core::account::{Account, CodeState};
use serde_json::json;
use std::net::SocketAddr;
use tokio::net::TcpSocket;

#[tokio::test]
async fn waits_double_from_30_seconds_to_an_hour_and_a_success_clears_them_94() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service.fail("alice", 5).await;
    for wait in [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
        let whole = service.answer("alice", &service.code(0)).await;
        assert_eq!(whole.told(), (404, Some(wait.to_string().as_str())));
        service.clock.advance(wait - 1);
        let rest = service.answer("alice", &service.code(0)).await;
        assert_eq!(rest.told(), (404, Some("1")), "{wait}");
        service.clock.advance(1);
        service.fail("alice", 1).await;
    }
    service.clock.advance(3_600);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    assert_eq!(service.failures("alice").await, 0);
    service.fail("alice", 5).await;
    assert_eq!(service.answer("alice", "000000").await.told(), (404, Some("30")));
}

#[tokio::test]
async fn time_alone_gives_no_free_attempts_back_94() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service.fail("alice", 4).await;
    service.clock.advance(30 * 86_400);
    service.fail("alice", 1).await;
    assert_eq!(service.answer("alice", "000000").await.told(), (404, Some("30")));
}

#[tokio::test]
async fn a_secret_that_took_its_guesses_is_suspended_and_others_are_not_95() {
    let service = Service::start().await;
    let account = || Account {
        devices: vec![credential(SECRET)],
        authenticators: vec![credential(OTHER_SECRET)],
        ..Account::default()
    };
    for (subject, guesses, status) in [("spared", 99, 204), ("suspended", 100, 404)] {
        service.insert(subject, account()).await;
        for _ in 0..guesses {
            let answer = service.answer(subject, &service.wrong_code(0)).await;
            assert_eq!(answer.told(), (404, None));
            service.clock.advance(3_600);
        }
        let answer = service.answer(subject, &service.code(0)).await;
        assert_eq!(answer.told(), (status, None), "{subject}");
        let other = service.code_of(OTHER_SECRET, 0);
        assert_eq!(service.verify_as(subject, &other, &["totp"]).await, 204, "another credential");
    }
    service.clock.advance(365 * 86_400);
    assert_eq!(service.verify("suspended", &service.code(0)).await, 404, "time alone does not help");
    let service = service.restart().await;
    assert_eq!(service.verify("suspended", &service.code(0)).await, 404, "nor does a restart");
}

#[tokio::test]
async fn all_types_have_one_count_97() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    for (number, kind) in ["totp", "device-totp", "login", "account", "totp"].iter().enumerate() {
        assert_eq!(service.verify_as("alice", &service.wrong_code(number), &[kind]).await, 404);
    }
    assert_eq!(service.failures("alice").await, 5);
    for (kind, code) in [
        ("totp", service.code_of(OTHER_SECRET, 0)),
        ("device-totp", service.code(0)),
        ("login", "246801".to_owned()),
        ("account", "135790".to_owned()),
    ] {
        let body = json!({ "otp": code, "types": [kind] }).to_string();
        assert_eq!(service.post("alice", body).await.told(), (404, Some("30")), "{kind}");
    }
}

#[tokio::test]
async fn addresses_and_headers_and_tokens_give_no_further_tries_100_101_115() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let mut evaluated = 0;
    for number in 0..50_u8 {
        let claims = json!({
            "jti": format!("jti-{number}"), "client_id": format!("app-{number}"), "azp": format!("app-{number}"),
            "sid": format!("{number}"), "iat": NOW - u64::from(number), "exp": NOW + 600 + u64::from(number),
        });
        let authorization = format!("Authorization: Bearer {}", service.token_with("alice", &claims));
        let forged = [
            format!("X-Forwarded-For: 10.0.0.{number}"),
            format!("Forwarded: for=10.0.0.{number}"),
            format!("X-Real-IP: 10.0.0.{number}"),
            format!("Accept-Language: de;q=0.{number}"),
            format!("User-Agent: app/{number}"),
            format!("Cookie: session={number}"),
            format!("API-Key: {number}"),
            format!("Request-Id: {number}"),
        ];
        let headers: Vec<_> =
            [JSON, &authorization].into_iter().chain(forged.iter().map(String::as_str)).collect();
        let body = json!({
            "otp": service.wrong_code(number.into()), "userId": number, "device": format!("{number}"), "x": [number],
        });
        let path = format!("{VERIFY}?attempt={number}");
        let request = request(&format!("POST {path}"), &headers, body.to_string().as_bytes());
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 2 + number], 0))).unwrap();
        let mut client = Client::over(socket.connect(service.running.address).await.unwrap());
        let answer = client.request(request).await;
        assert_eq!(answer.status, 404);
        evaluated += usize::from(answer.header("retry-after").is_none());
    }
    assert_eq!(evaluated, 5);
    assert_eq!(service.failures("alice").await, 5);
}

#[tokio::test]
async fn what_is_refused_before_the_operation_costs_its_victim_nothing_107() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let before = service.versions("alice").await;
    let wrong = json!({ "otp": service.wrong_code(0) }).to_string();
    let bearer = |changes: serde_json::Value| {
        format!("Authorization: Bearer {}", service.token_with("alice", &changes))
    };
    let good = bearer(json!({}));
    let requests: [(u16, Vec<String>, &str); 8] = [
        (401, vec![JSON.into()], &wrong),
        (401, vec![JSON.into(), format!("{good}x")], &wrong),
        (401, vec![JSON.into(), bearer(json!({ "exp": NOW - 60 }))], &wrong),
        (403, vec![JSON.into(), bearer(json!({ "scope": "user:otp" }))], &wrong),
        (406, vec![JSON.into(), good.clone(), "Accept: text/html".into()], &wrong),
        (415, vec![good.clone()], &wrong),
        (422, vec![JSON.into(), good.clone()], "{\"otp\":\"1\",\"types\":[\"x\"]}"),
        (404, vec![JSON.into(), good.clone()], "{\"otp\":\"12345\"}"),
    ];
    let mut client = service.connect().await;
    for _ in 0..if is_long() { 1_250 } else { 40 } {
        for (status, headers, body) in &requests {
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            let answer = client.request(request(&format!("POST {VERIFY}"), &headers, body.as_bytes())).await;
            assert_eq!(answer.status, *status);
        }
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn while_waiting_a_right_code_is_answered_as_a_wrong_one_and_nothing_is_written_110() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    service.fail("alice", 5).await;
    let before = service.versions("alice").await;
    let wrong = service.answer("alice", &service.wrong_code(7)).await.whole();
    for code in [service.code(0), service.code(1), "135790".to_owned()] {
        assert_eq!(service.answer("alice", &code).await.whole(), wrong);
    }
    assert_eq!(service.versions("alice").await, before);
    service.clock.advance(30);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn every_refused_code_gets_one_and_the_same_answer_119() {
    let service = Service::start().await;
    service.insert("nothing-enrolled", Account::default()).await;
    service
        .insert("no-device", Account { authenticators: vec![credential(SECRET)], ..Account::default() })
        .await;
    service
        .insert("expired", Account { account_code: Some(issued(&service, "135790")), ..Account::default() })
        .await;
    let mut dead = issued(&service, "135790");
    dead.state = CodeState::Dead;
    service.insert("dead", Account { account_code: Some(dead), ..Account::default() }).await;
    let mut suspended = credential(SECRET);
    suspended.progress.failures = 100;
    service.insert("disabled", Account { devices: vec![suspended], ..Account::default() }).await;
    for subject in ["wrong", "used", "locked"] {
        service.provision_device(subject).await;
    }
    service.clock.advance(300);
    let code = service.code(0);
    assert_eq!(service.verify("used", &code).await, 204);
    service.fail("locked", 5).await;

    let plain = service.answer("wrong", &service.wrong_code(0)).await;
    for (subject, code) in [
        ("nothing-enrolled", code.as_str()),
        ("no-device", &code),
        ("expired", "135790"),
        ("dead", "135790"),
        ("disabled", &code),
        ("used", &code),
        ("unknown", &code),
        ("wrong", "12345"),
        ("wrong", &service.code(5)),
    ] {
        let answer = service.answer(subject, code).await;
        assert_eq!(answer.whole(), plain.whole(), "{subject}");
        assert_eq!(answer.body.len(), plain.body.len(), "{subject}");
    }
    let locked = service.answer("locked", &code).await.whole();
    let without: String =
        locked.split_inclusive('\n').filter(|line| !line.starts_with("retry-after: ")).collect();
    assert_eq!(without, plain.whole());
    assert!(locked.contains("\nretry-after: 30\n"), "{locked}");
}
