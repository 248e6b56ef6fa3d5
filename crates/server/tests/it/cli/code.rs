//! `einmal code`

use super::{run, run_with_input};

/// RFC 6238 appendix B: the ASCII seeds of 20, 32 and 64 bytes (erratum 2866), in base32.
const SHA1: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const SHA256: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
const SHA512: &str =
    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA";

fn code(secret: &str, algorithm: &str, at: &str) -> String {
    let run = run(&["code", "--secret", secret, "--algorithm", algorithm, "--digits", "8", "--at", at]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    run.stdout
}

#[test]
fn codes_are_those_of_rfc_6238() {
    for (seconds, time, sha1, sha256, sha512) in [
        ("59", "1970-01-01T00:00:59Z", "94287082", "46119246", "90693936"),
        ("1111111109", "2005-03-18T01:58:29Z", "07081804", "68084774", "25091201"),
        ("1111111111", "2005-03-18T01:58:31Z", "14050471", "67062674", "99943326"),
        ("1234567890", "2009-02-13T23:31:30Z", "89005924", "91819424", "93441116"),
        ("2000000000", "2033-05-18T03:33:20Z", "69279037", "90698825", "38618901"),
        ("20000000000", "2603-10-11T11:33:20Z", "65353130", "77737706", "47863826"),
    ] {
        for at in [seconds, time] {
            assert_eq!(code(SHA1, "SHA1", at), format!("{sha1}\n"));
            assert_eq!(code(SHA256, "sha256", at), format!("{sha256}\n"));
            assert_eq!(code(SHA512, "SHA-512", at), format!("{sha512}\n"));
        }
    }
}

#[test]
fn the_defaults_are_those_of_authenticator_apps() {
    let run = run(&["code", "--secret", SHA1, "--at", "59"]);
    assert_eq!(run.stdout, "287082\n");
}

#[test]
fn a_period_moves_the_steps() {
    let at = |period: &str, at: &str| {
        run(&["code", "--secret", SHA1, "--digits", "8", "--period", period, "--at", at]).stdout
    };
    // 59 s is step 1 of 30 s; so is 119 s of 60 s.
    assert_eq!(at("60", "119"), "94287082\n");
}

#[test]
fn without_a_time_it_is_now() {
    let run = run(&["code", "--secret", SHA1]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stdout.trim_end().len(), 6);
}

#[test]
fn a_secret_comes_from_standard_input_and_in_any_spelling() {
    for input in [SHA1, &format!("{SHA1}\r\n"), "gezd gnbv gy3t qojq gezd-gnbv-gy3t-qojq\n"] {
        let run = run_with_input(&["code", "--secret", "-", "--at", "59"], input);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "287082\n"), "{}", run.stderr);
    }
}

#[test]
fn what_is_wrong_is_named_and_the_secret_never_shown() {
    const SECRET: &str = "GEZDGNBVGY3TQOJ1";
    let good = ["--secret", SHA1];
    for (arguments, message) in [
        (&["--secret", SECRET][..], "--secret: the secret is not base32"),
        (&["--secret", "GEZDGNBV"], "--secret: the secret has 5 bytes, expected 10 to 128"),
        (&["--secret", ""], "--secret: the secret has 0 bytes"),
        (&["--secret", "GEZDGNBV", "GY3TQOJQ"], "a secret with spaces needs quotes"),
        (&["--secret", "GEZDGNBV", "-GY3TQOJQ"], "unexpected argument"),
        (&["--secret=GEZDGNBV", "--", "GY3TQOJQ"], "needs quotes"),
        (&["--secret", SHA1, "--secret", "GY3TQOJQ"], "--secret"),
        (&["--secert=GEZDGNBVGY3TQOJQ"], "--secret"),
        (&["--secert", "GEZDGNBVGY3TQOJQ"], "--secret"),
        (&[good[0], good[1], "--algorithm", "MD5"], "expected SHA1, SHA256 or SHA512"),
        (&[good[0], good[1], "--digits", "9"], "--digits is 9, expected 6 to 8"),
        (&[good[0], good[1], "--digits", "six"], "--digits"),
        (&[good[0], good[1], "--period", "14"], "--period is 14, expected 15 to 120 seconds"),
        (&[good[0], good[1], "--at", "yesterday"], "expected seconds since 1970 or RFC 3339"),
        (&[good[0], good[1], "--at", "-1"], "expected seconds since 1970 or RFC 3339"),
        (&[good[0], good[1], "--at", "1969-12-31T23:59:59Z"], "expected seconds since 1970 or RFC 3339"),
    ] {
        let run = run(&[&["code"], arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.stderr.contains(message), "{arguments:?}\n{}", run.stderr);
        for part in ["GEZD", "GY3T"] {
            assert!(!run.stderr.contains(part), "{arguments:?}\n{}", run.stderr);
        }
    }
    let piped = run_with_input(&["code", "--secret", "-"], SECRET);
    assert_eq!(piped.code, Some(2));
    assert!(piped.stderr.contains("not base32") && !piped.stderr.contains("GEZD"), "{}", piped.stderr);
}
