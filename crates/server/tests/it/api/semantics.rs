//! Which codes are right: their lengths and spellings, types, windows, and the secrets that there are now.

use super::{OTHER_SECRET, change, credential, issued, with_device, with_everything};
use crate::harness::clock::NOW;
use crate::harness::service::{SECRET, Service};
use data_encoding::BASE32_NOPAD;
use einmal::clock::Clock;
use einmal_core::account::{Account, Credential};
use einmal_core::otp::{Algorithm, Secret, Totp};
use serde_json::json;

#[tokio::test]
async fn a_code_of_other_digits_is_never_a_part_of_the_right_one_15() {
    let service = Service::start().await;
    let eight = Totp::new(Secret::from_base32(OTHER_SECRET).unwrap(), Algorithm::Sha1, 8, 30).unwrap();
    let long = eight.code_at(eight.step_at(service.clock.now())).as_str().to_owned();
    let device = Credential { totp: eight, ..credential(OTHER_SECRET) };
    for (subject, device, code) in [("six", credential(SECRET), service.code(0)), ("eight", device, long)] {
        service.insert(subject, Account { devices: vec![device], ..Account::default() }).await;
        let before = service.versions(subject).await;
        for length in 1..=5 {
            assert_eq!(service.verify(subject, &code[..length]).await, 404);
            assert_eq!(service.verify(subject, &code[code.len() - length..]).await, 404);
        }
        for length in [9, 12, 64] {
            assert_eq!(service.verify(subject, &format!("{code:0>length$}")).await, 404);
            assert_eq!(service.verify(subject, &format!("{code:0<length$}")).await, 404);
        }
        assert_eq!(service.versions(subject).await, before, "none of these is a code: nothing is written");

        let others: Vec<_> = match code.len() {
            6 => vec![format!("0{code}"), format!("00{code}"), format!("{code}00")],
            _ => vec![code[2..].to_owned(), code[..6].to_owned(), code[1..].to_owned()],
        };
        for (number, other) in (1..).zip(others) {
            assert_eq!(service.verify(subject, &other).await, 404, "{subject}");
            assert_eq!(service.failures(subject).await, number);
        }
        let units = service.look(subject, |account| account.devices[0].progress.guess_units).await;
        assert_eq!(units, 0, "counted, but no guess at this secret");
        assert_eq!(service.verify(subject, &code).await, 204, "{subject}");
    }
}

/// RFC 6238 appendix B, by its clock.
#[tokio::test]
async fn the_published_codes_are_accepted_at_their_times_16() {
    let service = Service::start().await;
    for (seconds, codes) in [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ] {
        service.clock.set_back(service.clock.now().seconds());
        service.clock.advance(seconds);
        for (algorithm, code) in Algorithm::ALL.into_iter().zip(codes) {
            let subject = format!("{algorithm} at {seconds}");
            let seed = BASE32_NOPAD.encode(&b"1234567890".repeat(7)[..algorithm.secret_length()]);
            let device = json!({ "secret": seed, "algorithm": algorithm.name(), "digits": 8 });
            service.provision(&json!({ "id": subject, "deviceTotps": [device] })).await;
            assert_eq!(service.verify(&subject, code).await, 204, "{subject}");
            assert_eq!(service.verify(&subject, code).await, 404, "{subject}");
        }
    }
}

#[tokio::test]
async fn an_escape_in_json_is_the_character_that_it_stands_for_21() {
    let service = with_device().await;
    let code = service.code(0);
    let escaped: String = code.chars().flat_map(|digit| ['\\', 'u', '0', '0', '3', digit]).collect();
    for (body, status) in [
        (format!("{{\"\\u006f\\u0074\\u0070\":\"{escaped}\"}}"), 204),
        (format!("{{\"otp\":\"{escaped}\"}}"), 404),
        (format!("{{\"otp\":\"\\u0020{code}\\u002D\"}}"), 404),
        (format!("{{\"otp\":\"{code}\",\"types\":[\"device\\u002dtotp\"]}}"), 404),
    ] {
        assert_eq!(service.post("alice", &body).await.status, status, "{body}");
    }
    service.clock.advance(30);
    let body = format!("{{\"otp\":\"{}\",\"types\":[\"device\\u002dtotp\"]}}", service.code(0));
    assert_eq!(service.post("alice", body).await.status, 204);
}

#[tokio::test]
async fn the_length_of_an_otp_is_counted_in_characters_as_sent_24() {
    let service = with_device().await;
    let code = service.code(0);
    for (otp, status) in [
        ("\u{1f511}".repeat(64), 404),
        ("\u{1f511}".repeat(65), 422),
        ("e\u{301}".repeat(32), 404),
        ("e\u{301}".repeat(33), 422),
        (format!("{code:>65}"), 422),
        (" ".repeat(65), 422),
        (" ".repeat(64), 404),
        ("-".to_owned(), 404),
        (format!("{code:>64}"), 204),
    ] {
        let answer = service.answer("alice", &otp).await;
        assert_eq!(answer.status, status, "{otp:?}");
        if status == 422 {
            assert_eq!(answer.sources(), ["/otp"], "{otp:?}");
        }
    }
    assert_eq!(service.failures("alice").await, 0);
}

