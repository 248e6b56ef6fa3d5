//! Files of other systems that are not right: each fault is named by where it stands in that file and with what was
//! expected, nothing of the account is written, no secret is repeated, and the rest goes on.

use super::moving_in::fixture;
use crate::harness::installation::{Installation, early_in_a_step, step};
use serde_json::{Value, json};

/// Stands for every secret; none of it may come back.
const CANARIES: [&str; 5] = ["MFRGGZDF", "6d6672676764", "hunter2", "GEZDGNBV", "7777"];
const GOOD: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Imports `input` with these options, of which `good` accounts must come in, and compares what is said.
async fn assert_faults(options: &[&str], input: &str, good: usize, expected: &[&str]) {
    let installation = Installation::new().await;
    for more in [&["--dry-run"][..], &[]] {
        let run = installation.import_with(&[options, more].concat(), input);
        let mut said: Vec<_> = run.stderr.lines().filter(|line| !line.contains(": left out: ")).collect();
        let count = expected.len();
        assert_eq!(said.pop(), Some(format!("error: {count} accounts were refused").as_str()), "{run:?}");
        assert_eq!(said, expected, "{run:?}");
        assert_eq!(run.code, Some(1));
        let summary = format!("{good} imported, 0 replaced, 0 skipped, {count} refused\n");
        assert!(run.stdout.starts_with(&summary), "{run:?}");
        for canary in CANARIES {
            assert!(!run.stderr.contains(canary) && !run.stdout.contains(canary), "{canary}: {run:?}");
        }
    }
    let there = installation.run(&["accounts", "list"]).stdout;
    assert_eq!(there.lines().count(), good, "{there}");
    assert!(there.lines().all(|line| line.starts_with("main\tgood")), "{there}");
}

#[tokio::test]
async fn lines_of_uris_that_are_wrong_are_named_and_their_accounts_left_alone() {
    let input = format!(
        "otpauth://totp/Cars:good-1?secret={GOOD}\n\
         otpauth://hotp/a?secret={GOOD}&counter=1\n\
         otpauth://totp/b?secret=MFRGGZDF\n\
         otpauth://totp/?secret={GOOD}\n\
         c\totpauth://totp/x?secret={GOOD}\n\
         c\totpauth://totp/y?secret={GOOD}&digits=5\n\
         hunter2\n\
         otpauth-migration://offline?data=hunter2\n\
         d\totpauth://totp/x?secret={GOOD}&algorithm=MD5\n\
         good-2\totpauth://totp/x?secret={GOOD}\n"
    );
    assert_faults(
        &["--format", "otpauth"],
        &input,
        2,
        &[
            "line 2: uri: is of type hotp, whose counter cannot be moved safely; expected otpauth://totp/…",
            "line 3: uri: the secret has 5 bytes, expected 10 to 128",
            "line 4: uri: has no label, expected one, or a subject and a tab in front",
            "line 7: uri: expected otpauth://totp/…, or a subject, a tab and that",
            "line 8: uri: is an app's bundle of several, expected an otpauth://totp/… of each",
            "lines 5, 6: line 6: uri: digits is 5, expected 6 to 8",
            "line 9: uri: unknown algorithm, expected SHA1, SHA256 or SHA512",
        ],
    )
    .await;
}

fn user(id: &str, credentials: &Value) -> Value {
    json!({ "id": id, "username": format!("{id}-name"), "credentials": credentials })
}

fn otp(secret: &Value, data: &Value) -> Value {
    json!({ "type": "otp", "secretData": secret.to_string(), "credentialData": data.to_string() })
}

