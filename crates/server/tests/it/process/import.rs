//! `einmal accounts import`: what comes in, what stays as it is, and what it does beside a running service.

use crate::harness::crowd::{Crowd, Target};
use crate::harness::installation::{
    Installation, SECRET, code_at, code_of, device, early_in_a_step, step, wrong_code,
};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// 20 bytes, and not the other ones.
const OTHER_SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

fn summary(imported: usize, replaced: usize, skipped: usize, refused: usize) -> String {
    format!("{imported} imported, {replaced} replaced, {skipped} skipped, {refused} refused\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_the_documentation_comes_in_and_its_secrets_verify() {
    let installation = Installation::new().await;
    let uri = format!("otpauth://totp/Cars:a%40example.com?secret={OTHER_SECRET}&issuer=Cars&digits=8");
    let record = json!({
        "issuer": "main", "id": "subject of the token", "email": "a@example.com",
        "registeredAt": "2026-11-01T10:00:00Z", "pin": "8299", "password": "einmal",
        "deviceTotps": [{
            "id": "738e379f-fe30-45ab-819c-ba88804b6368", "secret": SECRET, "algorithm": "SHA1", "digits": 6,
            "period": 30, "label": "phone",
        }],
        "authenticators": [{ "uri": uri }],
    });
    fs::write(installation.path("accounts.ndjson"), record.to_string()).unwrap();
    let run = installation.run(&["accounts", "import", "accounts.ndjson"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout, summary(1, 0, 0, 0));

    let serving = installation.serve().await;
    let token = installation.token("subject of the token");
    assert_eq!(serving.verify(&token, &code_at(step())).await, 204);
    let calculated = installation.run(&["code", "--secret", OTHER_SECRET, "--digits", "8"]).stdout;
    let body = json!({ "otp": calculated.trim(), "types": ["totp"] });
    assert_eq!(serving.try_verify_with(&serving.client, &token, &body).await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_wrong_command_line() {
    let installation = Installation::new().await;
    let run = installation.run(&["accounts", "import", "nowhere.ndjson"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.starts_with("error: nowhere.ndjson: No such file"), "{}", run.stderr);
    assert!(!installation.path("einmal.db").exists(), "nothing is made for a wrong command line");
    let directory = installation.run(&["accounts", "import", "."]);
    assert!(directory.code != Some(0), "{directory:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_exists_is_skipped_and_that_is_no_failure() {
    let installation = Installation::new().await;
    installation.import(device("a"));
    let other = json!({ "id": "a", "deviceTotps": [{ "secret": OTHER_SECRET }] });
    let run = installation.import_with(&[], format!("{other}\n{{\"id\":\"b\"}}\n{{\"id\":\"b\"}}"));
    assert_eq!((run.code, run.stdout), (Some(0), summary(1, 0, 2, 0)));
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&installation.token("a"), &code_at(step())).await, 204, "was left as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_keeps_a_spent_code_spent() {
    let installation = Installation::new().await;
    installation.import(device("a"));
    let serving = installation.serve().await;
    let token = installation.token("a");
    early_in_a_step(8).await;
    let code = code_at(step());
    assert_eq!(serving.verify(&token, &code).await, 204);

    let line = json!({ "id": "a", "deviceTotps": [{ "secret": OTHER_SECRET }, { "secret": SECRET }] });
    let run = installation.import_with(&["--replace"], line.to_string());
    assert_eq!((run.code, run.stdout), (Some(0), summary(0, 1, 0, 0)));
    assert_eq!(serving.verify(&token, &code).await, 404, "the secret is the same, and so is its last step");
    assert_eq!(serving.verify(&token, &code_of(OTHER_SECRET, step())).await, 204, "the other one is new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_lines_for_one_account_the_last_one_replaces_it() {
    let installation = Installation::new().await;
    let devices = |secret: &str| json!({ "id": "a", "deviceTotps": [{ "secret": secret }] }).to_string();
    installation.import(devices(SECRET));
    let mut lines = vec![devices(SECRET); 60];
    lines.push(devices(OTHER_SECRET));
    let run = installation.import_with(&["--replace"], lines.join("\n"));
    assert_eq!((run.code, run.stdout), (Some(0), summary(0, 61, 0, 0)));
    let serving = installation.serve().await;
    let token = installation.token("a");
    assert_eq!(serving.verify(&token, &code_of(OTHER_SECRET, step())).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_keeps_a_running_wait() {
    let installation = Installation::new().await;
    installation.import(device("a"));
    let serving = installation.serve().await;
    let token = installation.token("a");
    for _ in 0..5 {
        assert_eq!(serving.verify(&token, &wrong_code()).await, 404);
    }
    let run = installation.import_with(&["--replace"], device("a"));
    assert_eq!((run.code, run.stdout), (Some(0), summary(0, 1, 0, 0)));
    let throttled = serving.try_verify(&token, &code_at(step())).await.unwrap();
    assert_eq!(throttled.status(), 404);
    assert!(throttled.headers().contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_was_spent_elsewhere_stays_spent() {
    let installation = Installation::new().await;
    early_in_a_step(8).await;
    let now = step();
    for (subject, last_step) in [("before", now - 1), ("now", now)] {
        let line = json!({ "id": subject, "deviceTotps": [{ "secret": SECRET, "lastStep": last_step }] });
        installation.import(line.to_string());
    }
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&installation.token("now"), &code_at(now)).await, 404);
    assert_eq!(serving.verify(&installation.token("before"), &code_at(now - 1)).await, 404);
    assert_eq!(serving.verify(&installation.token("before"), &code_at(now)).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_service_under_load_neither_disturbs_the_other() {
    let installation = Installation::new().await;
    let serving = installation.serve().await;
    let crowd = Crowd::of(installation.accounts("loaded", 1_500));
    let target = Target { address: serving.address, number: 0 };
    let load = crowd.load(target, 0..1_500, 8);
    crowd.has_accepted(50).await;
    let lines: String = (0..3_000).map(|number| device(&format!("new-{number}"))).collect();
    assert_eq!(installation.import_with(&[], &lines).stdout, summary(3_000, 0, 0, 0));
    // Those under load, too: whoever is quicker, no code becomes good again.
    let again: String = (0..1_500).map(|number| device(&format!("loaded-{number}"))).collect();
    assert_eq!(installation.import_with(&["--replace"], &again).stdout, summary(0, 1_500, 0, 0));
    crowd.stop();
    load.join_all().await;
    assert!(crowd.replay(target, Duration::ZERO).await > 200);
    crowd.assert_lawful("beside an import");
    for number in [0, 999, 1_000, 2_999] {
        let token = installation.token(&format!("new-{number}"));
        assert_eq!(serving.verify(&token, &code_at(step())).await, 204, "new-{number}");
    }
}

#[tokio::test]
async fn every_account_of_a_large_import_is_there_once() {
    let installation = Installation::new().await;
    let lines: String = (0..5_500).map(|number| device(&format!("account-{}", number % 5_000))).collect();
    let run = installation.import_with(&[], lines);
    assert_eq!((run.code, run.stdout), (Some(0), summary(5_000, 0, 500, 0)));
    let database = rusqlite::Connection::open(installation.path("einmal.db")).unwrap();
    for table in ["guard", "vault"] {
        let rows: u32 = database
            .query_row(&format!("SELECT count(DISTINCT subject) FROM {table}"), (), |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 5_000, "{table}");
    }
}

/// Case 142 for this command: all that was imported is sealed.
#[tokio::test]
async fn no_secret_is_in_the_files_of_the_store() {
    let installation = Installation::new().await;
    installation.import(
        json!({ "id": "a", "email": "canary@example.com", "pin": "8299", "password": "canary-password",
                "deviceTotps": [{ "secret": SECRET, "label": "canary-label" }] })
        .to_string(),
    );
    let raw = b"12345678901234567890"; // SECRET, decoded
    for entry in fs::read_dir(installation.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for canary in [SECRET.as_bytes(), raw, b"canary"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!found, "{} in {}", String::from_utf8_lossy(canary), path.display());
        }
    }
}

#[tokio::test]
async fn with_several_issuers_a_line_must_name_its_own() {
    let installation = Installation::new().await;
    let second = "[[issuers]]\nname = \"fleet\"\nissuer = \"https://fleet\"\naudiences = [\"a\"]";
    let text = fs::read_to_string(installation.path("einmal.toml")).unwrap();
    let text = text.replacen("[[issuers]]", "[[issuers]]\nname = \"main\"", 1);
    fs::write(installation.path("einmal.toml"), format!("{text}\n{second}\n")).unwrap();
    let input = "{\"id\":\"a\"}\n{\"id\":\"a\",\"issuer\":\"main\"}\n{\"id\":\"a\",\"issuer\":\"fleet\"}";
    let run = installation.import_with(&[], input);
    assert_eq!((run.code, run.stdout), (Some(1), summary(2, 0, 0, 1)));
    assert!(
        run.stderr.starts_with("line 1: issuer: missing, expected one of main, fleet\n"),
        "{}",
        run.stderr
    );
}
