//! `einmal accounts diagnose`: a support agent's command, with the code on its standard input and never on its command line.

use crate::harness::installation::{Installation, code_at, device, early_in_a_step, step, wrong_code};
use crate::harness::program::{Run, with_input};
use serde_json::{Value, json};

fn diagnose(installation: &Installation, arguments: &[&str], input: &str) -> Run {
    let arguments = [&["accounts", "diagnose", "alice"], arguments].concat();
    with_input(&mut installation.einmal(&arguments), input.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_why_a_code_would_be_refused_and_leaves_it_as_good_as_it_was() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    let serving = installation.serve().await;
    early_in_a_step(15).await;
    let code = code_at(step());
    let spoken = format!("{} {}\n", &code[..3], &code[3..]);
    let right = diagnose(&installation, &[], &spoken);
    assert_eq!((right.code, right.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        right.stdout,
        "would be accepted\n  right: It is a code of the device without a name, right and unused.\n"
    );
    let token = installation.token("alice");
    assert_eq!(serving.verify(&token, &code).await, 204);
    let used = diagnose(&installation, &[], &code);
    assert_eq!((used.code, used.stderr.as_str()), (Some(1), "error: the code would be refused\n"));
    assert!(
        used.stdout.starts_with("would be refused\n  used: It is a code of the device"),
        "{}",
        used.stdout
    );
    let slow = diagnose(&installation, &["--json"], &code_at(step() - 8));
    assert_eq!((slow.code, slow.stdout.lines().count()), (Some(1), 1));
    let told: Value = serde_json::from_str(&slow.stdout).unwrap();
    // It is older than one that was used: no clock shows that anew.
    assert_eq!(told["findings"][0]["reason"], "older-than-used");
    let other = diagnose(&installation, &["--types", "totp,login"], &code_at(step() + 1));
    assert!(other.stdout.contains("  type-not-asked-for: "), "{}", other.stdout);
    assert_eq!(serving.verify(&token, &code_at(step() + 1)).await, 204, "nothing was used up");
    for run in [&right, &used, &slow, &other] {
        assert!(!run.stdout.contains(&code) && !run.stderr.contains(&code));
    }
}

#[tokio::test]
async fn it_is_told_five_times_in_ten_minutes_whoever_asks() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    for _ in 0..5 {
        assert_eq!(diagnose(&installation, &[], &wrong_code()).code, Some(1));
    }
    let sixth = diagnose(&installation, &[], &code_at(step()));
    assert_eq!((sixth.code, sixth.stdout.as_str()), (Some(1), ""));
    let before = "error: this account was diagnosed as often as it may be; wait for ";
    assert!(sixth.stderr.starts_with(before), "{}", sixth.stderr);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said_and_diagnoses_nothing() {
    let installation = Installation::new().await;
    installation.import(device("alice"));
    let none = diagnose(&installation, &[], "\n");
    assert_eq!((none.code, none.stdout.as_str()), (Some(2), ""));
    assert_eq!(none.stderr, "error: there is no code on standard input, expected a line with it\n");
    let unknown = diagnose(&installation, &["--types", "sms"], "123456\n");
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("expected login, account, totp or device-totp"), "{}", unknown.stderr);
    let argument = diagnose(&installation, &["123456"], "");
    assert_eq!(argument.code, Some(2), "a code is no argument");
    let pin = diagnose(&installation, &[], "8299\n");
    assert_eq!(pin.code, Some(1));
    assert!(pin.stdout.contains("  not-a-code: "), "{}", pin.stdout);
    let nobody = with_input(&mut installation.einmal(&["accounts", "diagnose", "bob"]), b"123456");
    assert_eq!((nobody.code, nobody.stderr.as_str()), (Some(1), "error: there is no account \"bob\"\n"));
}

#[tokio::test]
async fn a_name_that_its_user_chose_cannot_forge_a_line() {
    let installation = Installation::new().await;
    let devices = json!([{ "secret": crate::harness::installation::SECRET, "label": "a\u{202e}\"b" }]);
    installation.import(format!("{}\n", json!({ "id": "alice", "deviceTotps": devices })));
    let right = diagnose(&installation, &[], &code_at(step()));
    assert!(right.stdout.contains("the device \"a\\u{202e}\\\"b\""), "{}", right.stdout);
}
