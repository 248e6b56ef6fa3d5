//! The set-up of `deploy/ha`, by its own commands, and an issuer for it. Taken down when it is dropped.

use crate::harness::installation::now;
use crate::harness::issuer::SigningKey;
use crate::harness::program::{PROGRAM, Run, with_input};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

const ISSUER: &str = "https://id.example.com";
const MACHINES: std::ops::RangeInclusive<usize> = 1..=3;

/// How a primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// PostgreSQL and Patroni are killed.
    Kill,
    /// The machine is cut off from the others; its einmal stays in reach of clients.
    Cut,
    /// Patroni alone is killed: the old primary goes on, and nobody tells it to stop.
    Orphan,
}

impl Loss {
    /// What `scripts/failover-drill` takes.
    pub(super) fn kinds(name: &str) -> Vec<Self> {
        match name {
            "kill" => vec![Self::Kill],
            "cut" => vec![Self::Cut],
            "orphan" => vec![Self::Orphan],
            "both" => vec![Self::Kill, Self::Cut],
            "all" => vec![Self::Kill, Self::Cut, Self::Orphan],
            _ => panic!("found {name:?}, expected kill, cut, orphan, both or all"),
        }
    }
}

pub(super) struct Cluster {
    directory: PathBuf,
    key: SigningKey,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = command("down", &self.directory).status();
    }
}

fn command(name: &str, directory: &Path) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/ha");
    let mut command = Command::new(scripts.join(name));
    command.arg(directory);
    command
}

async fn run(mut command: Command) -> Run {
    spawn_blocking(move || command.output().expect("it starts").into()).await.unwrap()
}

async fn succeed(command: Command) -> String {
    let run = run(command).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    run.stdout
}

impl Cluster {
    /// Healthy, with three einmal that are ready.
    pub(super) async fn start(directory: PathBuf) -> Self {
        let key = SigningKey::new("EdDSA", Some("key"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("keys.json"), json!({ "keys": [key.jwk()] }).to_string()).unwrap();
        let issuers = format!(
            "[[issuers]]\nissuer = \"{ISSUER}\"\naudiences = [\"einmal\"]\n\
             jwks_uri = \"http://127.0.0.1:8081/keys.json\"\n"
        );
        fs::write(directory.join("issuers.toml"), issuers).unwrap();
        let cluster = Self { directory, key };
        let mut up = command("up", &cluster.directory);
        up.env("EINMAL", PROGRAM);
        eprint!("{}", succeed(up).await);
        cluster
    }

    /// The three einmal by their machines' order, and the proxy in front of them.
    pub(super) fn urls(&self) -> Vec<String> {
        let settings = fs::read_to_string(self.directory.join("settings")).unwrap();
        let network = settings.lines().find_map(|line| line.strip_prefix("EINMAL_HA_NETWORK=")).unwrap();
        let hosts = MACHINES.map(|machine| machine.to_string()).chain(["10".to_owned()]);
        hosts.map(|host| format!("http://{network}.1.{host}:8080")).collect()
    }

    pub(super) async fn import(&self, lines: String) {
        let mut import = command("einmal", &self.directory);
        import.args(["accounts", "import", "-"]);
        let run = spawn_blocking(move || with_input(&mut import, lines.as_bytes())).await.unwrap();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }

    /// Good for as long as a drill may take.
    pub(super) fn token(&self, subject: &str) -> String {
        self.key.token(&json!({
            "iss": ISSUER, "aud": "einmal", "sub": subject, "exp": now() + 86_400, "scope": "user:otp:verify",
        }))
    }

    /// The number of the machine that was the primary's.
    pub(super) async fn lose_primary(&self, loss: Loss) -> usize {
        let mut command =
            command(if loss == Loss::Cut { "cut-off" } else { "kill-primary" }, &self.directory);
        if loss == Loss::Orphan {
            command.arg("patroni");
        }
        succeed(command).await.trim().parse().unwrap()
    }

    /// Returns when a machine other than the lost one says that it is the primary.
    pub(super) async fn has_primary_beside(&self, lost: usize) {
        loop {
            let primaries = run(command("primary", &self.directory)).await.stdout;
            if primaries.lines().any(|machine| machine != lost.to_string()) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// As before the loss.
    pub(super) async fn revive(&self) -> Result<(), String> {
        let run = run(command("revive", &self.directory)).await;
        if run.code == Some(0) { Ok(()) } else { Err(run.stderr) }
    }

    /// When each einmal was started, which changes when it is started again.
    pub(super) fn replica_processes(&self) -> Vec<String> {
        let started = |machine: usize| {
            let file = self.directory.join(format!("{machine}/run/einmal.pid"));
            let pid = fs::read_to_string(file).unwrap();
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            // Field 22 of proc(5), counted from behind the name, which may have spaces.
            let stat = stat.unwrap_or_else(|_| panic!("einmal {machine} is gone"));
            stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_owned()
        };
        MACHINES.map(started).collect()
    }
}
