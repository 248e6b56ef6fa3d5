//! `einmal accounts import` on lines that are not right: each is named by its number and with its reason, and
//! never with a secret; the rest goes on.

use crate::harness::installation::Installation;

/// Stands for every secret, password, PIN and hash of a line: none of it may come back.
const SECRETS: [&str; 6] = ["GEZDGNBV", "MFRGGZDF", "hunter2", "7777", "CwMoxn3DJ8", "Lz1xh1GCEA"];

/// A line after `{"id":"a",`, without the last brace, and the reason that it is refused for.
const MEMBERS: &[(&str, &str)] = &[
    (r#""nme":"GEZDGNBV""#, "unknown field `nme`, expected one of"),
    (r#""id":"b""#, "duplicate field `id`"),
    (r#""pin":7777"#, "a value of the wrong type ends at column"),
    (r#""pin":"77777""#, "pin: a PIN has exactly 4 digits"),
    (r#""pin":"7777""#, "pin: a PIN has at least 3 different digits"),
    (r#""pin":"9012""#, "pin: a PIN is no run of digits up or down"),
    (r#""pin":"8299","pinHash":"x""#, "pin: given together with pinHash, expected one of them"),
    (
        r#""password":"hunter2","passwordHash":"x""#,
        "password: given together with passwordHash, expected one of them",
    ),
    (r#""password":"""#, "password: expected 1 to 1024 bytes"),
    (
        r#""passwordHash":"hunter2""#,
        "passwordHash: not a password hash that is known, expected argon2, bcrypt, scrypt, pbkdf2-sha256 or pbkdf2-sha512",
    ),
    (r#""passwordHash":"$1$5f4dcc3b$CwMoxn3DJ8""#, "passwordHash: not a password hash that is known"),
    (
        r#""passwordHash":"$2b$15$CwMoxn3DJ8CwMoxn3DJ8CuLz1xh1GCEALz1xh1GCEALz1xh1GCEA.""#,
        "passwordHash: bcrypt cost is 15, expected 4 to 14",
    ),
    (
        r#""pinHash":"$argon2id$v=19$m=65537,t=2,p=1$CwMoxn3DJ8CwMoxn3DJ8$Lz1xh1GCEALz1xh1GCEALz1xh1GCEALz1xh1GCEA""#,
        "pinHash: argon2 memory in KiB is 65537, expected 8 to 65536",
    ),
    (
        r#""pinHash":"$argon2id$v=19$m=1024,t=11,p=1$CwMoxn3DJ8CwMoxn3DJ8$Lz1xh1GCEALz1xh1GCEALz1xh1GCEALz1xh1GCEA""#,
        "pinHash: argon2 number of passes is 11, expected 1 to 10",
    ),
    (
        r#""pinHash":"$pbkdf2-sha256$i=2000001$CwMoxn3DJ8CwMoxn3DJ8$Lz1xh1GCEALz1xh1GCEALz1xh1GCEALz1xh1GCEA""#,
        "pinHash: pbkdf2 number of rounds is 2000001, expected 1 to 2000000",
    ),
    (r#""email":"a@b@c""#, "email: expected one address, such as a@example.com"),
    (
        r#""email":"a@example.com\r\nBcc: b@example.com""#,
        "email: expected one address, such as a@example.com",
    ),
    (r#""registeredAt":"yesterday""#, "registeredAt: expected a time as in 2026-11-01T10:00:00Z"),
    (r#""issuer":"other""#, "issuer: \"other\" is not configured, expected one of main"),
    (r#""deviceTotps":[{}]"#, "deviceTotps[0]: expected secret or uri"),
    (
        r#""deviceTotps":[{"secret":"GEZDGNBVGY3TQOJQGE","lastStep":1795408425}]"#,
        "deviceTotps[0].lastStep: expected the number of a period since 1970, now at most ",
    ),
    (
        r#""deviceTotps":[{"secret":"GEZDGNBVGY3TQOJQGE"},{"secret":"MFRGGZDF"}]"#,
        "deviceTotps[1].secret: the secret has 5 bytes, expected 10 to 128",
    ),
    (
        r#""deviceTotps":[{"secret":"GEZDGNBV0189"}]"#,
        "deviceTotps[0].secret: the secret is not base32 (letters A to Z and digits 2 to 7)",
    ),
    (
        r#""deviceTotps":[{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","algorithm":"MD5"}]"#,
        "deviceTotps[0].algorithm: unknown algorithm, expected SHA1, SHA256 or SHA512",
    ),
    (
        r#""authenticators":[{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","digits":5}]"#,
        "authenticators[0].digits: digits is 5, expected 6 to 8",
    ),
    (
        r#""authenticators":[{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","period":121}]"#,
        "authenticators[0].period: period is 121, expected 15 to 120 seconds",
    ),
    (
        r#""pin":"9012","email":"hunter2","deviceTotps":[{"id":"1","secret":"GEZDGNBV","digits":5,"period":1}]"#,
        "email: expected one address, such as a@example.com; pin: a PIN is no run of digits up or down; \
         deviceTotps[0].id: expected a UUID; deviceTotps[0].secret: the secret has 5 bytes, expected 10 to 128; \
         deviceTotps[0].digits: digits is 5, expected 6 to 8; deviceTotps[0].period: period is 1, expected 15 to 120 seconds",
    ),
    (
        r#""deviceTotps":[{"id":"1","secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}]"#,
        "deviceTotps[0].id: expected a UUID",
    ),
    (
        r#""deviceTotps":[{"uri":"otpauth://hotp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}]"#,
        "deviceTotps[0].uri: not an otpauth://totp/ URI",
    ),
    (
        r#""deviceTotps":[{"uri":"otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&secret=MFRGGZDF"}]"#,
        "deviceTotps[0].uri: the parameter \"secret\" is given twice",
    ),
    (
        r#""deviceTotps":[{"uri":"otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","digits":6}]"#,
        "deviceTotps[0].uri: given together with fields it stands for",
    ),
    (
        r#""deviceTotps":[{"secret":"GEZDGNBVGY3TQOJQGE"},{"secret":"GEZDGNBVGY3TQOJQGE"},{"secret":"GEZDGNBVGY3TQOJQGE"},
        {"secret":"GEZDGNBVGY3TQOJQGE"},{"secret":"GEZDGNBVGY3TQOJQGE"},{"secret":"GEZDGNBVGY3TQOJQGE"}]"#,
        "deviceTotps: 6 given, expected at most 5",
    ),
    (
        r#""deviceTotps":[{"id":"738e379f-fe30-45ab-819c-ba88804b6368","secret":"GEZDGNBVGY3TQOJQGE"},
        {"id":"738E379F-FE30-45AB-819C-BA88804B6368","secret":"GEZDGNBVGY3TQOJQGE"}]"#,
        "deviceTotps[1].id: given twice",
    ),
];

/// Whole lines, and the reasons that they are refused for.
fn lines() -> Vec<(Vec<u8>, &'static str)> {
    let members = MEMBERS.iter().map(|(members, reason)| {
        (format!("{{\"id\":\"a\",{members}}}").replace('\n', " ").into_bytes(), *reason)
    });
    let whole: [(Vec<u8>, &str); 13] = [
        (b"hunter2".to_vec(), "not a JSON object (column 1)"),
        (br#"{"id":"a","pin":"7777""#.to_vec(), "not a JSON object (column 22)"),
        (br#"{"id":"a"} {"id":"b"}"#.to_vec(), "not a JSON object (column 12)"),
        (br#"["hunter2"]"#.to_vec(), "not a JSON object (column 1)"),
        (br#""hunter2""#.to_vec(), "not a JSON object (column 1)"),
        (
            br#"["main","hunter2",null,null,null,null,null,null,[],[]]"#.to_vec(),
            "not a JSON object (column 1)",
        ),
        (b"null".to_vec(), "not a JSON object (column 1)"),
        (br#"{"pin":"8299"}"#.to_vec(), "missing field `id`"),
        (br#"{"id":null}"#.to_vec(), "missing field `id`"),
        (br#"{"id":""}"#.to_vec(), "id: expected 1 to 255 bytes without control characters"),
        (br#"{"id":"a\u0000"}"#.to_vec(), "id: expected 1 to 255 bytes without control characters"),
        (b"{\"id\":\"hunter2\xff\"}".to_vec(), "not UTF-8"),
        (
            format!("{{\"id\":\"a\",\"pin\":\"{}\"}}", "7".repeat(1 << 20)).into_bytes(),
            "longer than 1048576 bytes",
        ),
    ];
    members.chain(whole).collect()
}

#[tokio::test]
async fn each_is_named_with_its_number_and_reason_and_without_secrets_and_the_rest_goes_on() {
    let installation = Installation::new().await;
    let lines = lines();
    // A good line after each bad one, and blank lines that count as lines.
    let mut input = b"\n  \n".to_vec();
    for (number, (line, _)) in lines.iter().enumerate() {
        input.extend_from_slice(line);
        input.extend_from_slice(format!("\n{{\"id\":\"good-{number}\"}}\r\n").as_bytes());
    }
    let run = installation.import_with(&[], input);
    assert_eq!(run.code, Some(1));
    let count = lines.len();
    assert_eq!(run.stdout, format!("{count} imported, 0 replaced, 0 skipped, {count} refused\n"));
    let mut said: Vec<_> = run.stderr.lines().collect();
    assert_eq!(said.pop(), Some(format!("error: {count} lines were refused").as_str()));
    said.retain(|line| !line.contains(": warning: "));
    assert_eq!(said.len(), count, "{}", run.stderr);
    let mut faults = Vec::new();
    for ((number, (line, reason)), said) in (3..).step_by(2).zip(&lines).zip(said) {
        let expected = format!("line {number}: {reason}");
        let line = String::from_utf8_lossy(line.get(..300).unwrap_or(line));
        if !said.starts_with(&expected) {
            faults.push(format!(
                "{line}
 expected {expected}
 found    {said}"
            ));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for secret in SECRETS {
        assert!(!run.stderr.contains(secret) && !run.stdout.contains(secret), "{secret}: {}", run.stderr);
    }
}

/// Names come from the line, too, and go to the operator's terminal.
#[tokio::test]
async fn a_member_cannot_write_to_the_terminal_what_it_likes() {
    let installation = Installation::new().await;
    for line in [
        r#"{"id":"a","\u001b[2J\nline 7: fine":1}"#,
        r#"{"id":"a","issuer":"\u001b[2J\nline 7: fine"}"#,
        r#"{"id":"a","deviceTotps":[{"\u009b2J":1}]}"#,
    ] {
        let run = installation.import_with(&[], line);
        assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 2), "{}", run.stderr);
        assert!(!run.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", run.stderr);
    }
}
