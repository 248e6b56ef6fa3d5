//! The published vectors: RFC 4226 appendix D and RFC 6238 appendix B.

use einmal_core::Timestamp;
use einmal_core::otp::{Algorithm, Code, Secret, Totp, Window, hotp};

#[test]
fn hotp_gives_the_codes_of_rfc_4226_appendix_d() {
    let expected =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (counter, code) in (0..).zip(expected) {
        assert_eq!(hotp(b"12345678901234567890", Algorithm::Sha1, counter, 6).as_str(), code);
    }
}

/// The RFC prints one 20-byte seed; its reference code repeats it to the length of each hash (errata 2866).
fn rfc_6238(algorithm: Algorithm) -> Totp {
    let seed = b"1234567890".iter().copied().cycle().take(algorithm.secret_length()).collect();
    Totp::new(Secret::from_bytes(seed).unwrap(), algorithm, 8, 30).unwrap()
}

#[test]
fn totp_gives_the_codes_of_rfc_6238_appendix_b_16() {
    let table = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];
    for (seconds, codes) in table {
        for (algorithm, expected) in Algorithm::ALL.into_iter().zip(codes) {
            let totp = rfc_6238(algorithm);
            let step = totp.step_at(Timestamp::from_seconds(seconds));
            assert_eq!(totp.code_at(step).as_str(), expected, "{algorithm} at {seconds}");
            let code = Code::parse(expected).unwrap();
            assert_eq!(totp.matching_step(&code, Window::around(step, 1, 0)), Some(step));
        }
    }
}

#[test]
fn a_step_lasts_from_second_0_to_second_29() {
    let totp = rfc_6238(Algorithm::Sha1);
    assert_eq!(totp.step_at(Timestamp::from_seconds(29)), 0);
    assert_eq!(totp.step_at(Timestamp::from_seconds(30)), 1);
}
