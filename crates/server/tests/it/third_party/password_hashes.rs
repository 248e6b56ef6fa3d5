//! Hashes that argon2-cffi, bcrypt and passlib make: what an account brings with it when it moves in.

use super::peer;
use einmal::accounts::password_hash::PasswordHash;
use serde_json::Value;
use std::collections::HashMap;
use std::process::Command;

#[test]
fn hashes_of_other_systems_are_met_by_their_password_and_by_no_other() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the test against argon2-cffi, bcrypt and passlib") else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party/password_hashes.py");
    let output = Command::new(python).args([script, "1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut seen: HashMap<String, usize> = HashMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let theirs: Value = serde_json::from_str(line).unwrap();
        let (password, text) = (theirs["password"].as_str().unwrap(), theirs["hash"].as_str().unwrap());
        let hash = PasswordHash::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let is_of = |password: &[u8]| hash.is_of(password).unwrap();
        let (whole, cut) = (password.as_bytes(), &password.as_bytes()[..password.len() - 1]);
        assert!(is_of(whole), "{line}");
        assert!(!is_of(format!("!{password}").as_bytes()), "{line}");
        assert!(!is_of(b""), "{line}");
        let is_bcrypt = text.starts_with("$2");
        assert_eq!(is_of(cut), is_bcrypt && cut.len() >= 72, "{line}");
        *seen.entry(text.split('$').nth(1).unwrap().to_owned()).or_default() += 1;
    }
    for scheme in
        ["argon2id", "argon2i", "argon2d", "2a", "2b", "2y", "scrypt", "pbkdf2-sha256", "pbkdf2-sha512"]
    {
        assert!(seen.get(scheme).is_some_and(|hashes| *hashes >= 8), "{scheme}: {seen:?}");
    }
}
