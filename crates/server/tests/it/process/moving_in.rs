//! `einmal accounts import --format …`: what other systems export comes in over the real program, and codes computed
//! from the secrets by somebody else's arithmetic are accepted.

use crate::harness::installation::{Installation, Serving, early_in_a_step, now};
use crate::harness::program::Run;
use aws_lc_rs::{digest, hmac};
use data_encoding::BASE32_NOPAD;
use einmal::accounts::password_hash::PasswordHash;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Files as other systems write them. Their secrets are the first bytes of SHA-256 of a name.
pub(super) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/process/moving_in")).join(name)
}

fn secret(name: &str, length: usize) -> Vec<u8> {
    digest::digest(&digest::SHA256, name.as_bytes()).as_ref()[..length].to_vec()
}

/// RFC 6238 on another library's HMAC, and on bytes.
fn code(algorithm: hmac::Algorithm, secret: &[u8], digits: usize, step: u64) -> String {
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 15);
    let number = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:0digits$}", u64::from(number) % 10_u64.pow(u32::try_from(digits).unwrap()))
}

const SHA1: hmac::Algorithm = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;

fn move_in(installation: &Installation, format: &str, file: &str, more: &[&str]) -> Run {
    let file = fixture(file);
    let arguments = ["accounts", "import", file.to_str().unwrap(), "--format", format];
    installation.run(&[&arguments, more].concat())
}

async fn verify(serving: &Serving, token: &str, otp: &str) -> u16 {
    let body = json!({ "otp": otp, "types": ["totp"] });
    serving.try_verify_with(&serving.client, token, &body).await.unwrap().status().as_u16()
}

