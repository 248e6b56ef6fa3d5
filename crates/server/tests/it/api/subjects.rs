//! Whose account a token means, and what can be learned without one.

use crate::harness::service::{Service, VERIFY};
use crate::harness::wire::{JSON, request};
use serde_json::json;

#[tokio::test]
async fn subjects_that_look_alike_are_accounts_of_their_own_109() {
    let service = Service::start().await;
    let alike = [
        "alice",
        "Alice",
        "ALICE",
        "alice ",
        " alice",
        "\u{430}lice",
        "alic\u{e9}",
        "alice\u{301}",
        "ａlice",
        " ",
        "*",
        "%",
        "_____",
        "alice\u{200b}",
        "null",
    ];
    for subject in alike {
        service.provision_device(subject).await;
    }
    for subject in alike {
        let code = service.code(0);
        assert_eq!(service.verify(subject, &code).await, 204, "{subject:?} has its own");
        assert_eq!(service.verify(subject, &code).await, 404, "{subject:?} has spent it");
    }
}

#[tokio::test]
async fn a_subject_that_has_no_account_opens_nobody_elses_109() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let before = service.versions("alice").await;
    for subject in ["Alice", "alice ", "\u{430}lice", "%", "*", " ", "main", "alice' OR '1'='1"] {
        assert_eq!(service.verify(subject, &service.code(0)).await, 404, "{subject:?}");
    }
    for subject in [json!(""), json!(["alice"]), json!(5), json!(null), json!("alice\0")] {
        let token = service.token_with("bob", &json!({ "sub": subject }));
        let answer =
            service.request_with_token(&token, &json!({ "otp": service.code(0) })).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{subject}");
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn without_a_token_one_learns_which_paths_there_are_and_no_more_122() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let bodies =
        [json!({ "otp": service.code(0) }).to_string(), "{".to_owned(), " ".repeat(20_000), String::new()];
    for body in bodies {
        for headers in [&[JSON][..], &[], &["Accept: text/html"], &["Content-Type: text/plain"]] {
            let known = service.send(request(&format!("POST {VERIFY}"), headers, body.as_bytes())).await;
            assert_eq!((known.status, known.code().as_str()), (401, "token-missing"));
            let unknown = service.send(request("POST /user/2025-1/users", headers, body.as_bytes())).await;
            assert_eq!((unknown.status, unknown.code().as_str()), (404, "not-found"));
        }
    }
}