#[tokio::test]
async fn users_of_keycloak_that_are_wrong_are_named_and_left_alone() {
    let (secret, data) = (json!({ "value": "hunter2-hunter2-hunter2" }), json!({ "subType": "totp" }));
    let good = || otp(&secret, &data);
    let with = |name: &str, value: &str| {
        let mut data = data.clone();
        data[name] = value.into();
        otp(&secret, &data)
    };
    let mut nameless = user("x", &json!([good()]));
    nameless["id"] = Value::Null;
    let input = json!({ "realm": "cars", "users": [
        user("good-1", &json!([good()])),
        user("a", &json!([good(), otp(&json!({ "value": "hunter2" }), &data)])),
        user("b", &json!([with("secretEncoding", "ROT13")])),
        user("c", &json!([with("algorithm", "HmacMD5")])),
        user("d", &json!([with("subType", "ocra")])),
        user("e", &json!([{ "type": "otp", "credentialData": data.to_string() }])),
        user("f", &json!([{ "type": "otp", "value": "hunter2", "secretData": secret.to_string() }])),
        nameless,
        "hunter2",
        user("good-2", &json!([good()])),
    ]});
    assert_faults(
        &["--format", "keycloak"],
        &input.to_string(),
        2,
        &[
            "users[1] \"a-name\": credentials[1].secret: the secret has 7 bytes, expected 10 to 128",
            "users[2] \"b-name\": credentials[0].credentialData.secretEncoding: expected BASE32, or none for the bytes of the text",
            "users[3] \"c-name\": credentials[0].algorithm: unknown algorithm, expected SHA1, SHA256 or SHA512",
            "users[4] \"d-name\": credentials[0].credentialData.subType: expected totp or hotp",
            "users[5] \"e-name\": credentials[0].secretData: expected JSON with a value, which `kc.sh export` writes and the Admin API does not",
            "users[6] \"f-name\": credentials[0].credentialData: expected JSON with a subType",
            "users[7] \"x-name\": id: missing, expected what becomes the subject; `--subject username` takes the name",
            "users[8]: user: expected an object as Keycloak writes it",
        ],
    )
    .await;
}

#[tokio::test]
async fn tokens_of_privacyidea_that_are_wrong_are_named_and_left_alone() {
    let token = |login: &str, key: &str, changes: Value| {
        let mut token = json!({ "serial": "T1", "type": "totp", "otpkey": key, "otplen": 6, "info_list": {},
            "user": { "login": login, "realm": "cars" } });
        token.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        token
    };
    let good = "3132333435363738393031323334353637383930";
    let input = json!([
        token("good-1", good, json!({})),
        token("a", "6d6672676764", json!({})),
        token("b", "hunter2", json!({})),
        token("c", good, json!({ "otplen": "six" })),
        token("d", good, json!({ "info_list": { "hashlib": "md5" } })),
        token("e", good, json!({ "count": 99_999_999_999_u64 })),
        token("", good, json!({})),
        token("f", good, json!({})),
        token("f", good, json!({ "info_list": { "timeStep": "7" } })),
        { "serial": 7 },
    ]);
    // The step must not change between the runs.
    early_in_a_step(10).await;
    let latest = step() + 20;
    let expected = [
        "token 7: user: has no such name, expected what becomes the subject".to_owned(),
        "token 10: token: expected an object as privacyIDEA writes it".to_owned(),
        "token 2: secret: the secret has 6 bytes, expected 10 to 128".to_owned(),
        "token 3: otpkey: expected hex digits".to_owned(),
        "token 4: otplen: expected a number".to_owned(),
        "token 5: algorithm: unknown algorithm, expected SHA1, SHA256 or SHA512".to_owned(),
        format!("token 6: lastStep: expected the number of a period since 1970, now at most {latest}"),
        "tokens 8, 9: token 9: period: period is 7, expected 15 to 120 seconds".to_owned(),
    ];
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    let text = input.to_string();
    assert_faults(&["--format", "privacyidea"], &text, 1, &expected).await;
}

#[tokio::test]
async fn lines_of_a_csv_of_privacyidea_that_are_wrong_are_named() {
    let good = "3132333435363738393031323334353637383930";
    let input = format!(
        "good, with, commas@cars, T1, {good}, totp, 6, 30\n\
         a@cars, T2, {GOOD}, totp, 6, 30\n\
         b@cars, T3, {good}, totp, 6, None\n\
         hunter2\n"
    );
    assert_faults(
        &["--format", "privacyidea", "--algorithm", "SHA1"],
        &input,
        1,
        &[
            "line 4: token: expected OWNER, SERIAL, SECRET, totp, DIGITS, PERIOD",
            "line 2: secret: expected hex digits: export without --b32",
            "line 3: period: is not in this file, expected --period",
        ],
    )
    .await;
}

