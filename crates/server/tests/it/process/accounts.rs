//! `einmal accounts show|list|unlock|delete|export`, as an operator and a support agent type them.

use crate::harness::installation::{
    Installation, SECRET, code_at, device, early_in_a_step, step, wrong_code,
};
use serde_json::{Value, json};

/// 20 bytes, and not the other ones.
const OTHER_SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

fn full_account() -> String {
    let record = json!({
        "id": "alice", "email": "a@example.com", "registeredAt": "2026-11-01T10:00:00Z", "pin": "8299",
        "password": "a password of hers",
        "deviceTotps": [{ "id": "738e379f-fe30-45ab-819c-ba88804b6368", "secret": SECRET, "label": "phone" }],
        "authenticators": [{ "secret": OTHER_SECRET, "digits": 8, "period": 60, "algorithm": "SHA256" }],
    });
    format!("{record}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn show_tells_what_is_enrolled_and_used_and_no_secret() {
    let installation = Installation::new().await;
    installation.import(full_account());
    let serving = installation.serve().await;
    assert_eq!(serving.verify(&installation.token("alice"), &code_at(step())).await, 204);

    let shown = installation.run(&["accounts", "show", "alice"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    for part in [
        "account \"alice\" of issuer main\n",
        "  email: a@example.com\n  registered: 2026-11-01T10:00:00Z\n  PIN: set\n  password: set\n",
        "  device-totp 738e379f-fe30-45ab-819c-ba88804b6368 \"phone\": SHA1, 6 digits, 30 s, enrolled 20",
        ", last used 20",
        "  totp ",
        "SHA256, 8 digits, 60 s",
        ", last used never, 0 wrong codes since\n",
        "  wrong codes in a row: 0\n",
    ] {
        assert!(shown.stdout.contains(part), "{part:?} is not in\n{}", shown.stdout);
    }
    for secret in [SECRET, OTHER_SECRET, "8299", "a password of hers", "$argon2id$"] {
        assert!(!shown.stdout.contains(secret), "{}", shown.stdout);
    }
}

#[tokio::test]
async fn show_tells_programs_the_same_as_one_line_of_json() {
    let installation = Installation::new().await;
    installation.import(full_account());
    let shown = installation.run(&["accounts", "show", "alice", "--json"]);
    assert_eq!((shown.code, shown.stderr.as_str(), shown.stdout.lines().count()), (Some(0), "", 1));
    let account: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(
        (&account["id"], &account["issuer"], &account["pin"]),
        (&"alice".into(), &"main".into(), &"set".into())
    );
    assert_eq!(account["deviceTotps"][0]["label"], "phone");
    assert_eq!(account["authenticators"][0]["algorithm"], "SHA256");
    assert_eq!(account["failures"]["otp"], json!({ "count": 0 }));
    for secret in [SECRET, OTHER_SECRET, "8299", "a password of hers", "$argon2id$"] {
        assert!(!shown.stdout.contains(secret), "{}", shown.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlock_lets_the_owner_try_again_at_once_beside_the_service() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    let serving = installation.serve().await;
    let token = installation.token("alice");
    early_in_a_step(10).await;
    let used = code_at(step());
    assert_eq!(serving.verify(&token, &used).await, 204);
    for _ in 0..5 {
        assert_eq!(serving.verify(&token, &wrong_code()).await, 404);
    }
    let next = code_at(step() + 1);
    assert_eq!(serving.verify(&token, &next).await, 404, "it waits");
    assert!(installation.run(&["accounts", "show", "alice"]).stdout.contains("5, WAITING for "));

    let unlocked = installation.run(&["accounts", "unlock", "alice"]);
    assert_eq!((unlocked.code, unlocked.stdout.as_str()), (Some(0), "unlocked \"alice\"\n"));
    assert_eq!(serving.verify(&token, &used).await, 404, "what is spent stays spent");
    assert_eq!(serving.verify(&token, &next).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_account_is_gone_and_its_codes_with_it() {
    let installation = Installation::new().await;
    installation.import(device("alice") + &device("bob"));
    let serving = installation.serve().await;
    let deleted = installation.run(&["accounts", "delete", "alice"]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), "erased \"alice\"\n"));
    assert_eq!(serving.verify(&installation.token("alice"), &code_at(step())).await, 404);
    assert_eq!(serving.verify(&installation.token("bob"), &code_at(step())).await, 204);
    assert_eq!(installation.run(&["accounts", "list"]).stdout, "main\tbob\n");
}

#[tokio::test]
async fn where_there_is_no_account_each_command_says_so_and_exits_with_1() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    for command in ["show", "unlock", "delete"] {
        let run = installation.run(&["accounts", command, "Alice"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{command}");
        assert_eq!(run.stderr, "error: there is no account \"Alice\"\n", "{command}");
        let run = installation.run(&["accounts", command, "alice", "--issuer", "other"]);
        assert_eq!(run.code, Some(2), "{command}");
        assert_eq!(run.stderr, "error: --issuer \"other\" is not configured, expected one of main\n");
    }
}

#[tokio::test]
async fn a_list_is_in_order_and_its_pages_are_complete() {
    let installation = Installation::new().await;
    installation.accounts("user", 25);
    let whole = installation.run(&["accounts", "list"]);
    assert_eq!((whole.code, whole.stderr.as_str()), (Some(0), ""));
    let whole: Vec<_> = whole.stdout.lines().map(str::to_owned).collect();
    assert_eq!(whole.len(), 25);
    assert!(whole.is_sorted());

    let (mut pages, mut after) = (Vec::new(), Vec::<String>::new());
    loop {
        let more: Vec<&str> = after.iter().map(String::as_str).collect();
        let page = installation.run(&[&["accounts", "list", "--limit", "10"], more.as_slice()].concat());
        pages.extend(page.stdout.lines().map(str::to_owned));
        // What it says about going on can be typed as it is.
        let Some(hint) = page.stderr.strip_prefix("there are more: ") else { break };
        after = hint.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
    }
    assert_eq!(pages, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_with_secrets_moves_accounts_and_what_was_spent_stays_spent() {
    let installation = Installation::new().await;
    installation.import(full_account());
    let serving = installation.serve().await;
    early_in_a_step(10).await;
    let used = code_at(step());
    assert_eq!(serving.verify(&installation.token("alice"), &used).await, 204);
    let export = installation.run(&["accounts", "export", "--with-secrets"]);
    assert_eq!((export.code, export.stderr.as_str()), (Some(0), ""));

    let other = Installation::new().await;
    other.import(&export.stdout);
    let serving = other.serve().await;
    let token = other.token("alice");
    assert_eq!(serving.verify(&token, &used).await, 404);
    assert_eq!(serving.verify(&token, &code_at(step() + 1)).await, 204);
    let lines =
        |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let again = other.run(&["accounts", "export", "--with-secrets"]).stdout;
    let (mut first, mut second) = (lines(&export.stdout), lines(&again));
    for record in [&mut first[0], &mut second[0]] {
        assert!(record["deviceTotps"][0]["lastStep"].take().is_u64());
        assert!(record["pinHash"].as_str().unwrap().starts_with("$argon2id$"));
    }
    assert_eq!(first, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_brings_no_pin_back_that_died_of_guesses() {
    let installation = Installation::new().await;
    installation.import(full_account());
    let serving = installation.serve().await;
    let token = installation.token("alice");
    for pin in ["1029", "1038", "1047", "1056", "1074"] {
        let request = serving.client.post(format!("http://{}/user/2025-1/user/otp", serving.address));
        let request = request.bearer_auth(&token).header("content-type", "application/json");
        let answer = request.body(json!({ "pin": pin }).to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 404);
    }
    let export = installation.run(&["accounts", "export", "--with-secrets"]).stdout;
    let record: Value = serde_json::from_str(&export).unwrap();
    assert_eq!(record.get("pinHash"), None, "{export}");
    assert!(record["passwordHash"].is_string(), "{export}");
}

#[tokio::test]
async fn an_export_without_secrets_has_none() {
    let installation = Installation::new().await;
    installation.import(full_account());
    let export = installation.run(&["accounts", "export"]);
    assert_eq!(export.code, Some(0));
    for secret in ["secret", SECRET, OTHER_SECRET, "Hash", "$argon2id$"] {
        assert!(!export.stdout.contains(secret), "{}", export.stdout);
    }
    assert!(export.stdout.contains("\"label\":\"phone\""));
}

#[tokio::test]
async fn an_export_of_one_account_has_that_one_alone() {
    let installation = Installation::new().await;
    installation.import(full_account() + &device("bob"));
    let export = installation.run(&["accounts", "export", "bob", "--with-secrets"]);
    assert_eq!((export.code, export.stdout.lines().count()), (Some(0), 1), "{export:?}");
    assert!(
        export.stdout.starts_with("{\"issuer\":\"main\",\"id\":\"bob\"") && export.stdout.contains(SECRET)
    );
    assert_eq!(installation.run(&["accounts", "export", "--issuer", "main", "bob"]).code, Some(0));
    let nobody = installation.run(&["accounts", "export", "nobody"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(1), ""));
    assert_eq!(nobody.stderr, "error: there is no account \"nobody\"\n");
    let without_id = installation.run(&["accounts", "export", "--issuer", "main"]);
    assert_eq!((without_id.code, without_id.stdout.as_str()), (Some(2), ""));
}