#[tokio::test]
async fn of_any_set_of_types_each_one_is_tried_and_no_other_27() {
    const KINDS: [&str; 4] = ["device-totp", "totp", "account", "login"];
    let service = Service::start().await;
    for set in 1..16_u8 {
        let types: Vec<_> = (0..4).filter(|bit| set & (1 << bit) != 0).map(|bit| KINDS[bit]).collect();
        for (kind, code) in KINDS.into_iter().zip([
            service.code(0),
            service.code_of(OTHER_SECRET, 0),
            "135790".to_owned(),
            "246801".to_owned(),
        ]) {
            let subject = format!("{kind} as {set}");
            service.insert(&subject, with_everything(&service)).await;
            let status = if types.contains(&kind) { 204 } else { 404 };
            assert_eq!(service.verify_as(&subject, &code, &types).await, status, "{kind} as {types:?}");
            let left = if status == 204 { 404 } else { 204 };
            assert_eq!(service.verify_as(&subject, &code, &[kind]).await, left, "{kind} after {types:?}");
        }
    }
}

#[tokio::test]
async fn a_device_that_is_deleted_takes_no_code_any_more_29() {
    let service = Service::start().await;
    let devices = vec![credential(SECRET), credential(OTHER_SECRET)];
    service.insert("alice", Account { devices, ..Account::default() }).await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    change(&service, "alice", |account| drop(account.devices.remove(0))).await;
    service.clock.advance(30);
    assert_eq!(service.verify("alice", &service.code(0)).await, 404);
    assert_eq!(service.verify("alice", &service.code_of(OTHER_SECRET, 0)).await, 204);
    change(&service, "alice", |account| account.devices.clear()).await;
    assert_eq!(service.verify("alice", &service.code_of(OTHER_SECRET, 1)).await, 404);
}

#[tokio::test]
async fn where_a_secret_was_replaced_only_the_new_one_counts_30() {
    let service = with_device().await;
    assert_eq!(service.verify("alice", &service.wrong_code(0)).await, 404);
    change(&service, "alice", |account| {
        account.devices[0].totp = credential(OTHER_SECRET).totp;
    })
    .await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 404);
    assert_eq!(service.verify("alice", &service.code_of(OTHER_SECRET, 0)).await, 204);
    assert_eq!(service.verify("alice", &service.code(1)).await, 404);
}

#[tokio::test]
async fn a_new_account_code_makes_the_one_before_it_worthless_32() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    let new = issued(&service, "975310");
    change(&service, "alice", move |account| account.account_code = Some(new.clone())).await;
    assert_eq!(service.verify("alice", "135790").await, 404);
    assert_eq!(service.verify("alice", "975310").await, 204);
    assert_eq!(service.verify("alice", "975310").await, 404);
    assert_eq!(service.verify_as("alice", "246801", &["login"]).await, 204, "another type is untouched");
}

#[tokio::test]
async fn a_window_is_counted_in_the_secrets_own_period_36() {
    let service = Service::start().await;
    // In seconds where a step of each of these periods begins, the last one beyond 32 bits.
    for start in [NOW, 2_147_483_640, 4_294_968_000] {
        for period in [15, 20, 30, 60, 120] {
            let totp = Totp::new(Secret::from_base32(SECRET).unwrap(), Algorithm::Sha1, 6, period).unwrap();
            for second in [0, period - 1] {
                service.clock.set_back(service.clock.now().seconds());
                service.clock.advance(start + second);
                assert_eq!(start % period, 0);
                let step = start / period;
                for (offset, status) in [(-2, 404), (-1, 204), (0, 204), (1, 204), (2, 404)] {
                    let subject = format!("{start} {period} {second} {offset}");
                    let device = Credential { totp: totp.clone(), ..credential(SECRET) };
                    service.insert(&subject, Account { devices: vec![device], ..Account::default() }).await;
                    let code = totp.code_at(step.saturating_add_signed(offset));
                    assert_eq!(service.verify(&subject, code.as_str()).await, status, "{subject}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_device_whose_clock_is_off_is_followed_by_two_steps_and_no_further() {
    for direction in [-1, 1] {
        let service = with_device().await;
        for (steps, status) in [(1, 204), (2, 204), (3, 204), (4, 404), (3, 204)] {
            let code = service.code(steps * direction);
            assert_eq!(service.verify("alice", &code).await, status, "{steps} steps to {direction}");
            service.clock.advance(600);
        }
        let fresh = service.code(-2);
        service.provision_device("bob").await;
        assert_eq!(service.verify("bob", &fresh).await, 404, "what one device has learned is its own");
    }
}