#[tokio::test]
async fn rows_of_a_table_that_are_wrong_are_named() {
    let input = format!(
        "subject,secret,encoding,uri,digits,pin,email\r\n\
         good-1,{GOOD},,,,8299,\r\n\
         a,MFRGGZDF,,,,,\r\n\
         b,hunter2,hex,,,,\r\n\
         c,{GOOD},rot13,,,,\r\n\
         d,{GOOD},,,six,,\r\n\
         e,{GOOD},,,,7777,\r\n\
         ,{GOOD},,,,,\r\n\
         f,{GOOD}\r\n\
         \"good\n-2\",{GOOD},,,,,\r\n\
         g,{GOOD},,,,,g@example.com\r\n\
         g,{GOOD},,,,,h@example.com\r\n\
         h,{GOOD},,otpauth://totp/x?secret={GOOD},,,\r\n"
    );
    assert_faults(
        &["--format", "csv"],
        &input,
        1,
        &[
            "line 8: subject: is empty, expected the account's",
            "line 9: row: has 2 fields, expected 7",
            "line 3: secret: the secret has 5 bytes, expected 10 to 128",
            "line 4: secret: expected hex digits",
            "line 5: encoding: expected base32, hex, base64 or utf8",
            "line 6: digits: expected a number",
            "line 7: pin: a PIN has at least 3 different digits",
            "line 10: id: expected 1 to 255 bytes without control characters",
            "lines 12, 13: line 13: email: is another one than in an earlier line of this subject",
            "line 14: secret: given together with uri, expected one of them",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_as_a_whole_and_nothing_is_made() {
    let installation = Installation::new().await;
    let cases: [(&[&str], &str, &str); 10] = [
        (&["--format", "keycloak"], "[{}]", "holds several realms, expected one: export it with --realm"),
        (&["--format", "keycloak"], "hunter2", "not a realm as Keycloak exports it (line 1, column 1)"),
        (&["--format", "keycloak"], "{\"realm\":\"cars\"}", "has no users: export with --users realm_file"),
        (&["--format", "privacyidea"], "<KeyContainer/>", "is PSKC or YAML, expected the formats pi or csv"),
        (&["--format", "privacyidea"], "gAAAAhunter2", "is encrypted, expected --key-file"),
        (
            &["--format", "privacyidea"],
            "a@b, T, 00, totp, 6, 30",
            "is CSV, which does not say the hash function",
        ),
        (&["--format", "privacyidea"], "[hunter2]", "not a list of tokens in JSON (line 1, column 2)"),
        (&["--format", "csv"], "", "is empty, expected a first line with subject,"),
        (&["--format", "csv"], "hunter2,MFRGGZDF\n", "line 1: column 1 has no known name"),
        (&["--format", "csv"], "secret\nMFRGGZDF\n", "line 1: the column subject is missing"),
    ];
    for (options, input, expected) in cases {
        let run = installation.import_with(options, input);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: {expected}")), "{run:?}");
        assert!(CANARIES.iter().all(|canary| !run.stderr.contains(canary)), "{run:?}");
    }
    let sealed = fixture("tokens.pi");
    std::fs::write(installation.path("other.key"), "c29tZWJvZHkgZWxzZSdzIGtleSBvZiAzMiBieXRlcy4=").unwrap();
    let arguments = ["accounts", "import", sealed.to_str().unwrap(), "--format", "privacyidea"];
    let run = installation.run(&[&arguments[..], &["--key-file", "other.key"]].concat());
    assert!(
        run.code == Some(1) && run.stderr.contains("does not open with the key in --key-file"),
        "{run:?}"
    );
    assert!(!installation.path("einmal.db").exists());
}

#[tokio::test]
async fn an_option_that_the_format_has_no_use_for_is_a_wrong_command_line() {
    let installation = Installation::new().await;
    let cases: [(&[&str], &str); 7] = [
        (
            &["--subject", "id"],
            "--subject is of no use here, expected with --format otpauth, keycloak, privacyidea",
        ),
        (&["--as", "devices"], "--as is of no use here"),
        (&["--format", "otpauth", "--with-passwords"], "--with-passwords is of no use here"),
        (&["--format", "keycloak", "--key-file", "x"], "--key-file is of no use here"),
        (&["--format", "keycloak", "--period", "30"], "--period is of no use here"),
        (
            &["--format", "keycloak", "--subject", "label"],
            "--subject label is not of --format keycloak, expected one of id, username",
        ),
        (&["--format", "privacyidea", "--key-file", "nowhere"], "--key-file nowhere: No such file"),
    ];
    for (options, expected) in cases {
        let run = installation.import_with(options, "");
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(run.stderr.starts_with(&format!("error: {expected}")), "{run:?}");
    }
}
