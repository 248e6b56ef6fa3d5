//! What an operator has: a directory with a configuration, a keyring and a store, and an issuer. The program runs
//! on it as often as a test wants; the clock is the real one.

use super::issuer::{Issuer, SigningKey, with};
use super::program::{PROGRAM, Program, Run, einmal, with_input};
use crate::metrics::Exposition;
use einmal::clock::{Clock, SystemClock};
use einmal_core::otp::{Algorithm, Secret, Totp};
use reqwest::{Client, Response};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// 20 bytes.
pub(crate) const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const PERIOD: u64 = 30;

pub(crate) struct Installation {
    pub(crate) directory: TempDir,
    pub(crate) issuer: Issuer,
    pub(crate) key: SigningKey,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With `settings` at the end of the configuration file.
    pub(crate) async fn with(settings: &str) -> Self {
        let key = SigningKey::new("EdDSA", Some("key"));
        let issuer = Issuer::start(&[&key]).await;
        let installation = Self { directory: TempDir::new().unwrap(), issuer, key };
        installation.configure(&installation.issuer.url(), settings);
        let made = installation.run(&["keys", "generate"]);
        assert_eq!(made.code, Some(0), "{made:?}");
        installation
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, issuer: &str, settings: &str) {
        let text = format!(
            "[keyring]\nfile = \"einmal.keys\"\n\
             [[issuers]]\nissuer = \"{issuer}\"\naudiences = [\"einmal\"]\n\
             [http]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\n{settings}\n"
        );
        fs::write(self.path("einmal.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn einmal(&self, arguments: &[&str]) -> Command {
        let mut command = einmal(arguments);
        command.current_dir(self.directory.path()).env("EINMAL_CONFIG", "einmal.toml");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.einmal(arguments).output().unwrap().into()
    }

    pub(crate) fn import_with(&self, arguments: &[&str], lines: impl AsRef<[u8]>) -> Run {
        let arguments = [&["accounts", "import", "-"], arguments].concat();
        with_input(&mut self.einmal(&arguments), lines.as_ref())
    }

    /// Brings accounts in, all of which must be fine.
    pub(crate) fn import(&self, lines: impl AsRef<[u8]>) {
        let run = self.import_with(&[], lines);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.stdout);
    }

    /// One with a device that has [`SECRET`].
    pub(crate) fn import_device(&self, subject: &str) {
        self.import(device(subject));
    }

    /// So many accounts with such a device, each by its token.
    pub(crate) fn accounts(&self, name: &str, count: usize) -> Vec<String> {
        let subjects: Vec<_> = (0..count).map(|number| format!("{name}-{number}")).collect();
        self.import(subjects.iter().map(|subject| device(subject)).collect::<String>());
        subjects.iter().map(|subject| self.token(subject)).collect()
    }

    /// So many accounts that have nothing but this PIN.
    pub(crate) fn import_pins(&self, name: &str, count: usize, pin: &str) {
        let line = |number| json!({ "id": format!("{name}-{number}"), "pin": pin }).to_string();
        self.import((0..count).map(line).collect::<Vec<_>>().join("\n"));
    }

    /// The service, ready.
    pub(crate) async fn serve(&self) -> Serving {
        let serving = Serving::start(&mut self.einmal(&["serve"])).await;
        serving.until_ready().await;
        serving
    }

    /// A good token of this account.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.token_with(subject, &json!({}))
    }

    pub(crate) fn token_with(&self, subject: &str, changes: &Value) -> String {
        let claims = json!({
            "iss": self.issuer.url(), "aud": "einmal", "sub": subject, "exp": now() + 3_600,
            "scope": "user:otp:verify user:otp:create",
        });
        self.key.token(&with(&claims, changes))
    }
}

/// The line of an import that makes an account with one device that has [`SECRET`].
pub(crate) fn device(subject: &str) -> String {
    format!("{}\n", json!({ "id": subject, "deviceTotps": [{ "secret": SECRET }] }))
}

/// Of a user who is nobody in particular.
const ORDINARY: u32 = 65_534;

/// Root may do everything, so that as root it is made a process of an ordinary user.
pub(crate) fn as_ordinary(command: &mut Command) -> &mut Command {
    if rustix::process::geteuid().is_root() { command.uid(ORDINARY).gid(ORDINARY) } else { command }
}

