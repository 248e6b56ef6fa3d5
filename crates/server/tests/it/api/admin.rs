//! The admin operations: who may call them, what each does, and what auditors find in the log.

use super::{OTHER_SECRET, with_everything};
use crate::harness::back_office::{ADMIN, ALICE};
use crate::harness::issuer::{Issuer, SigningKey, with};
use crate::harness::log::Log;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use einmal_core::account::PendingAuthenticator;
use insta::assert_snapshot;
use serde_json::{Value, json};

/// Every operation, on alice.
fn operations() -> [String; 6] {
    [
        format!("PUT {ALICE}"),
        format!("GET {ALICE}"),
        format!("DELETE {ALICE}"),
        format!("POST {ALICE}/unlock"),
        format!("POST {ALICE}/code"),
        format!("POST {ALICE}/diagnose"),
    ]
}

/// No operation takes the token, and alice's rows stay as they are. The last refusal, whole.
async fn all_refuse(service: &Service, token: &str, status: u16, code: &str) -> String {
    let before = service.versions("alice").await;
    let authorization = format!("Authorization: Bearer {token}");
    let mut whole = String::new();
    for operation in operations() {
        let answer = service.manage(&operation, &[&authorization, JSON], "{}").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{operation}");
        assert!(answer.header("www-authenticate").is_some(), "{operation}");
        assert_eq!(service.versions("alice").await, before, "{operation}");
        whole = answer.whole();
    }
    whole
}

async fn administered() -> Service {
    let service = Service::start_administered().await;
    service.provision_device("alice").await;
    service
}

#[tokio::test]
async fn an_account_is_shown_with_all_that_support_needs_and_without_secrets() {
    let service = Service::start_administered().await;
    let mut account = with_everything(&service);
    account.email = Some("alice@example.com".to_owned());
    account.pin = Some(einmal_core::account::StoredHash::new("$argon2id$canary"));
    account.pin_throttle.failures = 5;
    account.authenticators[0].progress.failures = 100;
    account.authenticators[0].label = Some("app".to_owned());
    let pending = super::credential("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");
    account.pending_authenticators = vec![PendingAuthenticator { credential: pending, failures: 2 }];
    service.insert("alice", account).await;
    assert_eq!(service.verify("alice", "135790").await, 204);
    for number in 0..5 {
        service.verify("alice", &service.wrong_code(number)).await;
    }
    service.clock.advance(10);
    let before = service.versions("alice").await;
    let shown = service.administer(&format!("GET {ALICE}"), &Value::Null).await;
    assert_snapshot!(format!("{:#}", shown.json()));
    assert_eq!(service.versions("alice").await, before, "a look changes nothing");
    for secret in [SECRET, OTHER_SECRET, "JBSWY3DP", "canary", "135790", "246801"] {
        assert!(!shown.whole().contains(secret), "{secret} in {}", shown.whole());
    }
}

#[tokio::test]
async fn without_a_token_there_is_nothing_to_administer() {
    let service = administered().await;
    for operation in operations() {
        let answer = service.manage(&operation, &[JSON], "{}").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "token-missing"), "{operation}");
    }
}

