//! The guide to OpenID providers: each section of a configuration in it is one that einmal takes, and each token that it shows is
//! taken by a service with that section, claim by claim. What real providers do, these tests cannot know.

use super::read;
use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, step};
use crate::harness::issuer::{Issuer, SigningKey, with};
use crate::harness::program::{Run, einmal};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const KEYRING: &str = "[keyring]\nfile = \"einmal.keys\"\n";
const SECRETS: [&str; 2] = ["GRANT_SECRET", "INTROSPECTION_SECRET"];

/// The samples of one language, also those that are indented below a point of a list.
fn samples(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(str::trim_start).collect::<Vec<_>>().join("\n") + "\n").collect()
}

/// Of one provider.
fn section<'a>(guide: &'a str, provider: &str) -> &'a str {
    let heading = format!("\n## {provider}\n");
    guide.split_once(&heading).unwrap().1.split("\n## ").next().unwrap()
}

fn check(directory: &TempDir, sample: &str) -> Run {
    let path = directory.path().join("einmal.toml");
    fs::write(&path, format!("{KEYRING}{sample}")).unwrap();
    let mut command = einmal(&["config", "check", "--config", path.to_str().unwrap()]);
    command.envs(SECRETS.map(|name| (name, "its-secret"))).output().unwrap().into()
}

#[test]
fn the_sections_of_the_guide_to_providers_are_accepted() {
    let directory = TempDir::new().unwrap();
    let samples = samples(&read("docs/PROVIDERS.md"), "toml");
    assert_eq!(samples.len(), 6);
    for sample in samples {
        let checked = check(&directory, &sample);
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{sample}");
    }
}

/// What a guide says of one provider, with an issuer in its place that signs whatever it is told to.
struct Stand {
    installation: Installation,
    issuer: Issuer,
    key: SigningKey,
    claims: Value,
}

impl Stand {
    async fn new(provider: &str) -> Self {
        let guide = read("docs/PROVIDERS.md");
        let section = section(&guide, provider);
        let stanza = &samples(section, "toml")[0];
        let claims: Value = serde_json::from_str(&samples(section, "json")[0]).unwrap();
        let named = claims["iss"].as_str().unwrap();
        assert!(stanza.contains(&format!("issuer = \"{named}\"")), "{stanza}");

        let key = SigningKey::rsa("key");
        // With a slash at its end where theirs has one.
        let path = if named.ends_with('/') { "/" } else { "" };
        let issuer = Issuer::start_at(path, &[&key]).await;
        let installation = Installation::new().await;
        let listening = "[http]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\n";
        let configuration = format!("{KEYRING}{}{listening}", stanza.replace(named, &issuer.url()));
        fs::write(installation.path("einmal.toml"), configuration).unwrap();
        installation.import_device(claims["sub"].as_str().unwrap());
        Self { installation, issuer, key, claims }
    }

    /// As shown, but for what an issuer of ours cannot be: that one, and of that time. With the header that most have.
    fn token(&self, changes: &Value) -> String {
        self.token_of_type("JWT", changes)
    }

    fn token_of_type(&self, kind: &str, changes: &Value) -> String {
        let now = crate::harness::installation::now();
        let ours = json!({ "iss": self.issuer.url(), "iat": now, "exp": now + 300 });
        let claims = with(&self.claims, &ours);
        let claims = if claims.get("nbf").is_some() { with(&claims, &json!({ "nbf": now })) } else { claims };
        self.key.token_with_header(&json!({ "typ": kind }), &with(&claims, changes))
    }

    /// The token is taken, as shown; and without its audience, or its scope, it is not, whatever else names permissions.
    async fn assert_is_taken(&self) {
        let serving: Serving = self.installation.serve().await;
        early_in_a_step(5).await;
        let code = code_at(step());
        let other = json!({ "aud": ["another-service"] });
        assert_eq!(serving.verify(&self.token(&other), &code).await, 401);
        assert_eq!(serving.verify(&self.token(&json!({ "scope": "openid" })), &code).await, 403);
        assert_eq!(serving.verify(&self.token(&json!({})), &code).await, 204, "{}", serving.program.stdout());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_as_keycloak_makes_them_is_taken() {
    let stand = Stand::new("Keycloak").await;
    stand.assert_is_taken().await;
    let serving = stand.installation.serve().await;
    // Of a realm whose client has no scope `basic`; and one that is bound to a key.
    for changes in
        [json!({ "sub": null }), json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })]
    {
        assert_eq!(serving.verify(&stand.token(&changes), &code_at(step())).await, 401, "{changes}");
    }
    // What all clients of the realm have is not in the section.
    assert_eq!(serving.verify(&stand.token(&json!({ "aud": "account" })), &code_at(step())).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_as_zitadel_makes_them_is_taken_with_the_claim_of_an_action() {
    let stand = Stand::new("Zitadel").await;
    stand.assert_is_taken().await;
    let serving = stand.installation.serve().await;
    let without_action = stand.token(&json!({ "scope": null }));
    assert_eq!(serving.verify(&without_action, &code_at(step())).await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_as_auth0_makes_them_are_taken_in_both_profiles() {
    let stand = Stand::new("Auth0").await;
    stand.assert_is_taken().await;
    let serving = stand.installation.serve().await;
    early_in_a_step(5).await;
    // RFC 9068.
    let client = stand.claims["azp"].clone();
    let profile = json!({ "azp": null, "client_id": client, "jti": "73WakrfVbNJBaAmhQtEeDv" });
    let token = stand.token_of_type("at+jwt", &profile);
    assert_eq!(serving.verify(&token, &code_at(step() + 1)).await, 204);
}
