//! Which codes are good, how often, when and for whom.

use super::{OTHER_SECRET, credential, issued, with_everything};
use crate::harness::service::{SECRET, Service};
use einmal_core::account::{Account, IssuedCode};
use einmal_core::otp::Code;
use serde_json::json;

#[tokio::test]
async fn a_right_code_is_accepted_and_only_once_1_2() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let code = service.code(0);
    let accepted = service.answer("alice", &code).await;
    assert_eq!((accepted.status, accepted.body.len()), (204, 0));
    assert_eq!(accepted.header("content-type"), None);
    assert_eq!(accepted.header("cache-control"), Some("no-store"));
    assert_eq!(service.answer("alice", &code).await.status, 404);
    let spaced = format!(" {}-{} ", &code[..3], &code[3..]);
    assert_eq!(service.answer("alice", &spaced).await.status, 404, "in another spelling");
    assert_eq!(service.failures("alice").await, 0, "a replay is no guess");
}

#[tokio::test]
async fn a_spent_code_stays_spent_over_a_restart_2() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let code = service.code(0);
    assert_eq!(service.verify("alice", &code).await, 204);
    let service = service.restart().await;
    assert_eq!(service.verify("alice", &code).await, 404);
    assert_eq!(service.verify("alice", &service.code(1)).await, 204);
}

#[tokio::test]
async fn the_steps_around_now_are_good_and_those_beyond_are_not_10() {
    let service = Service::start().await;
    // At the first second of a step and at its last.
    for (moment, advance) in ["first", "last"].into_iter().zip([29, 0]) {
        for (offset, status) in [(-2, 404), (-1, 204), (0, 204), (1, 204), (2, 404)] {
            let subject = format!("{moment}{offset}");
            service.provision_device(&subject).await;
            let code = service.code(offset);
            assert_eq!(service.verify(&subject, &code).await, status, "{subject}");
        }
        service.clock.advance(advance);
    }
}

#[tokio::test]
async fn after_a_step_only_later_ones_are_good_11() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for (offset, status) in [(0, 204), (0, 404), (-1, 404), (1, 204), (1, 404), (0, 404)] {
        assert_eq!(service.verify("alice", &service.code(offset)).await, status, "{offset}");
    }
}

#[tokio::test]
async fn a_code_that_is_the_same_in_two_steps_is_good_once_13() {
    let service = Service::start().await;
    service.clock.advance(SAME_CODE_STEPS * 30);
    assert_eq!(service.code(0), service.code(1));
    service.provision_device("alice").await;
    let code = service.code(0);
    assert_eq!(service.verify("alice", &code).await, 204);
    service.clock.advance(30);
    assert_eq!(service.verify("alice", &code).await, 404);
    service.clock.advance(30);
    assert_eq!(service.verify("alice", &code).await, 404);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

/// From the clock's start to where [`SECRET`] has the same code twice in a row.
const SAME_CODE_STEPS: u64 = 54_391;

#[tokio::test]
async fn leading_zeros_count_14() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    while !service.code(0).starts_with("00") {
        service.clock.advance(30);
    }
    let code = service.code(0);
    let number = code.trim_start_matches('0');
    assert_eq!(service.post("alice", format!("{{\"otp\":{number}}}")).await.status, 422);
    assert_eq!(service.verify("alice", number).await, 404);
    assert_eq!(service.failures("alice").await, 0);
    assert_eq!(service.verify("alice", &format!("0{code}")).await, 404);
    assert_eq!(service.verify("alice", &code).await, 204);
}

#[tokio::test]
async fn what_is_not_six_to_eight_ascii_digits_is_no_code_and_not_counted_17_19_20() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let code = service.code(0);
    let before = service.versions("alice").await;
    let in_script = |zero: u32| -> String {
        code.chars().map(|digit| char::from_u32(zero + digit.to_digit(10).unwrap()).unwrap()).collect()
    };
    let superscript: String =
        code.chars().map(|d| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(d as usize - 48).unwrap()).collect();
    for otp in [
        in_script('٠' as u32),
        in_script('০' as u32),
        in_script('\u{ff10}' as u32),
        superscript,
        format!("+{code}"),
        format!("-{code}.0"),
        format!("{code}.0"),
        format!("{},{}", &code[..3], &code[3..]),
        format!("{}e{}", &code[..1], &code[2..]),
        "0x1234".to_owned(),
        format!("{code}\0"),
        format!("\0{code}"),
        format!("{code}\n"),
        format!("\t{code}"),
        format!("{code}\u{a0}"),
        format!("\u{200b}{code}"),
        format!("000{code}"),
        code[1..].to_owned(),
        "      ".to_owned(),
        "7".repeat(64),
    ] {
        assert_eq!(service.verify("alice", &otp).await, 404, "{otp:?}");
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.verify("alice", &code).await, 204);
}

#[tokio::test]
async fn whose_code_it_is_stands_in_the_token_alone_25_28() {
    let service = Service::start().await;
    let record = json!({ "id": "bob", "deviceTotps": [{ "secret": OTHER_SECRET }] });
    service.provision(&record).await;
    service.provision_device("alice").await;
    let code = service.code_of(OTHER_SECRET, 0);
    let before = service.versions("bob").await;
    let body =
        json!({ "otp": code, "userId": "bob", "sub": "bob", "id": "bob", "admin": true, "issuer": "main" });
    assert_eq!(service.post("alice", body.to_string()).await.status, 404);
    assert_eq!(service.verify("alice", &code).await, 404);
    assert_eq!(service.versions("bob").await, before);
    assert_eq!(service.verify("bob", &code).await, 204);
}

