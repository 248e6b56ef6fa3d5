//! A certified OpenID provider judges passwords: its tokens, its ID tokens and its refusals are its own.

use super::peer;
use crate::api::create_otp::CREATE;
use crate::harness::installation::{Installation, Serving};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const PASSWORD: &str = "pässword: 100% +&=";

/// Ends with its standard input, which is dropped with it.
struct Provider {
    child: Child,
    made: Value,
}

impl Provider {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(folder.join("password-grant.mjs")).current_dir(folder);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // It also writes notices there.
        let made = lines.find(|line| line.starts_with('{')).expect("a line with its tokens");
        let made = serde_json::from_str(&made).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, made }
    }

    fn text(&self, pointer: &str) -> &str {
        self.made.pointer(pointer).unwrap().as_str().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service, as one client of the provider.
async fn serve(installation: &Installation, provider: &Provider, client: &str, scope: &str) -> Serving {
    installation.configure(provider.text("/issuer"), "");
    let mut command = installation.einmal(&["serve"]);
    let secret = format!("secret of {client}: 100%");
    let mut settings = vec![
        ("TOKEN_URL", provider.text("/token")),
        ("CLIENT_ID", client),
        ("USERNAME_CLAIM", "/preferred_username"),
        ("SCOPE", scope),
    ];
    if client != "public" {
        settings.push(("CLIENT_SECRET", &secret));
    }
    for (key, value) in settings {
        command.env(format!("EINMAL__ISSUERS__0__PASSWORD__DIRECT_GRANT__{key}"), value);
    }
    let serving = Serving::start(&mut command).await;
    serving.until_ready().await;
    serving
}

async fn create(serving: &Serving, token: &str, password: &str) -> u16 {
    let request = serving.client.post(format!("http://{}{CREATE}", serving.address)).bearer_auth(token);
    let body = json!({ "password": password }).to_string();
    request.header("content-type", "application/json").body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_judged_by_a_certified_openid_provider() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test of passwords against oidc-provider") else {
        return;
    };
    let provider = Provider::start(&folder);
    let [driver, impostor, unknown] =
        ["driver", "impostor", "unknown"].map(|name| provider.text(&format!("/tokens/{name}")));
    for (client, scope) in [
        ("einmal", "openid"),
        ("symmetric", "openid"),
        ("public", "openid"),
        // No ID token, but a JWT.
        ("einmal", "user:otp:create"),
    ] {
        let installation = Installation::new().await;
        let serving = serve(&installation, &provider, client, scope).await;
        assert_eq!(create(&serving, driver, "wrong").await, 404, "{client} {scope}");
        assert_eq!(create(&serving, unknown, PASSWORD).await, 404, "{client} {scope}");
        assert_eq!(create(&serving, impostor, "of the other").await, 404, "{client} {scope}");
        assert_eq!(create(&serving, driver, PASSWORD).await, 201, "{client} {scope}");
    }
    for (client, scope, said) in [
        ("einmal", "opaque", "expected an id_token"),
        ("stranger", "openid", "answered with status 400"),
        ("nobody", "openid", "says invalid_client"),
    ] {
        let installation = Installation::new().await;
        let mut serving = serve(&installation, &provider, client, scope).await;
        assert_eq!(create(&serving, driver, PASSWORD).await, 503, "{client} {scope}");
        serving.program.printed(said, |log| log.contains(said).then_some(())).await;
    }
}
