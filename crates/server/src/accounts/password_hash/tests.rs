//! Which hashes are taken, which are refused, and with which words.

use super::*;
use einmal_core::{Entropy, EntropyError};

fn scheme(text: &str) -> Scheme {
    PasswordHash::parse(text).map_or_else(|error| panic!("{text}: {error}"), |hash| hash.scheme)
}

fn refusal(text: &str) -> String {
    PasswordHash::parse(text).err().map_or_else(|| panic!("taken: {text}"), |error| error.to_string())
}

/// Made by passlib 1.7.4 from "correct horse".
const ARGON2ID: &str =
    "$argon2id$v=19$m=65536,t=3,p=4$ZoyRUso5B0CoVcqZcy7FGA$453e5DDLVZmA4WOvWI9bpAmArjRRWt7FLO6CSViCFw0";
const BCRYPT: &str = "$2y$12$3RrIoUP2MlLK/smblu/Mau6FvWn/HphMsIHfHkPRiIWRS3u479iO6";
const SCRYPT: &str =
    "$scrypt$ln=16,r=8,p=1$9T4nxPg/h9A6Z8wZg1AqhQ$nJNr84VACRqmfdq6A4VzNz6VAEAA2t/Aj69cwwNLBJs";
const PBKDF2_SHA256: &str =
    "$pbkdf2-sha256$29000$GUPoHQOA0HoPYSwFoNSacw$QjUTcjsRhriJULDuQWSnhV4vDrkdhU39YPB.s4A7Elw";
const PBKDF2_SHA512: &str = "$pbkdf2-sha512$25000$I2TMuZfyXqu19n4PgRACIA$4Za/7o7NzlpcZ86N4JpqKdzPlLev701N5j2AOJkaQTaUWaqwl9WsItGmkfaoZkZxO4sCWBrDrUBMwjvzIk4amw";

#[test]
fn hashes_as_other_systems_write_them_are_taken() {
    let argon2 =
        |variant, version| Scheme::Argon2 { variant, version, memory_kib: 65_536, passes: 3, lanes: 4 };
    assert_eq!(scheme(ARGON2ID), argon2(Argon2Variant::Id, 0x13));
    assert_eq!(scheme(&ARGON2ID.replace("argon2id", "argon2i")), argon2(Argon2Variant::I, 0x13));
    assert_eq!(scheme(&ARGON2ID.replace("argon2id", "argon2d")), argon2(Argon2Variant::D, 0x13));
    assert_eq!(scheme(&ARGON2ID.replace("$v=19", "")), argon2(Argon2Variant::Id, 0x10));
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        assert_eq!(scheme(&BCRYPT.replace("$2y$", prefix)), Scheme::Bcrypt { cost: 12 });
    }
    assert_eq!(scheme(&BCRYPT.replace("$12$", "$05$")), Scheme::Bcrypt { cost: 5 });
    assert_eq!(scheme(SCRYPT), Scheme::Scrypt { log_n: 16, block_size: 8, lanes: 1 });
    let pbkdf2 = |digest, rounds| Scheme::Pbkdf2 { digest, rounds };
    assert_eq!(scheme(PBKDF2_SHA256), pbkdf2(Pbkdf2Digest::Sha256, 29_000));
    assert_eq!(scheme(PBKDF2_SHA512), pbkdf2(Pbkdf2Digest::Sha512, 25_000));
}

#[test]
fn phc_and_passlib_spellings_of_pbkdf2_mean_the_same() {
    let passlib = PasswordHash::parse(PBKDF2_SHA256).unwrap();
    let phc = PBKDF2_SHA256.replace("$29000$", "$i=29000,l=32$").replace('.', "+");
    assert!(PasswordHash::parse(&phc).unwrap() == passlib);
    assert!(PasswordHash::parse(&phc.replace(",l=32", "")).unwrap() == passlib);
    assert_eq!(passlib.hash.len(), 32);
    assert_eq!(passlib.salt.len(), 16);
    assert!(refusal(&phc.replace("l=32", "l=33")).contains("malformed"));
}

#[test]
fn bcrypt_salt_and_hash_have_their_lengths() {
    let hash = PasswordHash::parse(BCRYPT).unwrap();
    assert_eq!((hash.salt.len(), hash.hash.len()), (16, 23));
}

#[test]
fn a_cost_beyond_its_bound_is_refused_by_name() {
    for (text, message) in [
        (BCRYPT.replace("$12$", "$15$"), "bcrypt cost is 15, expected 4 to 14"),
        (BCRYPT.replace("$12$", "$03$"), "bcrypt cost is 3, expected 4 to 14"),
        (ARGON2ID.replace("65536", "65537"), "argon2 memory in KiB is 65537, expected 32 to 65536"),
        (ARGON2ID.replace("65536", "31"), "argon2 memory in KiB is 31, expected 32 to 65536"),
        (ARGON2ID.replace("t=3", "t=11"), "argon2 number of passes is 11, expected 1 to 10"),
        (ARGON2ID.replace("t=3", "t=0"), "argon2 number of passes is 0, expected 1 to 10"),
        (ARGON2ID.replace("p=4", "p=17"), "argon2 parallelism is 17, expected 1 to 16"),
        (SCRYPT.replace("ln=16", "ln=17"), "scrypt memory in KiB is 131072, expected 0 to 65536"),
        (SCRYPT.replace("ln=16", "ln=63"), "scrypt ln is 63, expected 1 to 24"),
        (SCRYPT.replace("r=8", "r=65"), "scrypt r is 65, expected 1 to 64"),
        (SCRYPT.replace("p=1", "p=17"), "scrypt p is 17, expected 1 to 16"),
        (
            PBKDF2_SHA256.replace("29000", "2000001"),
            "pbkdf2 number of rounds is 2000001, expected 1 to 2000000",
        ),
        (PBKDF2_SHA256.replace("29000", "0"), "pbkdf2 number of rounds is 0, expected 1 to 2000000"),
        (
            SCRYPT.replace("9T4nxPg/h9A6Z8wZg1AqhQ", "9T4nxPg/hw"),
            "length of the salt in bytes is 7, expected 8 to 64",
        ),
        (
            SCRYPT.replace("nJNr84VACRqmfdq6A4VzNz6VAEAA2t/Aj69cwwNLBJs", "nJNr84VACRo"),
            "length of the hash in bytes is 8, expected 16 to 64",
        ),
    ] {
        assert_eq!(refusal(&text), message);
    }
}

