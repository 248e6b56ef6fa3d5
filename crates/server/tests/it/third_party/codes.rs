//! Codes that other people's libraries compute.

use super::peer;
use crate::harness::is_long;
use crate::timing::Draws;
use data_encoding::HEXLOWER;
use einmal_core::Timestamp;
use einmal_core::otp::{Algorithm, Code, Secret, Totp, Window};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party");

#[test]
fn codes_are_those_of_pyotp_35() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test against pyotp") else { return };
    compare(Command::new(python).arg(format!("{SCRIPTS}/pyotp_codes.py")));
}

#[test]
fn codes_are_those_of_otpauth_35() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the test against otpauth") else { return };
    // The script's copy: modules are looked for beside it.
    compare(Command::new("node").arg(Path::new(&folder).join("otpauth_codes.mjs")));
}

/// Ten codes in a row for each secret.
#[test]
fn codes_are_those_of_oathtool_35() {
    let Some(oathtool) = peer("EINMAL_TEST_OATHTOOL", "the test against oathtool") else { return };
    let mut draws = Draws(1);
    for _ in 0..if is_long() { 1_000 } else { 100 } {
        let algorithm = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512][draws.below(3)];
        let length = Secret::MIN_BYTES + draws.below(Secret::MAX_BYTES - Secret::MIN_BYTES + 1);
        let secret: Vec<u8> = (0..length).map(|_| draws.next().to_be_bytes()[0]).collect();
        let (digits, period) = (6 + draws.below(3) as u64, 15 + draws.below(106) as u64);
        let time = draws.next() % (1 << 40);
        let settings = format!("--totp={} -d {digits} -s {period}s -w 9", algorithm.name());
        let output = Command::new(&oathtool)
            .args(settings.split(' '))
            .args(["-N", &format!("@{time}"), &HEXLOWER.encode(&secret)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{settings}: {}", String::from_utf8_lossy(&output.stderr));
        let totp = Totp::new(Secret::from_bytes(secret).unwrap(), algorithm, digits, period).unwrap();
        let first = totp.step_at(Timestamp::from_seconds(time));
        let ours: Vec<_> = (first..first + 10).map(|step| totp.code_at(step).as_str().to_owned()).collect();
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert_eq!(theirs.lines().collect::<Vec<_>>(), ours, "{settings} at {time}");
    }
}

fn compare(peer: &mut Command) {
    let count = if is_long() { 10_000 } else { 1_000 };
    // Another set each time the suite is changed says nothing more; one that fails must fail again.
    let output = peer.args([&count.to_string(), "1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), count);
    for line in lines.lines() {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let (text, number) =
            (|name: &str| theirs[name].as_str(), |name: &str| theirs[name].as_u64().unwrap());
        let secret = Secret::from_base32(text("secret").unwrap()).unwrap();
        let algorithm = text("algorithm").unwrap().parse().unwrap();
        let totp = Totp::new(secret, algorithm, number("digits"), number("period")).unwrap();
        let step = totp.step_at(Timestamp::from_seconds(number("time")));
        let code = text("code").unwrap();
        assert_eq!(totp.code_at(step).as_str(), code, "{line}");
        for offset in [-1, 0, 1] {
            // With 6 digits a code stands for another step of a window once in a few hundred thousand times.
            let window = Window::around(step.saturating_add_signed(offset), 1, 0);
            let found = totp.matching_step(&Code::parse(code).unwrap(), window);
            assert_eq!(found, Some(step), "{line}, seen {offset} steps away");
        }
    }
}
