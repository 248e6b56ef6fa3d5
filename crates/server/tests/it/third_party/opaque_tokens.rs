//! A certified OpenID provider is asked about its own opaque tokens.

use super::peer;
use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, step};
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

struct Provider {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    made: Value,
}

impl Provider {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(folder.join("opaque-tokens.mjs")).current_dir(folder);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("node runs");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = BufReader::new(output).lines();
        // It also writes notices there.
        let made = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with('{'));
        let made = serde_json::from_str(&made.expect("a line with its tokens")).unwrap();
        Self { child, input, lines, made }
    }

    fn text(&self, pointer: &str) -> &str {
        self.made.pointer(pointer).unwrap().as_str().unwrap()
    }

    fn revoke(&mut self, token: &str) {
        writeln!(self.input, "{token}").unwrap();
        let status = self.lines.by_ref().find_map(|line| line.unwrap().parse::<u16>().ok());
        assert_eq!(status, Some(200));
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn serve(installation: &Installation, provider: &Provider, missing_aud: &str) -> Serving {
    installation.configure(provider.text("/issuer"), "");
    installation.import_device("driver");
    let mut command = installation.einmal(&["serve"]);
    for (key, value) in [
        ("URL", provider.text("/introspection")),
        ("CLIENT_ID", "einmal"),
        ("CLIENT_SECRET", "secret of einmal: 100%"),
        ("MISSING_AUD", missing_aud),
    ] {
        command.env(format!("EINMAL__ISSUERS__0__INTROSPECTION__{key}"), value);
    }
    let serving = Serving::start(&mut command).await;
    serving.until_ready().await;
    serving
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opaque_tokens_of_a_certified_openid_provider_are_understood_91() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test of introspection against oidc-provider") else {
        return;
    };
    let mut provider = Provider::start(&folder);
    let good = provider.text("/tokens/good").to_owned();
    for missing_aud in ["refuse", "accept"] {
        let installation = Installation::new().await;
        let serving = serve(&installation, &provider, missing_aud).await;
        early_in_a_step(5).await;
        let code = code_at(step());
        for (kind, status) in [("foreign", 401), ("unscoped", 403), ("bound", 401), ("refresh", 401)] {
            let token = provider.text(&format!("/tokens/{kind}"));
            assert_eq!(serving.verify(token, &code).await, status, "{kind}");
        }
        assert_eq!(serving.verify("made-up", &code).await, 401);
        assert_eq!(serving.verify(&good, &code).await, 204);
        assert_eq!(serving.verify(&good, &code).await, 404);
        if missing_aud == "accept" {
            provider.revoke(&good);
            let revoked = Instant::now();
            while serving.verify(&good, "000000").await != 401 {
                assert!(revoked.elapsed() < Duration::from_secs(12), "it is still good");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
