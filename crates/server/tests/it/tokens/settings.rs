//! What an operator may configure, and what is refused with a word that helps.

use super::{HandClock, settings};
use crate::harness::issuer::Issuer;
use einmal::auth::{DirectGrantSettings, IssuerSettings, LinkedIdentitySettings, TokenVerifier};
use einmal::config::Secret;

async fn refusal(change: impl FnOnce(&mut IssuerSettings)) -> Option<String> {
    let mut settings = settings("main", &Issuer::start(&[]).await);
    change(&mut settings);
    TokenVerifier::new(vec![settings], HandClock::new()).err().map(|error| error.to_string())
}

#[tokio::test]
async fn plain_http_is_for_loopback_only() {
    for issuer in [
        "https://id.example.com/realms/cars",
        "https://id.example.com/",
        "http://127.0.0.1:1",
        "http://127.8.9.1/x",
        "http://[::1]:8080",
        "http://localhost:8080/realms/x",
    ] {
        assert_eq!(refusal(|settings| settings.issuer = issuer.to_owned()).await, None, "{issuer}");
        let uri = issuer.parse().unwrap();
        assert_eq!(refusal(|settings| settings.jwks_uri = Some(uri)).await, None, "{issuer}");
    }
    for issuer in [
        "http://id.example.com",
        "http://169.254.169.254/",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://[::2]",
        "http://0.0.0.0",
        "ftp://127.0.0.1",
        "file:///etc/keys.json",
        "https://user:geheim@id.example.com",
        "https://id.example.com/#x",
    ] {
        let message = refusal(|settings| settings.issuer = issuer.to_owned()).await.expect(issuer);
        assert!(message.contains("\"main\": issuer is") && message.contains("https"), "{message}");
        assert!(!message.contains("geheim"), "{message}");
        let uri = issuer.parse().unwrap();
        let message = refusal(|settings| settings.jwks_uri = Some(uri)).await.expect(issuer);
        assert!(message.contains("jwks_uri"), "{message}");
    }
    for issuer in ["", "id.example.com", "https://", "https://id.example.com?x=1"] {
        assert!(refusal(|settings| settings.issuer = issuer.to_owned()).await.is_some(), "{issuer}");
    }
}

#[tokio::test]
async fn settings_that_would_refuse_every_token_are_refused() {
    assert!(refusal(|settings| settings.audiences.clear()).await.unwrap().contains("audiences"));
    assert!(refusal(|settings| settings.algorithms.clear()).await.unwrap().contains("algorithms"));
    assert!(refusal(|settings| settings.name = "".into()).await.unwrap().contains("name"));
    let pointer = "registered_at".to_owned();
    assert!(
        refusal(|settings| settings.registered_at_claim = Some(pointer)).await.unwrap().contains("pointer")
    );
    let (claim, provider) = ("linked".to_owned(), "fleet".to_owned());
    let linked = LinkedIdentitySettings { claim, provider, clients: Vec::new() };
    let message = refusal(|settings| settings.linked_identity = Some(linked)).await.unwrap();
    assert!(message.contains("linked_identity.claim"), "{message}");
}

#[tokio::test]
async fn passwords_are_sent_over_tls_to_a_client_that_is_named() {
    let grant = |token_url: &str| DirectGrantSettings {
        token_url: token_url.parse().unwrap(),
        client_id: "einmal".to_owned(),
        client_secret: None,
        username_claim: "/name".to_owned(),
        scope: "openid".to_owned(),
    };
    let refusal = async |grant| refusal(|settings| settings.direct_grant = Some(grant)).await;
    for url in ["https://id.example.com/token", "http://127.0.0.1:1/token"] {
        assert_eq!(refusal(grant(url)).await, None, "{url}");
    }
    let good = || grant("https://id.example.com/token");
    let secret = Some(Secret::new(""));
    for (grant, setting) in [
        (grant("http://id.example.com/token"), "token_url"),
        (grant("https://user:geheim@id.example.com/token"), "token_url"),
        (DirectGrantSettings { client_id: String::new(), ..good() }, "client_id"),
        (DirectGrantSettings { client_secret: secret, ..good() }, "client_secret"),
        (DirectGrantSettings { username_claim: "name".to_owned(), ..good() }, "username_claim"),
    ] {
        let message = refusal(grant).await.expect(setting);
        assert!(message.contains(&format!("password.direct_grant.{setting}")), "{message}");
        assert!(!message.contains("geheim"), "{message}");
    }
}

#[tokio::test]
async fn two_issuers_are_told_apart_by_name_and_by_url() {
    let (first, second) = (Issuer::start(&[]).await, Issuer::start(&[]).await);
    let error = |issuers| TokenVerifier::new(issuers, HandClock::new()).err().map(|error| error.to_string());
    assert_eq!(error(vec![settings("a", &first), settings("b", &second)]), None);
    assert!(error(vec![settings("a", &first), settings("a", &second)]).unwrap().contains("name"));
    assert!(error(vec![settings("a", &first), settings("b", &first)]).unwrap().contains("issuer"));
}
