//! The account page as files: where it is, what browsers are told with it, and how often its issuer is asked. What it does
//! in a browser is in `third_party/account_page.rs`.

use crate::harness::issuer;
use crate::harness::program::{Run, einmal};
use crate::harness::service::Service;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

const SWITCHED_ON: &str = "[account_page]\nclient_id = \"account-page\"\n";

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    fn policy(&self) -> &str {
        self.header("content-security-policy").unwrap()
    }
}

async fn get(service: &Service, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = service.client.get(service.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

fn discovery(service: &Service, changes: &Value) {
    let issuer = &service.issuer;
    let mut document = json!({
        "issuer": issuer.url(), "jwks_uri": issuer.keys_url(),
        "authorization_endpoint": "https://id.example.com/authorize?tenant=cars",
        "token_endpoint": "https://tokens.example.com:8443/token",
    });
    let changes = changes.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(changes);
    issuer.answer(&issuer.discovery_path(), issuer::Answer::Json(document));
}

async fn switched_on() -> Service {
    let service = Service::start_with(SWITCHED_ON).await;
    discovery(&service, &json!({}));
    service
}

/// The files that the page names.
fn named_files(page: &str) -> Vec<String> {
    let names = page.split('"').filter(|name| name.starts_with("account/"));
    names.map(|name| format!("/{name}")).collect()
}

#[tokio::test]
async fn there_is_no_page_unless_it_is_switched_on() {
    let service = Service::start().await;
    for path in ["/account", "/account/main.js", "/account/config.json"] {
        assert_eq!(get(&service, path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn browsers_may_run_show_and_reach_nothing_that_is_not_the_pages_or_the_issuers() {
    let service = switched_on().await;
    let page = get(&service, "/account", &[]).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.policy(),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
         connect-src 'self' https://tokens.example.com:8443; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let mut paths = named_files(&page.text);
    assert_eq!(paths.len(), 3, "{paths:?}");
    paths.push("/account".to_owned());
    for path in paths {
        let answer = get(&service, &path, &[]).await;
        assert_eq!(answer.status, 200, "{path}");
        for (name, value) in [
            ("cache-control", "no-cache"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        assert!(answer.policy().starts_with("default-src 'none'; "), "{path}");
        assert!(answer.header("request-id").is_some());
    }
}

#[tokio::test]
async fn a_browser_keeps_a_file_until_it_is_another_one() {
    let service = switched_on().await;
    for path in ["/account", "/account/main.js"] {
        let first = get(&service, path, &[]).await;
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with('"') && tag.len() > 40, "a strong one: {tag}");
        let again = get(&service, path, &[("If-None-Match", tag)]).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(tag)), "{path}");
        assert_eq!(again.policy(), first.policy());
        assert_eq!(get(&service, path, &[("If-None-Match", "\"another\"")]).await.status, 200);
    }
    // With another issuer the page has another policy, which a browser must not miss.
    let before = get(&service, "/account", &[]).await;
    discovery(&service, &json!({ "token_endpoint": "https://elsewhere.example.com/token" }));
    service.clock.advance(10 * 60);
    let tag = [("If-None-Match", before.header("etag").unwrap())];
    let deadline = Instant::now() + Duration::from_secs(10);
    let after = loop {
        let answer = get(&service, "/account", &tag).await;
        if answer.status != 304 {
            break answer;
        }
        assert!(Instant::now() < deadline, "it is never another one");
    };
    assert_eq!(after.status, 200);
    assert!(after.policy().contains("https://elsewhere.example.com;"), "{}", after.policy());
}

#[tokio::test]
async fn the_page_is_told_where_to_sign_in_and_nothing_else() {
    let service = switched_on().await;
    discovery(&service, &json!({ "end_session_endpoint": "https://id.example.com/end" }));
    let answer = get(&service, "/account/config.json", &[]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert_eq!(
        serde_json::from_str::<Value>(&answer.text).unwrap(),
        json!({
            "service": "einmal", "language": "en", "issuer": service.issuer.url(), "clientId": "account-page",
            "scopes": [
                "openid", "user:device-totps:create", "user:device-totps:delete", "user:users.pin:update",
                "user:users.pin:check", "user:users.password:check", "user:otp:create",
            ],
            "resource": null,
            "authorizationEndpoint": "https://id.example.com/authorize?tenant=cars",
            "tokenEndpoint": "https://tokens.example.com:8443/token",
            "endSessionEndpoint": "https://id.example.com/end",
        })
    );
}

#[tokio::test]
async fn strangers_requests_do_not_become_requests_to_the_issuer() {
    let service = Arc::new(Service::start_with(SWITCHED_ON).await);
    let asked = || service.issuer.count(&service.issuer.discovery_path());
    service
        .issuer
        .answer(&service.issuer.discovery_path(), issuer::Answer::Text { status: 500, body: String::new() });
    let before = asked();
    let path = |number| if number % 2 == 0 { "/account/config.json" } else { "/account" };
    let mut requests = JoinSet::new();
    for number in 0..40 {
        let service = Arc::clone(&service);
        requests.spawn(async move { (number, get(&service, path(number), &[]).await) });
    }
    for (number, answer) in requests.join_all().await {
        if number % 2 == 0 {
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")), "{}", answer.text);
        } else {
            assert_eq!(answer.status, 200, "the page says so itself");
            assert!(answer.policy().contains("connect-src 'self';"));
        }
    }
    assert_eq!(asked(), before + 1);

    discovery(&service, &json!({}));
    assert_eq!(get(&service, "/account/config.json", &[]).await.status, 503, "not before its time");
    service.clock.advance(30);
    assert_eq!(get(&service, "/account/config.json", &[]).await.status, 200);
    let before = asked();
    service.issuer.answer(&service.issuer.discovery_path(), issuer::Answer::HangUp);
    assert_eq!(get(&service, "/account/config.json", &[]).await.status, 200);
    assert_eq!(asked(), before, "remembered");
}

#[tokio::test]
async fn an_issuer_that_falls_silent_holds_nobody_up_who_comes_for_the_page() {
    let service = switched_on().await;
    let asked = || service.issuer.count(&service.issuer.discovery_path());
    let at_once = async |path| {
        // The issuer is waited for much longer.
        let answer = timeout(Duration::from_secs(3), get(&service, path, &[])).await;
        let answer = answer.unwrap_or_else(|_| panic!("{path} waits for the issuer"));
        assert_eq!(answer.status, 200, "{path}");
        answer
    };
    let before = at_once("/account").await;
    service.issuer.answer(&service.issuer.discovery_path(), issuer::Answer::Silent);
    service.clock.advance(10 * 60);
    let first = asked();
    for _ in 0..10 {
        at_once("/account/config.json").await;
        assert_eq!(at_once("/account").await.policy(), before.policy());
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while asked() == first {
        assert!(Instant::now() < deadline, "nobody asks the issuer again");
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(), first + 1, "one question for all of them");
}

#[tokio::test]
async fn nobody_is_sent_to_sign_in_over_an_unprotected_connection_or_at_another_issuer() {
    for changes in [
        json!({ "token_endpoint": "http://id.example.com/token" }),
        json!({ "authorization_endpoint": "javascript:alert(1)" }),
        json!({ "authorization_endpoint": null }),
        json!({ "end_session_endpoint": "http://id.example.com/end" }),
        json!({ "issuer": "https://other.example.com" }),
    ] {
        let service = Service::start_with(SWITCHED_ON).await;
        discovery(&service, &changes);
        assert_eq!(get(&service, "/account/config.json", &[]).await.status, 503, "{changes}");
    }
}

#[test]
fn the_section_in_the_manual_is_taken_also_with_all_that_it_shows_as_optional() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs/ACCOUNT_PAGE.md");
    let manual = fs::read_to_string(path).unwrap();
    let sample = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for section in [sample.to_owned(), sample.replace("\n# ", "\n")] {
        let text = format!(
            "{section}\n[keyring]\nfile = \"k\"\n[[issuers]]\nissuer = \"https://id.example.com\"\naudiences = [\"einmal\"]\n"
        );
        fs::write(directory.path().join("einmal.toml"), text).unwrap();
        let mut command = einmal(&["config", "check", "--config", "einmal.toml"]);
        let run = Run::from(command.current_dir(directory.path()).output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{section}");
    }
}
