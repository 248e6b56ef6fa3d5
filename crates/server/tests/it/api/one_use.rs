//! One use: replays in every second, by every door, in every spelling and as every type.

use super::{credential, issued, with_device, with_everything};
use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::Client;
use einmal_core::account::Account;
use serde_json::json;

/// The code of the step after this one is good for longest: in three steps.
#[tokio::test]
async fn a_spent_code_is_refused_in_every_second_in_which_it_would_be_good_3() {
    let service = with_device().await;
    let code = service.code(1);
    assert_eq!(service.verify("alice", &code).await, 204);
    service.provision_device("owner-of-a-twin").await;
    for second in 0..90 {
        if second % 10 == 0 || second % 10 == 9 {
            assert_eq!(service.verify("alice", &code).await, 404, "after {second} s");
        }
        service.clock.advance(1);
    }
    assert_eq!(service.failures("alice").await, 0, "all of them were replays");
    service.clock.set_back(1);
    assert_eq!(service.verify("owner-of-a-twin", &code).await, 204, "in the last second it still was good");
}

#[tokio::test]
async fn a_code_spent_at_one_service_is_spent_at_another_on_the_same_store_4() {
    let service = with_device().await;
    let beside = service.start_beside().await;
    let verify = async |address, code: &str| {
        let request = service.verify_request("alice", &[JSON], json!({ "otp": code }).to_string());
        Client::connect(address).await.request(request).await.status
    };
    for (first, second) in
        [(service.running.address, beside.address), (beside.address, service.running.address)]
    {
        let code = service.code(0);
        assert_eq!(verify(first, &code).await, 204);
        assert_eq!(verify(second, &code).await, 404);
        service.clock.advance(30);
    }
}

#[tokio::test]
async fn a_code_spent_in_one_version_or_as_one_type_is_spent_in_all_9() {
    const VERSIONS: [&str; 9] =
        ["2020-4", "2021-2", "2022-1", "2023-1", "2024-1", "2024-2", "2024-3", "2024-4", "2025-1"];
    let service = with_device().await;
    let mut client = service.connect().await;
    let types = [json!(null), json!(["device-totp"]), json!(["login", "account", "totp", "device-totp"])];
    for first in VERSIONS {
        let authorization = format!("Authorization: Bearer {}", service.token("alice"));
        let code = service.code(0);
        let later = VERSIONS.iter().map(|version| (version, 404));
        for ((version, status), types) in [(&first, 204)].into_iter().chain(later).zip(types.iter().cycle()) {
            let line = format!("POST {}", VERIFY.replace("2025-1", version));
            let body = json!({ "otp": code, "types": types }).to_string();
            let answer = client.request(request(&line, &[JSON, &authorization], body.as_bytes())).await;
            assert_eq!(answer.status, status, "{first}, then {version}");
        }
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test]
async fn a_step_that_was_skipped_does_not_come_back_12() {
    for history in [
        // From the late code on, each later one is good once.
        &[(-1, 204), (0, 204), (1, 204), (-1, 404), (0, 404), (1, 404)][..],
        // The early one takes those before it along.
        &[(1, 204), (0, 404), (-1, 404), (1, 404)],
        &[(0, 204), (-1, 404), (1, 204), (0, 404)],
    ] {
        let service = with_device().await;
        for (offset, status) in history {
            assert_eq!(
                service.verify("alice", &service.code(*offset)).await,
                *status,
                "{history:?}: {offset}"
            );
        }
        service.clock.advance(30);
        for (offset, status) in [(0, 404), (-1, 404), (1, 204)] {
            assert_eq!(service.verify("alice", &service.code(offset)).await, status, "{history:?}: {offset}");
        }
        assert_eq!(service.failures("alice").await, 0);
    }
}

#[tokio::test]
async fn a_spent_code_stays_spent_however_it_is_spelled_18() {
    let service = with_device().await;
    let code = service.code(0);
    let (head, tail) = code.split_at(3);
    let spellings = [
        format!(" {code}"),
        format!("{code} "),
        format!("{head} {tail}"),
        format!("{head}-{tail}"),
        format!("{code}{}", " ".repeat(58)),
        code.chars().flat_map(|digit| [digit, ' ', '-']).collect(),
        format!("\t{code}"),
        format!("{code}\t"),
        format!("{code}\n"),
        format!("{code}\r\n"),
        format!("{head}\t{tail}"),
        format!("\u{b}{code}\u{c}"),
        format!("{code}\u{a0}"),
        format!("{code}\u{2003}"),
        format!("{code}\u{3000}"),
        format!("\u{feff}{code}"),
        format!("{head}\u{200b}{tail}"),
        format!("{head}\u{2011}{tail}"),
        format!("{head}\u{2212}{tail}"),
        format!("{code}\0"),
        format!("+{code}"),
        format!("0{code}"),
    ];
    let wrong = service.answer("alice", &service.wrong_code(0)).await.whole();
    for (subject, first) in [("plain", &code), ("spaced", &spellings[2])] {
        service.provision_device(subject).await;
        assert_eq!(service.verify(subject, first).await, 204);
        for again in spellings.iter().chain([&code]) {
            let answer = service.answer(subject, again).await;
            assert_eq!(answer.whole(), wrong, "{again:?} is answered as any wrong code");
        }
        assert_eq!(service.failures(subject).await, 1, "only seven digits are a guess");
    }
}

#[tokio::test]
async fn a_login_code_that_was_taken_is_dead_as_every_type_38() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    assert_eq!(service.verify_as("alice", "246801", &["login"]).await, 204);
    for types in [&["login"][..], &["account"], &["totp"], &["device-totp"], &["login", "account"], &[]] {
        assert_eq!(service.verify_as("alice", "246801", types).await, 404, "{types:?}");
    }
}

#[tokio::test]
async fn a_code_that_is_right_as_several_types_is_spent_as_all_of_them_39() {
    const KINDS: [&str; 4] = ["device-totp", "totp", "account", "login"];
    let service = Service::start().await;
    let code = service.code(0);
    for kind in KINDS {
        let account = Account {
            devices: vec![credential(SECRET)],
            authenticators: vec![credential(SECRET)],
            account_code: Some(issued(&service, &code)),
            login_code: Some(issued(&service, &code)),
            ..Account::default()
        };
        service.insert(kind, account).await;
        assert_eq!(service.verify_as(kind, &code, &[kind]).await, 204);
        for other in KINDS {
            assert_eq!(service.verify_as(kind, &code, &[other]).await, 404, "{kind}, then {other}");
        }
    }
}