/// The program where that user may run it, which the directory it was built in need not be, with everything there
/// being that user's.
pub(crate) fn for_ordinary(installation: &Installation) -> PathBuf {
    let program = installation.path("einmal");
    fs::copy(PROGRAM, &program).unwrap();
    if rustix::process::geteuid().is_root() {
        let files = fs::read_dir(installation.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        for path in files.chain([installation.directory.path().to_owned()]) {
            chown(path, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
    }
    program
}

/// `einmal serve`, and where it is.
pub(crate) struct Serving {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    pub(crate) client: Client,
}

impl Serving {
    /// Returns when it serves, which is before it need be ready.
    pub(crate) async fn start(command: &mut Command) -> Self {
        let mut program = Program::start(command);
        let (address, management) = program
            .printed("line that says where it serves", |log| {
                let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let line = lines.into_iter().find(|line| line["message"] == "serving")?;
                let address = |name: &str| line[name].as_str()?.parse().ok();
                Some((address("address")?, address("management")?))
            })
            .await;
        Self { program, address, management, client: Client::builder().no_proxy().build().unwrap() }
    }

    pub(crate) async fn readiness(&self) -> Response {
        let url = format!("http://{}/health/readiness", self.management);
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn metrics(&self) -> Exposition {
        let answer = self.client.get(format!("http://{}/metrics", self.management)).send().await.unwrap();
        Exposition::parse(&answer.text().await.unwrap())
    }

    /// PINs and passwords, and requests that wait for them to be.
    pub(crate) async fn being_hashed(&self) -> u64 {
        let metrics = self.metrics().await;
        metrics.value("einmal_hashing_running") + metrics.value("einmal_hashing_waiting")
    }

    /// The status of readiness, if there is somebody who says so.
    pub(crate) async fn readiness_or_nothing(&self) -> Option<u16> {
        let url = format!("http://{}/health/readiness", self.management);
        let answer = self.client.get(url).timeout(Duration::from_secs(10)).send().await;
        Some(answer.ok()?.status().as_u16())
    }

    pub(crate) async fn until_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while self.readiness().await.status() != 200 {
            assert!(Instant::now() < deadline, "not ready:\n{}", self.program.stdout());
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn try_verify(&self, token: &str, otp: &str) -> reqwest::Result<Response> {
        self.try_verify_with(&self.client, token, &json!({ "otp": otp })).await
    }

    /// On the connections of another client.
    pub(crate) async fn try_verify_with(
        &self,
        client: &Client,
        token: &str,
        body: &Value,
    ) -> reqwest::Result<Response> {
        let request = client.post(format!("http://{}/user/2025-1/user/otp/verify", self.address));
        request
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
    }

    /// The status of verifying `otp` with the default types.
    pub(crate) async fn verify(&self, token: &str, otp: &str) -> u16 {
        self.try_verify(token, otp).await.unwrap().status().as_u16()
    }

    /// Ends it as an operator does.
    pub(crate) async fn stop(mut self) {
        self.program.signal(Signal::TERM);
        let status = self.program.exit().await;
        assert_eq!(status.code(), Some(0), "{}", self.program.stdout());
    }
}

pub(crate) fn now() -> u64 {
    SystemClock.now().seconds()
}

/// The current step of [`SECRET`].
pub(crate) fn step() -> u64 {
    now() / PERIOD
}

/// The code of [`SECRET`] at a step.
pub(crate) fn code_at(step: u64) -> String {
    code_of(SECRET, step)
}

pub(crate) fn code_of(secret: &str, step: u64) -> String {
    let totp = Totp::new(Secret::from_base32(secret).unwrap(), Algorithm::Sha1, 6, PERIOD).unwrap();
    totp.code_at(step).as_str().to_owned()
}

/// Six digits that are no code of [`SECRET`] for some minutes to come.
pub(crate) fn wrong_code() -> String {
    let near: Vec<_> = (step() - 5..=step() + 10).map(code_at).collect();
    let mut candidates = (111_111..).map(|number: u32| number.to_string());
    candidates.find(|code| !near.contains(code)).unwrap()
}

/// Returns when the current step lasts for at least so many seconds more, so that what follows is within one.
pub(crate) async fn early_in_a_step(seconds: u64) {
    while PERIOD - now() % PERIOD < seconds {
        sleep(Duration::from_millis(20)).await;
    }
}