#[test]
fn the_bounds_themselves_are_taken() {
    for text in [
        BCRYPT.replace("$12$", "$14$"),
        ARGON2ID.replace("t=3", "t=10"),
        ARGON2ID.replace("m=65536", "m=32"),
        PBKDF2_SHA256.replace("29000", "2000000"),
        SCRYPT.replace("p=1", "p=16"),
    ] {
        scheme(&text);
    }
}

#[test]
fn what_is_not_spelled_exactly_so_is_refused() {
    for text in [
        ARGON2ID.replace("m=65536,t=3", "t=3,m=65536"),
        ARGON2ID.replace("t=3", "t=03"),
        ARGON2ID.replace("t=3", "t=+3"),
        ARGON2ID.replace("p=4", "p=4,keyid=AAAA"),
        ARGON2ID.replace("v=19", "v=20"),
        format!("{ARGON2ID}="),
        format!("{ARGON2ID}\n"),
        format!("{ARGON2ID}$"),
        BCRYPT.replace("$12$", "$1$"),
        BCRYPT.replace("$12$", "$+5$"),
        BCRYPT.replace("$12$", "$012$"),
        format!("{BCRYPT}a"),
        BCRYPT.replace('/', "+"),
        BCRYPT.replace("479iO6", "479iö"),
        SCRYPT.replace("ln=16", "n=16"),
        PBKDF2_SHA256.replace("$29000", "$ 29000"),
        PBKDF2_SHA256.replace("$29000", "$99999999999999999999"),
    ] {
        let message = refusal(&text);
        assert!(message.contains("malformed: expected $"), "{text}: {message}");
    }
}

#[test]
fn an_unknown_scheme_is_refused_and_nothing_of_it_is_repeated() {
    for text in
        ["", "hunter2", "$", "$6$salt$hash", "$2x$12$abc", "$argon2$v=19$", "{SSHA}abc", "$pbkdf2$1$a$b"]
    {
        assert_eq!(refusal(text), HashError::UnknownScheme.to_string());
    }
    assert_eq!(refusal(&format!("$argon2id${}", "a".repeat(512))), HashError::UnknownScheme.to_string());
}

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill(7);
        Ok(())
    }
}

#[test]
fn our_hash_has_the_cost_that_owasp_asks_for() {
    let text = hash_argon2id(b"correct horse", &Sevens).unwrap();
    // The same from the reference implementation (argon2-cffi 25.1) with this salt.
    assert_eq!(
        text,
        "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$cTLmpgKLeruU6za+t2cUZ3fNfHVCYhGoJ8inpcUNcwc"
    );
    let expected =
        Scheme::Argon2 { variant: Argon2Variant::Id, version: 0x13, memory_kib: 19_456, passes: 2, lanes: 1 };
    assert_eq!(scheme(&text), expected);
}

fn is_of(text: &str, secret: &str) -> bool {
    PasswordHash::parse(text).unwrap().is_of(secret.as_bytes()).unwrap()
}

/// What bcrypt 5.0 makes of 72 times "x".
const BCRYPT_OF_72: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

#[test]
fn every_scheme_meets_its_password_alone() {
    for text in [ARGON2ID, BCRYPT, SCRYPT, PBKDF2_SHA256, PBKDF2_SHA512] {
        assert!(is_of(text, "correct horse"), "{text}");
        assert!(!is_of(text, "correct horsf"), "{text}");
    }
}

#[test]
fn bcrypt_looks_at_72_bytes_and_at_no_nul() {
    assert!(is_of(BCRYPT_OF_72, &"x".repeat(72)));
    assert!(is_of(BCRYPT_OF_72, &"x".repeat(100)), "as whoever made the hash would have it");
    assert!(!is_of(BCRYPT_OF_72, &"x".repeat(71)));
    assert!(!is_of(BCRYPT, "correct horse\0"));
    assert!(!is_of(BCRYPT, "correct horse\0and more"));
}

#[test]
fn hashes_of_others_are_to_be_replaced_and_ours_are_not() {
    let to_be_replaced =
        |text: &str, secret: &str| PasswordHash::parse(text).unwrap().is_to_be_replaced(secret.as_bytes());
    for text in [ARGON2ID, BCRYPT, SCRYPT, PBKDF2_SHA256, PBKDF2_SHA512] {
        assert!(to_be_replaced(text, "correct horse"), "{text}");
    }
    assert!(!to_be_replaced(&hash_argon2id(b"correct horse", &Sevens).unwrap(), "correct horse"));
    assert!(to_be_replaced(BCRYPT, &"x".repeat(71)));
    assert!(!to_be_replaced(BCRYPT_OF_72, &"x".repeat(72)), "the rest is not known to be its owner's");
}

#[test]
fn where_there_is_no_hash_nothing_is_right() {
    for secret in ["", "8299", "correct horse"] {
        assert!(!PasswordHash::compare_with_none(secret.as_bytes()).unwrap());
    }
}