#[tokio::test]
async fn a_token_without_the_scope_or_of_another_client_administers_nothing() {
    let service = administered().await;
    for scope in ["", "user:otp:verify", "einmal:admins", "EINMAL:ADMIN", "einmal"] {
        all_refuse(&service, &service.admin_token(&json!({ "scope": scope })), 403, "insufficient-scope")
            .await;
    }
    let of_another = [
        json!({ "client_id": "app" }),
        json!({ "client_id": "Backoffice" }),
        json!({ "client_id": null }),
        // `azp` goes before `client_id`.
        json!({ "azp": "app" }),
    ];
    for changes in of_another {
        all_refuse(&service, &service.admin_token(&changes), 403, "insufficient-scope").await;
    }
    let expired = service.admin_token(&json!({ "exp": 1 }));
    all_refuse(&service, &expired, 401, "token-expired").await;
    assert_snapshot!(
        all_refuse(&service, &service.admin_token(&json!({ "azp": "x" })), 403, "insufficient-scope").await
    );
    let azp = service.admin_token(&json!({ "client_id": null, "azp": "backoffice" }));
    let answer =
        service.manage(&format!("GET {ALICE}"), &[&format!("Authorization: Bearer {azp}")], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_token_of_another_issuer_administers_nothing() {
    let key = SigningKey::new("EdDSA", Some("other"));
    let other = Issuer::start(&[&key]).await;
    let settings = format!(
        "name = \"main\"\n[[issuers]]\nname = \"other\"\nissuer = \"{}\"\naudiences = [\"einmal\"]\n{ADMIN}",
        other.url()
    );
    let service = Service::start_with(&settings).await;
    service.provision_device("alice").await;
    let claims = json!({ "iss": other.url(), "client_id": "backoffice", "scope": "einmal:admin" });
    let token = key.token(&with(&service.claims("agent-7"), &claims));
    all_refuse(&service, &token, 403, "insufficient-scope").await;
    // Its accounts are administered as all others are, and are not those of the same subject elsewhere.
    let there = "/admin/accounts/other/alice";
    assert_eq!(service.administer(&format!("GET {there}"), &Value::Null).await.status, 404);
    assert_eq!(service.administer(&format!("PUT {there}"), &json!({})).await.status, 201);
    assert_eq!(service.administer(&format!("DELETE {there}"), &Value::Null).await.status, 204);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn the_public_listener_has_no_admin_operations_nor_has_any_without_the_section() {
    let service = administered().await;
    let authorization = format!("Authorization: Bearer {}", service.admin_token(&json!({})));
    for operation in operations() {
        let answer = service.send(request(&operation, &[&authorization, JSON], b"{}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{operation}");
    }
    let service = Service::start().await;
    service.provision_device("alice").await;
    for operation in operations() {
        let answer = service.administer(&operation, &json!({})).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{operation}");
    }
}

#[tokio::test]
async fn what_names_no_account_is_not_found() {
    let service = administered().await;
    let long = format!("main/{}", "x".repeat(256));
    for place in [
        "main/bob",
        "main/Alice",
        "other/alice",
        "Main/alice",
        "%6D%61in2/alice",
        "main/%ff",
        "main/%zz",
        "main/a%00",
        &long,
    ] {
        for operation in operations() {
            let operation = operation.replace("main/alice", place);
            if place == "main/bob" && operation.starts_with("PUT")
                || place == "main/Alice" && operation.starts_with("PUT")
            {
                continue;
            }
            // What is wrong with a body comes first.
            let otp = operation.ends_with("/diagnose").then_some("123456");
            let body = otp.map_or_else(|| json!({}), |otp| json!({ "otp": otp }));
            let answer = service.administer(&operation, &body).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{operation}");
        }
    }
    for path in [
        "/admin/accounts/main",
        "/admin/accounts/main/",
        "/admin/accounts/main/alice/",
        "/admin/accounts",
        "/admin/accounts/main/alice/codes",
    ] {
        assert_eq!(service.administer(&format!("GET {path}"), &Value::Null).await.status, 404, "{path}");
    }
    let wrong = service.administer(&format!("PATCH {ALICE}"), &Value::Null).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("PUT,GET,HEAD,DELETE")));
    let page = service
        .manage(
            &format!("GET {ALICE}"),
            &[&format!("Authorization: Bearer {}", service.admin_token(&json!({}))), "Accept: text/html"],
            "",
        )
        .await;
    assert_eq!(page.status, 406);
}

#[tokio::test]
async fn a_path_may_name_any_subject_and_is_decoded_once() {
    let service = Service::start_administered().await;
    for (path, subject) in [
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("auth0%7C5", "auth0|5"),
        ("%C3%A9+%20", "\u{e9}+ "),
        ("unlock", "unlock"),
        ("%3Fx%23", "?x#"),
    ] {
        assert_eq!(service.put(path, &json!({ "deviceTotps": [{ "secret": SECRET }] })).await, 201, "{path}");
        assert_eq!(service.shown(path).await["id"], subject);
        assert_eq!(service.verify(subject, &service.code(0)).await, 204, "{subject}");
    }
    let path = "/admin/accounts/m%61in/a%2fb/unlock";
    assert_eq!(service.administer(&format!("POST {path}"), &Value::Null).await.status, 204);
}

#[tokio::test]
async fn an_erased_account_is_gone() {
    let service = administered().await;
    for status in [204, 404] {
        let answer = service.administer(&format!("DELETE {ALICE}"), &Value::Null).await;
        assert_eq!((answer.status, answer.header("content-type").is_none()), (status, status == 204));
    }
    assert_eq!(service.verify("alice", &service.code(0)).await, 404);
}

#[tokio::test]
async fn unlock_lets_the_owner_try_again_and_revives_no_code() {
    let service = administered().await;
    let used = service.code(0);
    assert_eq!(service.verify("alice", &used).await, 204);
    for number in 0..5 {
        service.verify("alice", &service.wrong_code(number)).await;
    }
    assert_eq!(service.verify("alice", &service.code(1)).await, 404);
    assert_eq!(service.shown("alice").await["failures"]["otp"], json!({ "count": 5, "waitSeconds": 30 }));
    assert_eq!(service.administer(&format!("POST {ALICE}/unlock"), &Value::Null).await.status, 204);
    assert_eq!(service.verify("alice", &used).await, 404, "what is spent stays spent");
    assert_eq!(service.verify("alice", &service.code(1)).await, 204);
}

#[tokio::test]
async fn a_told_code_works_once_and_as_a_login_code_only() {
    let service = administered().await;
    let answer = service.administer(&format!("POST {ALICE}/code"), &Value::Null).await;
    let told = answer.json();
    assert_eq!((answer.status, &told["expiresAt"]), (201, &"2027-01-15T08:10:00Z".into()));
    let otp = told["otp"].as_str().unwrap();
    assert!(otp.len() == 6 && otp.bytes().all(|byte| byte.is_ascii_digit()), "{otp}");
    for types in [&[][..], &["device-totp", "account"], &["totp"]] {
        assert_eq!(service.verify_as("alice", otp, types).await, 404, "{types:?}");
    }
    assert_eq!(service.verify_as("alice", otp, &["totp", "login"]).await, 204);
    assert_eq!(service.verify_as("alice", otp, &["login"]).await, 404);
    assert_eq!(service.shown("alice").await["codes"][0]["state"], "used");
}

#[tokio::test]
async fn a_told_code_lives_for_ten_minutes() {
    let service = administered().await;
    let told = service.told_code().await;
    service.clock.advance(599);
    let early = service.told_code().await;
    assert_eq!(service.verify_as("alice", &told, &["login"]).await, 404, "the new one took its place");
    service.clock.advance(599);
    assert_eq!(service.shown("alice").await["codes"][0]["state"], "live");
    service.clock.advance(1);
    assert_eq!(service.verify_as("alice", &early, &["login"]).await, 404);
}

#[tokio::test]
async fn a_told_code_dies_of_five_wrong_ones_and_lifts_no_wait() {
    let service = administered().await;
    let told = service.told_code().await;
    let wrong = (0..9).map(|number| service.wrong_code(number)).filter(|code| *code != told);
    for wrong in wrong.take(5) {
        assert_eq!(service.verify_as("alice", &wrong, &["login"]).await, 404);
    }
    assert_eq!(service.shown("alice").await["codes"][0]["state"], "dead");
    let next = service.told_code().await;
    assert_eq!(service.verify_as("alice", &next, &["login"]).await, 404, "a wait is on");
    service.clock.advance(30);
    assert_eq!(service.verify_as("alice", &told, &["login"]).await, 404);
    service.clock.advance(60);
    assert_eq!(service.verify_as("alice", &next, &["login"]).await, 204);
}

#[tokio::test]
async fn what_was_done_by_whom_and_to_whom_is_one_line_for_auditors() {
    Log::capture();
    let service = Service::start_administered().await;
    let secret = json!({ "deviceTotps": [{ "secret": SECRET }], "pin": "8035", "password": "canary" });
    service.administer(&format!("PUT {ALICE}"), &secret).await;
    let told = service.told_code().await;
    service.administer(&format!("PUT {ALICE}"), &json!({ "canary": 1 })).await;
    let answer =
        service.administer("DELETE /admin/accounts/main/%E2%80%AEx%22%20a=1%C2%A0", &Value::Null).await;
    let forged = service.admin_token(&json!({ "sub": "a\u{2028}b", "client_id": "canary\r\n" }));
    service.manage(&format!("GET {ALICE}"), &[&format!("Authorization: Bearer {forged}")], "").await;

    let mut lines = Log::lines("admin");
    assert_eq!(lines[3]["request_id"].as_str(), answer.header("request-id"));
    for line in &mut lines {
        assert!(line["request_id"].take().is_string());
    }
    assert_snapshot!(format!("{:#}", Value::from(lines)));
    let refused = Log::lines("request").pop().unwrap();
    assert_eq!(refused["cause"], "asked by a\\u{2028}b of main, client canary\\r\\n");
    let text = Log::text();
    for absent in [SECRET, "8035", "\"canary\"", "\u{202e}", "\u{2028}", &format!("\"{told}\"")] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
}
