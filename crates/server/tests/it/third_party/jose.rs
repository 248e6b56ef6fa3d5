//! Tokens and key sets of the jose library, good ones and forgeries, in front of the real verifier.

use super::peer;
use crate::harness::clock::{HandClock, NOW};
use crate::harness::issuer::Issuer;
use einmal::auth::{Algorithm, IssuerSettings, TokenError, TokenVerifier};
use einmal::clock::Clock as _;
use serde_json::Value;
use std::process::Command;

#[tokio::test]
async fn tokens_signed_by_another_library_are_judged_as_ours_are() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test against jose") else { return };
    let issuer = Issuer::start(&[]).await;
    let mut command = Command::new("node");
    let command = command.arg(folder.join("jose-tokens.mjs")).current_dir(folder);
    let output = command.args([issuer.url(), NOW.to_string()]).output().expect("node runs");
    assert!(output.status.success(), "{output:?}");
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    issuer.publish_jwks(made["jwks"].as_array().unwrap());
    let settings = IssuerSettings {
        name: "main".into(),
        issuer: issuer.url(),
        audiences: vec!["einmal".to_owned()],
        jwks_uri: None,
        algorithms: Algorithm::ALL.to_vec(),
        introspection: None,
        linked_identity: None,
        direct_grant: None,
        registered_at_claim: None,
    };
    let clock = HandClock::new();
    let verifier = TokenVerifier::new(vec![settings], clock.clone()).unwrap();
    verifier.discover().await.unwrap();
    let tokens = |kind: &str| made[kind].as_object().unwrap().clone();
    assert_eq!((tokens("good").len(), tokens("bad").len()), (18, 93));
    // Twice: from the cache nothing else may come.
    for _ in 0..2 {
        for (what, token) in tokens("good") {
            let accepted = verifier.verify(token.as_str().unwrap(), clock.now()).await;
            assert_eq!(accepted.unwrap_or_else(|e| panic!("{what}: {e}")).account.subject(), "driver");
        }
        for (what, token) in tokens("bad") {
            let refused = verifier.verify(token.as_str().unwrap(), clock.now()).await.err();
            assert!(matches!(refused, Some(TokenError::Invalid(_))), "{what}: {refused:?}");
        }
    }
}
