//! A certified OpenID provider issues the tokens: discovery, key set and signatures are its own.

use super::peer;
use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, step};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ends with its standard input, which is dropped with it.
pub(super) struct Provider {
    child: Child,
    pub(super) url: String,
    client: reqwest::Client,
}

impl Provider {
    pub(super) fn start(folder: &Path, script: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(folder.join(script)).current_dir(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().expect("a line with the issuer").unwrap();
        // The rest of what it writes must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn token(&self, algorithm: &str, scope: &str) -> String {
        let form = format!("grant_type=client_credentials&scope={scope}&resource=urn%3Aeinmal%3A{algorithm}");
        let request = self.client.post(format!("{}/token", self.url)).body(form);
        let answer = request
            .basic_auth("driver", Some("not-a-secret-in-a-test"))
            .header("content-type", "application/x-www-form-urlencoded")
            .send()
            .await
            .unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_certified_openid_provider_are_understood() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test against oidc-provider") else { return };
    let provider = Provider::start(&folder, "oidc-provider.mjs");
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let installation = Installation::new().await;
        installation.configure(&provider.url, "");
        installation.import_device("driver");
        let serving: Serving = installation.serve().await;
        early_in_a_step(5).await;
        let code = code_at(step());

        let without_scope = provider.token(algorithm, "user:otp:create").await;
        assert_eq!(serving.verify(&without_scope, &code).await, 403, "{algorithm}");
        let token = provider.token(algorithm, "user:otp:verify").await;
        assert_eq!(serving.verify(&token, &code).await, 204, "{algorithm}");
        assert_eq!(serving.verify(&token, &code).await, 404, "{algorithm}");
        let forged = format!("{}A", &token[..token.len() - 1]);
        let forged = if forged == token { format!("{}B", &token[..token.len() - 1]) } else { forged };
        assert_eq!(serving.verify(&forged, &code).await, 401, "{algorithm}");
    }
}