#[tokio::test]
async fn a_code_is_good_as_its_own_type_only_and_not_spent_as_another_26() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let codes = [
        ("device-totp", service.code(0)),
        ("totp", service.code_of(OTHER_SECRET, 0)),
        ("account", "135790".to_owned()),
        ("login", "246801".to_owned()),
    ];
    for (own, code) in &codes {
        for other in codes.iter().map(|(kind, _)| *kind).filter(|kind| kind != own) {
            assert_eq!(service.verify_as("alice", code, &[other]).await, 404, "{own} as {other}");
        }
        assert_eq!(service.verify_as("alice", code, &[own]).await, 204, "{own}");
    }
}

#[tokio::test]
async fn without_types_a_device_and_an_account_code_are_meant_26() {
    for types in [json!(null), json!([])] {
        let service = Service::start().await;
        service.insert("alice", with_everything(&service)).await;
        for (code, status) in [
            (service.code_of(OTHER_SECRET, 0), 404),
            ("246801".to_owned(), 404),
            ("135790".to_owned(), 204),
            (service.code(0), 204),
        ] {
            let body = json!({ "otp": code, "types": types }).to_string();
            assert_eq!(service.post("alice", body).await.status, status, "{types}");
        }
    }
}

#[tokio::test]
async fn two_devices_are_good_in_the_same_step_29() {
    let service = Service::start().await;
    let devices = vec![credential(SECRET), credential(OTHER_SECRET)];
    service.insert("alice", Account { devices, ..Account::default() }).await;
    for _ in 0..2 {
        let (first, second) = (service.code(0), service.code_of(OTHER_SECRET, 0));
        for (code, status) in [(&first, 204), (&second, 204), (&first, 404), (&second, 404)] {
            assert_eq!(service.verify("alice", code).await, status);
        }
        service.clock.advance(30);
    }
}

#[tokio::test]
async fn a_secret_that_is_enrolled_twice_gives_codes_that_are_good_once_2() {
    let service = Service::start().await;
    let (devices, authenticators) = (vec![credential(SECRET); 2], vec![credential(SECRET)]);
    service.insert("alice", Account { devices, authenticators, ..Account::default() }).await;
    let code = service.code(0);
    assert_eq!(service.verify_as("alice", &code, &["totp"]).await, 204);
    assert_eq!(service.verify_as("alice", &code, &["device-totp"]).await, 404);
    assert_eq!(service.verify_as("alice", &code, &["totp"]).await, 404);
}

#[tokio::test]
async fn an_issued_code_is_good_once_and_until_the_second_before_its_end_31() {
    let service = Service::start().await;
    for kind in ["account", "login"] {
        let account = || match kind {
            "account" => Account { account_code: Some(issued(&service, "135790")), ..Account::default() },
            _ => Account { login_code: Some(issued(&service, "135790")), ..Account::default() },
        };
        let (early, late) = (format!("{kind}-early"), format!("{kind}-late"));
        service.insert(&early, account()).await;
        service.insert(&late, account()).await;
        service.clock.advance(299);
        assert_eq!(service.verify_as(&early, "135790", &[kind]).await, 204);
        assert_eq!(service.verify_as(&early, "135790", &[kind]).await, 404);
        service.clock.advance(1);
        assert_eq!(service.verify_as(&late, "135790", &[kind]).await, 404);
        service.clock.set_back(100);
        assert_eq!(service.verify_as(&late, "135790", &[kind]).await, 404, "found expired, it stays so");
    }
}

#[tokio::test]
async fn the_fifth_wrong_entry_kills_an_issued_code_37() {
    let service = Service::start().await;
    for kind in ["account", "login"] {
        let code = || {
            Some(IssuedCode::new(
                Code::parse("135790").unwrap(),
                einmal_core::Timestamp::from_seconds(u64::MAX),
            ))
        };
        let account = || match kind {
            "account" => Account { account_code: code(), ..Account::default() },
            _ => Account { login_code: code(), ..Account::default() },
        };
        for (subject, wrong, status) in [("four", 4, 204), ("five", 5, 404)] {
            let subject = format!("{kind}-{subject}");
            service.insert(&subject, account()).await;
            for number in 0..wrong {
                assert_eq!(service.verify_as(&subject, &service.wrong_code(number), &[kind]).await, 404);
            }
            service.clock.advance(3_600);
            let answer =
                service.post(&subject, json!({ "otp": "135790", "types": [kind] }).to_string()).await;
            assert_eq!((answer.status, answer.header("retry-after")), (status, None), "{subject}");
        }
    }
}

#[tokio::test]
async fn digits_and_algorithm_are_the_secrets_own_16() {
    let service = Service::start().await;
    // RFC 6238 appendix B at 2000000000.
    service.clock.advance(2_000_000_000 - crate::harness::clock::NOW);
    let seed = |length: usize| data_encoding::BASE32_NOPAD.encode(&b"1234567890".repeat(7)[..length]);
    for (subject, algorithm, length, code) in [
        ("one", "SHA1", 20, "69279037"),
        ("two", "SHA256", 32, "90698825"),
        ("three", "SHA512", 64, "38618901"),
    ] {
        let totp = json!({ "secret": seed(length), "algorithm": algorithm, "digits": 8 });
        service.provision(&json!({ "id": subject, "deviceTotps": [totp] })).await;
        assert_eq!(service.verify(subject, &code[2..]).await, 404, "the last six of eight");
        assert_eq!(service.verify(subject, code).await, 204, "{algorithm}");
    }
}
