//! The unit for systemd: that systemd takes it and finds it tight, and that the service under load does nothing that the unit
//! forbids. Where systemd does not run, its rules are compared with what `strace` sees.

use crate::harness::back_office::ADMIN;
use crate::harness::installation::{
    Installation, Serving, as_ordinary, code_at, for_ordinary, step, wrong_code,
};
use crate::harness::mail::SENDMAIL;
use crate::harness::mail_server::MailServer;
use crate::harness::peer;
use crate::harness::postgres::PostgresServer;
use crate::harness::program::{PROGRAM, Run};
use rustix::process::Signal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::time::{Duration, Instant, sleep};

/// In tenths, as `--threshold` has it.
const MOST_EXPOSED: &str = "12";

fn unit() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd/einmal.service"))
        .unwrap()
}

/// What the unit says for this key, line by line.
fn settings(key: &str) -> Vec<String> {
    let unit = unit();
    let values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

fn systemd_analyze() -> Option<PathBuf> {
    peer("EINMAL_TEST_SYSTEMD_ANALYZE", "a test of the unit for systemd")
}

#[test]
fn systemd_takes_the_unit_and_calls_it_tight() {
    let Some(systemd_analyze) = systemd_analyze() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("einmal.service");
    // The program is where an operator will have put it.
    let unit = unit();
    assert_eq!(unit.matches("/usr/local/bin/einmal").count(), 1);
    fs::write(&file, unit.replace("/usr/local/bin/einmal", PROGRAM)).unwrap();
    let analyze = |arguments: &[&str]| {
        let output = Command::new(&systemd_analyze).args(arguments).arg(&file).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    assert_eq!(analyze(&["verify", "--man=no", "--recursive-errors=no"]), "");
    analyze(&["security", "--offline=true", "--threshold", MOST_EXPOSED]);
}

/// All groups of system calls, with what they are made of.
fn groups(systemd_analyze: &Path) -> BTreeMap<String, Vec<String>> {
    let output = Command::new(systemd_analyze).arg("syscall-filter").output().unwrap();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut group = String::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        match line.trim() {
            "" => {}
            comment if comment.starts_with('#') => {}
            name if !line.starts_with(' ') => name.clone_into(&mut group),
            call => groups.entry(group.clone()).or_default().push(call.to_owned()),
        }
    }
    groups
}

/// The system calls that a word of the filter stands for.
fn calls(groups: &BTreeMap<String, Vec<String>>, word: &str) -> BTreeSet<String> {
    let Some(parts) = groups.get(word) else {
        assert!(!word.starts_with('@'), "no group {word}");
        return [word.to_owned()].into();
    };
    parts.iter().flat_map(|part| calls(groups, part)).collect()
}

/// What the unit lets through: a list, less those after a tilde.
fn allowed_calls(systemd_analyze: &Path) -> BTreeSet<String> {
    let groups = groups(systemd_analyze);
    let mut allowed = BTreeSet::new();
    for line in settings("SystemCallFilter") {
        let (is_less, words) = line.strip_prefix('~').map_or((false, line.as_str()), |words| (true, words));
        for call in words.split(' ').flat_map(|word| calls(&groups, word)) {
            if is_less {
                allowed.remove(&call)
            } else {
                allowed.insert(call)
            };
        }
    }
    // What systemd lets through in any case.
    allowed.extend(calls(&groups, "@default"));
    assert!(allowed.len() > 100, "{allowed:?}");
    allowed
}

/// The service under `strace` does what it can do, and ends. Returns every line about a system call.
async fn traced(strace: &Path, store: &str) -> (Installation, Vec<String>) {
    let mails = MailServer::start().await;
    let installation = Installation::with(&format!("{ADMIN}\n{}{store}", mails.settings())).await;
    let account = |name: &str| {
        let device = json!([{ "secret": crate::harness::installation::SECRET }]);
        format!(
            "{}\n",
            json!({ "id": name, "pin": "8299", "password": "correct horse", "deviceTotps": device })
        )
    };
    installation.import(account("alice") + &account("bob"));
    let log = installation.path("strace.log");
    // A key set by a host's name, for what looking up a name takes.
    let keys = installation.issuer.keys_url().replace("127.0.0.1", "localhost");
    let mut command = Command::new(strace);
    command.args(["-D", "-f", "-qq", "-o"]).arg(&log).arg(for_ordinary(&installation)).arg("serve");
    command.current_dir(installation.directory.path()).env_clear().env("EINMAL_CONFIG", "einmal.toml");
    command.env("EINMAL__ISSUERS__0__JWKS_URI", keys).env("TMPDIR", installation.directory.path());
    // SQLite asks for more as root.
    let serving = Serving::start(as_ordinary(&mut command)).await;
    serving.until_ready().await;
    exercise(&installation, &serving).await;
    serving.program.signal(Signal::HUP);
    serving.program.signal(Signal::TERM);
    let Run { code, stdout, .. } = serving.program.ended().await;
    assert_eq!(code, Some(0), "{stdout}");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(&log).unwrap();
        if text.contains("exit_group(") {
            return (installation, text.lines().map(str::to_owned).collect());
        }
        assert!(Instant::now() < deadline, "strace wrote no end");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn exercise(installation: &Installation, serving: &Serving) {
    let everything = json!({
        "scope": "user:otp:verify user:otp:create user:users.pin:update",
        "email": "alice@example.org", "email_verified": true,
    });
    let token = installation.token_with("alice", &everything);
    assert_eq!(serving.verify(&token, &code_at(step())).await, 204);
    assert_eq!(serving.verify(&token, &wrong_code()).await, 404);
    for _ in 0..20 {
        serving.verify(&token, &code_at(step() - 1)).await;
    }
    let post = |path: &str, body: serde_json::Value| {
        let request = serving.client.post(format!("http://{}{path}", serving.address)).bearer_auth(&token);
        request.header("content-type", "application/json").body(body.to_string()).send()
    };
    let create = "/user/2025-1/user/otp";
    assert_eq!(
        post(create, json!({ "pin": "8299", "password": "correct horse" })).await.unwrap().status(),
        201
    );
    assert_eq!(post(create, json!({ "pin": "1353" })).await.unwrap().status(), 404);
    assert_eq!(post(SENDMAIL, json!({})).await.unwrap().status(), 204);
    let metrics = serving.client.get(format!("http://{}/metrics", serving.management)).send().await.unwrap();
    assert_eq!(metrics.status(), 200);
    // Another key for the store, which a running server reads.
    assert_eq!(installation.run(&["keys", "rotate"]).code, Some(0));
    assert_eq!(installation.run(&["keys", "rotate", "--promote"]).code, Some(0));
    assert_eq!(installation.run(&["keys", "reseal"]).code, Some(0));
    assert_eq!(serving.verify(&installation.token("bob"), &code_at(step())).await, 204);
}

/// The name of the call that a line is about, `None` for signals and ends.
fn call(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let rest = rest.strip_prefix("<... ").unwrap_or(rest);
    let name = rest.split(['(', ' ']).next()?;
    (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .then_some(name)
}

fn is_within_the_unit(allowed: &BTreeSet<String>, installation: &Installation, lines: &[String]) {
    let made: BTreeSet<_> = lines.iter().filter_map(|line| call(line)).collect();
    println!("{} system calls of {} allowed: {made:?}", made.len(), allowed.len());
    assert!(["accept4", "futex", "openat", "execve"].iter().all(|call| made.contains(call)), "{made:?}");
    let forbidden: Vec<_> = made.iter().filter(|call| !allowed.contains(**call)).collect();
    assert!(forbidden.is_empty(), "not allowed by the unit: {forbidden:?}");
    let families = settings("RestrictAddressFamilies").join(" ");
    let of = |name: &'static str| lines.iter().filter(move |line| call(line) == Some(name));
    for line in of("socket") {
        let family = line.split_once("socket(").map(|(_, rest)| rest.split(',').next().unwrap());
        let is_allowed = family.is_none_or(|family| families.split(' ').any(|allowed| allowed == family));
        // To ask the kernel for addresses, without which names are looked up all the same.
        assert!(is_allowed || family == Some("AF_NETLINK"), "{line}");
    }
    // MemoryDenyWriteExecute.
    for line in of("mmap").chain(of("mprotect")) {
        let is_code = line.contains("PROT_EXEC");
        assert!(!(is_code && (line.contains("PROT_WRITE") || line.contains("mprotect("))), "{line}");
    }
    // ProtectSystem, PrivateDevices.
    let own = installation.directory.path().to_str().unwrap();
    for line in
        of("openat").filter(|line| ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag)))
    {
        let path = line.split('"').nth(1).unwrap_or_default();
        let is_own = path.starts_with(own) || !path.starts_with('/') || path == "/dev/null";
        assert!(is_own, "{line}");
    }
    assert_eq!(of("execve").count(), 1, "it starts nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_the_service_asks_the_kernel_for_nothing_that_the_unit_forbids() {
    let Some(systemd_analyze) = systemd_analyze() else { return };
    let Some(strace) = peer("EINMAL_TEST_STRACE", "the test of system calls") else { return };
    let allowed = allowed_calls(&systemd_analyze);
    let mut stores = vec![String::new()];
    stores.extend(PostgresServer::shared().map(|server| server.database().section()));
    for store in stores {
        let (installation, lines) = traced(&strace, &store).await;
        is_within_the_unit(&allowed, &installation, &lines);
    }
}