fn show(installation: &Installation, subject: &str) -> Value {
    let shown = installation.run(&["accounts", "show", subject, "--json"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    serde_json::from_str(&shown.stdout).unwrap()
}

const ALICE_OF_KEYCLOAK: &str = "11111111-aaaa-4aaa-8aaa-000000000001";

/// Whose secret, and how codes are made of it.
type Moved<'a> = (&'a str, hmac::Algorithm, Vec<u8>, usize, u64);

async fn assert_accepted(installation: &Installation, moved: &[Moved<'_>]) {
    let serving = installation.serve().await;
    early_in_a_step(6).await;
    for (subject, algorithm, secret, digits, period) in moved {
        let token = installation.token(subject);
        let code = code(*algorithm, secret, *digits, now() / period);
        assert_eq!(verify(&serving, &token, &code).await, 204, "{subject}");
        assert_eq!(verify(&serving, &token, &code).await, 404, "{subject}: only once");
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_secrets_in_a_list_of_uris_are_accepted() {
    let installation = Installation::new().await;
    let run = move_in(&installation, "otpauth", "uris.txt", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout, "2 imported, 0 replaced, 0 skipped, 0 refused\n");
    assert_accepted(
        &installation,
        &[
            ("uri-alice@example.com", SHA1, secret("uri-alice", 20), 6, 30),
            ("uri-bob", hmac::HMAC_SHA256, secret("uri-bob-1", 32), 8, 60),
            ("uri-bob", SHA1, secret("uri-bob-2", 20), 6, 30),
        ],
    )
    .await;
    let devices = Installation::new().await;
    let run = move_in(&devices, "otpauth", "uris.txt", &["--as", "devices", "--subject", "label"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let shown = show(&devices, "Cars:uri-alice@example.com");
    assert_eq!(shown["deviceTotps"].as_array().map(Vec::len), Some(1), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_secrets_in_a_realm_of_keycloak_are_accepted() {
    let installation = Installation::new().await;
    let run = move_in(&installation, "keycloak", "realm.json", &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stdout,
        "1 imported, 0 replaced, 0 skipped, 0 refused\n\
         left out: 1 HOTP, whose counter cannot be moved safely\n\
         left out: 1 passkeys and security keys, which are bound to where they were made\n\
         left out: 3 users without a one-time password\n"
    );
    let file = fixture("realm.json");
    let (file, missed) = (file.display(), "left out: HOTP, whose counter cannot be moved safely");
    assert!(
        run.stderr.contains(&format!("{file}: users[1] \"kc-bob\": credentials[0]: {missed}\n")),
        "{run:?}"
    );
    let shown = show(&installation, ALICE_OF_KEYCLOAK);
    assert_eq!(
        (&shown["email"], &shown["password"]),
        (&"kc-alice@example.com".into(), &"none".into()),
        "{shown}"
    );
    let phone = &shown["authenticators"][0];
    assert_eq!(
        (&phone["label"], &phone["createdAt"]),
        (&"phone".into(), &"2023-11-14T22:15:00Z".into()),
        "{shown}"
    );
    let (raw, base32) = (b"q7Jx2mKc9Vw4Tz8Rb5Lp".to_vec(), secret("kc-b32", 32));
    let alice = ALICE_OF_KEYCLOAK;
    assert_accepted(&installation, &[(alice, SHA1, raw, 6, 30), (alice, hmac::HMAC_SHA256, base32, 8, 60)])
        .await;
}

#[tokio::test]
async fn a_password_of_keycloak_comes_along_only_when_asked_for() {
    let installation = Installation::new().await;
    let run =
        move_in(&installation, "keycloak", "realm.json", &["--with-passwords", "--subject", "username"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for (subject, scheme) in [("kc-alice", "$pbkdf2-sha512$"), ("kc-dave", "$argon2id$")] {
        let export = installation.run(&["accounts", "export", subject, "--with-secrets"]);
        let record: Value = serde_json::from_str(&export.stdout).unwrap();
        let hash = record["passwordHash"].as_str().unwrap();
        assert!(hash.starts_with(scheme), "{subject}");
        let hash = PasswordHash::parse(hash).unwrap();
        assert!(hash.is_of(b"old password").unwrap() && !hash.is_of(b"another one").unwrap(), "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_tokens_of_privacyidea_are_accepted() {
    let installation = Installation::new().await;
    let run = move_in(&installation, "privacyidea", "tokens.json", &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stdout,
        "1 imported, 0 replaced, 0 skipped, 0 refused\n\
         left out: 1 tokens that are disabled, revoked or not enrolled to the end\n\
         left out: 1 tokens that are not time-based\n\
         left out: 1 tokens without an owner\n"
    );
    assert!(run.stderr.contains(": tokens 1, 2: warning: token 2: its clock was some 125 s off"), "{run:?}");
    let key = fixture("tokens.key");
    let sealed = move_in(&installation, "privacyidea", "tokens.pi", &["--key-file", key.to_str().unwrap()]);
    assert_eq!(sealed.stdout, run.stdout, "{sealed:?}");
    let csv = ["--algorithm", "SHA1"];
    let csv = move_in(&installation, "privacyidea", "tokens.csv", &csv);
    assert!(csv.stdout.starts_with("1 imported, 0 replaced, 0 skipped, 0 refused\n"), "{csv:?}");
    let long = secret("pi-2", 32);
    assert_accepted(
        &installation,
        &[
            ("pi-alice", SHA1, secret("pi-1", 20), 6, 30),
            ("pi-alice", hmac::HMAC_SHA256, long.clone(), 8, 60),
            ("pi-sealed", SHA1, secret("pi-1", 20), 6, 30),
            ("pi-sealed", hmac::HMAC_SHA256, long, 8, 60),
            ("pi-csv", SHA1, secret("pi-csv", 20), 6, 30),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_privacyidea_has_accepted_stays_spent() {
    let installation = Installation::new().await;
    early_in_a_step(8).await;
    let step = now() / 30;
    let text = fs::read_to_string(fixture("tokens.json")).unwrap();
    let text = text.replacen("\"count\": 0", &format!("\"count\": {step}"), 1);
    fs::write(installation.path("tokens.json"), text).unwrap();
    let run = installation.run(&[
        "accounts",
        "import",
        "tokens.json",
        "--format",
        "privacyidea",
        "--subject",
        "uid",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let serving = installation.serve().await;
    let token = installation.token("uid-pi-alice");
    let key = secret("pi-1", 20);
    assert_eq!(verify(&serving, &token, &code(SHA1, &key, 6, step)).await, 404);
    assert_eq!(verify(&serving, &token, &code(SHA1, &key, 6, step + 1)).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_secrets_in_a_table_are_accepted() {
    let installation = Installation::new().await;
    let run = move_in(&installation, "csv", "table.csv", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout, "2 imported, 0 replaced, 0 skipped, 0 refused\n");
    let shown = show(&installation, "t-alice");
    assert_eq!(
        (&shown["authenticators"][0]["label"], &shown["email"]),
        (&"phone, \"old\" one".into(), &"t-alice@example.com".into())
    );
    assert_accepted(
        &installation,
        &[
            ("t-alice", hmac::HMAC_SHA512, secret("t-hex", 32), 8, 60),
            ("t-alice", SHA1, secret("t-b64", 20), 6, 30),
            ("t-bob", SHA1, b"t-secret-of-16-bytes".to_vec(), 6, 30),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_dry_run_reports_the_same_and_writes_nothing() {
    let installation = Installation::new().await;
    let twice =
        "{\"id\":\"a\",\"pin\":\"8299\"}\n{\"id\":\"a\"}\n{\"id\":\"b\",\"pin\":\"1\"}\n{\"id\":\"c\"}\n";
    for replace in [&[][..], &["--replace"]] {
        let rehearsal = installation.import_with(&[&["--dry-run"], replace].concat(), twice);
        assert!(!installation.path("einmal.db").exists(), "no store is made for a rehearsal");
        let performance = installation.import_with(replace, twice);
        assert_eq!(rehearsal.stdout, format!("{}dry run: nothing was written\n", performance.stdout));
        assert_eq!((rehearsal.code, rehearsal.stderr), (performance.code, performance.stderr));
        for file in ["einmal.db", "einmal.db-wal", "einmal.db-shm"] {
            let _ = fs::remove_file(installation.path(file));
        }
    }
    let before = move_in(&installation, "otpauth", "uris.txt", &[]);
    assert_eq!(before.code, Some(0), "{before:?}");
    for (more, expected) in
        [(&[][..], "1 imported, 0 replaced, 2"), (&["--replace"], "1 imported, 2 replaced, 0")]
    {
        let uris = "\u{feff}".to_owned()
            + &fs::read_to_string(fixture("uris.txt")).unwrap()
            + "new\t"
            + &uri("new")
            + "\n";
        let rehearsal =
            installation.import_with(&[&["--format", "otpauth", "--dry-run"], more].concat(), uris);
        assert!(rehearsal.stdout.starts_with(&format!("{expected} skipped, 0 refused\n")), "{rehearsal:?}");
    }
    assert_eq!(
        installation.run(&["accounts", "list"]).stdout,
        "main\turi-alice@example.com\nmain\turi-bob\n"
    );
}

fn uri(name: &str) -> String {
    format!("otpauth://totp/{name}?secret={}", BASE32_NOPAD.encode(&secret(name, 20)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_users_of_keycloak_move_in() {
    let installation = Installation::new().await;
    let users: Vec<_> = (0..10_000)
        .map(|number| {
            let name = format!("user-{number}");
            let value = BASE32_NOPAD.encode(&secret(&name, 20));
            json!({
                "id": format!("id-{number}"), "username": name, "email": format!("{name}@example.com"),
                "emailVerified": true, "createdTimestamp": 1_700_000_000_000_u64, "credentials": [{
                    "type": "otp", "userLabel": "phone", "createdDate": 1_700_000_000_000_u64,
                    "secretData": json!({ "value": value }).to_string(),
                    "credentialData": json!({ "subType": "totp", "digits": 6, "period": 30, "counter": 0,
                        "algorithm": "HmacSHA1", "secretEncoding": "BASE32" }).to_string(),
                }],
            })
        })
        .collect();
    fs::write(installation.path("realm.json"), json!({ "realm": "cars", "users": users }).to_string())
        .unwrap();
    let arguments = ["accounts", "import", "realm.json", "--format", "keycloak"];
    let rehearsal = installation.run(&[&arguments[..], &["--dry-run"]].concat());
    let run = installation.run(&arguments);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout, "10000 imported, 0 replaced, 0 skipped, 0 refused\n");
    assert_eq!(rehearsal.stdout, format!("{}dry run: nothing was written\n", run.stdout));
    let moved: Vec<_> = [0, 999, 1_000, 5_000, 9_999]
        .map(|number| (format!("id-{number}"), secret(&format!("user-{number}"), 20)))
        .into();
    let moved: Vec<Moved> =
        moved.iter().map(|(id, secret)| (id.as_str(), SHA1, secret.clone(), 6, 30)).collect();
    assert_accepted(&installation, &moved).await;
}
