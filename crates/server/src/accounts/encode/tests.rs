//! What is written is read back whole, the bytes of a version stay what they are, and no bytes do harm.

use super::*;
use data_encoding::HEXLOWER;
use einmal_core::Timestamp;
use einmal_core::account::{
    AcceptedRequest, AcceptedRequests, CodeState, Credential, History, HistoryKind, IssuedCode, KeyedRequest,
    Mailing, PendingAuthenticator, Progress, Sending, StoredHash, Throttle,
};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use uuid::Uuid;

const AT: fn(u64) -> Timestamp = Timestamp::from_seconds;

fn credential(seed: u8, algorithm: Algorithm, digits: u64, period: u64) -> Credential {
    let secret = Secret::from_bytes(vec![seed; algorithm.secret_length()]).unwrap();
    Credential {
        id: Uuid::from_u128(seed.into()),
        label: Some(format!("label {seed}")),
        created_at: AT(1_800_000_000 + u64::from(seed)),
        totp: Totp::new(secret, algorithm, digits, period).unwrap(),
        progress: Progress {
            last_step: Some(60_000_000 + u64::from(seed)),
            drift: -2,
            guess_units: 29_700,
            failures: 99,
            last_used_at: Some(AT(1_800_000_100)),
        },
    }
}

fn issued(digits: &str, state: CodeState, failures: u32) -> IssuedCode {
    let code = IssuedCode::new(Code::parse(digits).unwrap(), AT(1_800_000_300));
    IssuedCode { state, failures, ..code }
}

/// What version 1 can hold, with nothing as in a new account.
fn account_of_version_1() -> Account {
    let throttle =
        |failures| Throttle { failures, waits_until: Some(AT(1_800_000_000 + u64::from(failures))) };
    Account {
        email: Some("a@example.com".to_owned()),
        registered_at: Some(AT(1_700_000_000)),
        pin: Some(StoredHash::new("$pin")),
        password: Some(StoredHash::new("$password")),
        devices: vec![credential(1, Algorithm::Sha1, 6, 30), credential(2, Algorithm::Sha256, 7, 15)],
        authenticators: vec![credential(3, Algorithm::Sha512, 8, 120)],
        account_code: Some(issued("012345", CodeState::Spent, 3)),
        login_code: Some(issued("543210", CodeState::Dead, 5)),
        otp_throttle: throttle(5),
        pin_throttle: throttle(6),
        password_throttle: throttle(7),
        ..Account::default()
    }
}

/// What version 2 can hold, likewise.
fn account_of_version_2() -> Account {
    let request = |seed: u8, device| AcceptedRequest {
        request: KeyedRequest { key: [seed; 16], body: [seed + 1; 16] },
        at: AT(1_800_000_000 + u64::from(seed)),
        device,
        other_bodies: 9 - seed,
    };
    let pending = |seed, failures| PendingAuthenticator {
        credential: Credential { progress: Progress::default(), ..credential(seed, Algorithm::Sha1, 6, 30) },
        failures,
    };
    Account {
        pending_authenticators: vec![pending(4, 3), pending(5, 4)],
        mailing: Mailing {
            under_way: Some(Sending { id: u64::MAX, since: AT(1_800_000_300) }),
            last: Some(8),
            sent_at: vec![AT(1_800_000_100), AT(1_800_000_200)],
        },
        accepted_verifications: AcceptedRequests(vec![request(1, None), request(3, None)]),
        accepted_changes: AcceptedRequests(vec![request(5, None), request(7, Some(Uuid::from_u128(1)))]),
        ..account_of_version_1()
    }
}

/// What version 3 can hold, likewise.
fn account() -> Account {
    let mut history = History::default();
    for (number, kind) in (1_u8..).zip(HistoryKind::ALL) {
        let credential = (number % 2 == 0).then(|| Uuid::from_u128(number.into()));
        history.add(kind, credential, AT(1_800_000_000 + u64::from(number)));
    }
    let diagnosed_at = vec![AT(1_800_000_100), AT(1_800_000_200)];
    Account { history, diagnosed_at, ..account_of_version_2() }
}

fn encoded(account: &Account, vault: Version) -> Encoded {
    Encoded { guard: encode_guard(account, vault).unwrap(), vault: encode_vault(account).unwrap() }
}

#[test]
fn everything_that_is_written_is_read_back() {
    let account = account();
    let (read, vault) = decode(&encoded(&account, 0xfedc_ba98_7654_3210)).unwrap();
    assert_eq!(vault, 0xfedc_ba98_7654_3210);
    assert_eq!((&read.email, read.registered_at), (&account.email, account.registered_at));
    assert!(read.pin == account.pin && read.password == account.password);
    assert_eq!((read.devices.len(), read.authenticators.len()), (2, 1));
    for ((_, read), (_, written)) in read.credentials().zip(account.credentials()) {
        assert_eq!((read.id, &read.label, read.created_at), (written.id, &written.label, written.created_at));
        assert!(read.totp == written.totp);
        assert_eq!(read.progress, written.progress);
    }
    let codes = |account: &Account| {
        [&account.account_code, &account.login_code].map(|issued| {
            let issued = issued.as_ref().unwrap();
            (issued.code.as_str().to_owned(), issued.expires_at, issued.state, issued.failures)
        })
    };
    assert_eq!(codes(&read), codes(&account));
    assert_eq!(read.otp_throttle, account.otp_throttle);
    assert_eq!(read.pin_throttle, account.pin_throttle);
    assert_eq!(read.password_throttle, account.password_throttle);
    assert_eq!(read.mailing, account.mailing);
    assert_eq!(read.accepted_verifications, account.accepted_verifications);
    assert_eq!(read.accepted_changes, account.accepted_changes);
    assert_eq!(read.diagnosed_at, account.diagnosed_at);
    assert_eq!(read.pending_authenticators.len(), 2);
    for (read, written) in read.pending_authenticators.iter().zip(&account.pending_authenticators) {
        assert_eq!((read.credential.id, read.failures), (written.credential.id, written.failures));
        assert_eq!(read.credential.label, written.credential.label);
        assert!(read.credential.totp == written.credential.totp);
    }
    assert_eq!(read.history, account.history);
}

/// Stores hold them. If this fails, the change needs a new version and a translation from the old one.
#[test]
fn the_bytes_of_version_1_stay_what_they_are() {
    let encoded = encoded(&account_of_version_1(), 7);
    insta::assert_snapshot!(HEXLOWER.encode(&encoded.guard), @"010000000000000007050185a4a7da06060186a4a7da06070187a4a7da060301818ece1cfe84e8016301e4a4a7da0601828ece1cfe84e8016301e4a4a7da0601838ece1cfe84e8016301e4a4a7da06010103010205");
    insta::assert_snapshot!(HEXLOWER.encode(&encoded.vault), @"01010d61406578616d706c652e636f6d0180e2cfaa0601042470696e01092470617373776f7264020000000000000000000000000000000101076c6162656c203181a4a7da0614010101010101010101010101010101010101010101061e0000000000000000000000000000000201076c6162656c203282a4a7da0620020202020202020202020202020202020202020202020202020202020202020202070f010000000000000000000000000000000301076c6162656c203383a4a7da0640030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030308780106303132333435aca6a7da060106353433323130aca6a7da06");
}

#[test]
fn the_bytes_of_version_2_are_those_of_version_1_and_more() {
    let (first, second) = (encoded(&account_of_version_1(), 7), encoded(&account_of_version_2(), 7));
    let addition = |first: &[u8], second: &[u8]| {
        assert_eq!((first[0], second[0]), (1, 2));
        HEXLOWER.encode(second[1..].strip_prefix(&first[1..]).unwrap())
    };
    insta::assert_snapshot!(addition(&first.guard, &second.guard), @"02010101010101010101010101010101010202020202020202020202020202020281a4a7da060008030303030303030303030303030303030404040404040404040404040404040483a4a7da060006020304");
    insta::assert_snapshot!(addition(&first.vault, &second.vault), @"01ffffffffffffffffff01aca6a7da06010802e4a4a7da06c8a5a7da0602050505050505050505050505050505050606060606060606060606060606060685a4a7da060004070707070707070707070707070707070808080808080808080808080808080887a4a7da06010000000000000000000000000000000102020000000000000000000000000000000401076c6162656c203484a4a7da0614040404040404040404040404040404040404040401061e0000000000000000000000000000000501076c6162656c203585a4a7da0614050505050505050505050505050505050505050501061e");
}

#[test]
fn the_bytes_of_version_3_are_those_of_version_2_the_diagnoses_and_the_history() {
    let (second, third) = (encoded(&account_of_version_2(), 7), encoded(&account(), 7));
    assert!(second.guard == third.guard, "a guard has no version 3");
    assert_eq!((second.vault[0], third.vault[0]), (2, 3));
    let more = third.vault[1..].strip_prefix(&second.vault[1..]).unwrap();
    let (diagnoses, history) = more.split_at(11);
    insta::assert_snapshot!(HEXLOWER.encode(diagnoses), @"02e4a4a7da06c8a5a7da06");
    assert_eq!(history[0], 14);
    let entries: Vec<_> = history[1..].chunks(30).map(|entry| HEXLOWER.encode(entry)).collect();
    insta::assert_snapshot!(entries.join("\n"), @r"
    0000000101000000006b49d2010000000000000000000000000000000000
    0000000202000000006b49d2020100000000000000000000000000000002
    0000000303000000006b49d2030000000000000000000000000000000000
    0000000404000000006b49d2040100000000000000000000000000000004
    0000000505000000006b49d2050000000000000000000000000000000000
    0000000606000000006b49d2060100000000000000000000000000000006
    0000000707000000006b49d2070000000000000000000000000000000000
    0000000808000000006b49d2080100000000000000000000000000000008
    0000000909000000006b49d2090000000000000000000000000000000000
    0000000a0a000000006b49d20a010000000000000000000000000000000a
    0000000b0b000000006b49d20b0000000000000000000000000000000000
    0000000c0c000000006b49d20c010000000000000000000000000000000c
    0000000d0d000000006b49d20d0000000000000000000000000000000000
    0000000e0e000000006b49d20e010000000000000000000000000000000e
    ");
}

/// Whatever else it has, or has not: a store of an older server is read as it was written.
#[test]
fn a_diagnosis_or_a_history_alone_makes_version_3_and_without_them_nothing_is_written_of_it() {
    let history = History(account().history.0[..1].to_vec());
    let changed = Account { history, ..account_of_version_1() };
    let diagnosed = Account { diagnosed_at: vec![AT(1_800_000_100)], ..account_of_version_1() };
    for account in [changed, diagnosed] {
        let encoded = encoded(&account, 7);
        assert_eq!((encoded.guard[0], encoded.vault[0]), (1, 3));
        let (read, _) = decode(&encoded).unwrap();
        assert_eq!((read.history, read.diagnosed_at), (account.history, account.diagnosed_at));
    }
    for (account, version) in [account_of_version_1(), account_of_version_2()].into_iter().zip(1..) {
        let encoded = encoded(&account, 7);
        assert_eq!(encoded.vault[0], version);
        let (read, _) = decode(&encoded).unwrap();
        assert_eq!((read.history, read.diagnosed_at), (History::default(), Vec::new()));
    }
}

#[test]
fn a_history_that_nobody_wrote_is_refused() {
    let whole = encoded(&account_of_version_1(), 7);
    let with = |entries: &[u8]| {
        let (vault, guard) =
            (encode_vault(&account_of_version_2()), encode_guard(&account_of_version_2(), 7));
        let (vault, guard) = ([&[3], &vault.unwrap()[1..], &[0], entries].concat(), guard.unwrap());
        decode(&Encoded { guard, vault: Zeroizing::new(vault) }).map(|(account, _)| account.history.0.len())
    };
    let entry = |kind: u8, has_credential: u8| {
        [&[0, 0, 0, 1, kind][..], &[0; 8], &[has_credential], &[7; 16]].concat()
    };
    let of = |count: u8, entries: Vec<u8>| with(&[&[count][..], &entries].concat());
    assert_eq!(of(1, entry(1, 1)).unwrap(), 1);
    assert_eq!(of(20, entry(14, 0).repeat(20)).unwrap(), 20);
    assert_eq!(of(0, Vec::new()).unwrap(), 0);
    for (count, wrong) in [
        (1, entry(1, 2)),
        (1, entry(1, 0)[1..].to_vec()),
        (2, entry(1, 0)),
        (1, entry(1, 0).repeat(2)),
        (22, entry(1, 0).repeat(21)),
    ] {
        assert!(matches!(of(count, wrong.clone()), Err(SealError::Encoding)), "{count} of {wrong:?}");
    }
    assert!(matches!(with(&[]), Err(SealError::Encoding)));
    let more = of(21, entry(1, 0).repeat(21));
    assert!(matches!(more, Err(SealError::NewerEncoding(3))), "a server to come may keep more");
    let longer = Encoded { guard: [&whole.guard[..], &[0]].concat().into(), vault: whole.vault };
    assert!(matches!(decode(&longer), Err(SealError::Encoding)), "what a version has never grows");
}

/// Clients are told that there will be further kinds. A server that knows one may run beside this one.
#[test]
fn a_kind_of_change_that_is_not_known_is_of_a_newer_server_and_no_damage() {
    for (unknown, is_newer) in [(14, false), (15, true), (200, true)] {
        let mut encoded = encoded(&account(), 7);
        // Of the last entry, behind its number.
        let place = encoded.vault.len() - 30 + 4;
        assert_eq!(encoded.vault[place], 14);
        encoded.vault[place] = unknown;
        let decoded = decode(&encoded).map(drop);
        assert_eq!(matches!(decoded, Err(SealError::NewerEncoding(3))), is_newer, "{decoded:?}");
        assert!(is_newer || decoded.is_ok());
    }
}

#[test]
fn a_version_that_is_not_known_is_named() {
    for (guard, vault, newest) in [(3, 1, 3), (2, 4, 4), (0, 1, 0)] {
        let mut encoded = encoded(&account(), 7);
        (encoded.guard[0], encoded.vault[0]) = (guard, vault);
        assert!(matches!(decode(&encoded), Err(SealError::NewerEncoding(named)) if named == newest));
    }
}

/// Not even its own vault's, if something is missing.
#[test]
fn a_guard_of_another_vault_is_refused() {
    let account = account();
    let fewer: [fn(&mut Account); 6] = [
        |account| drop(account.devices.pop()),
        |account| account.authenticators.push(credential(4, Algorithm::Sha1, 6, 30)),
        |account| account.account_code = None,
        |account| account.login_code = None,
        |account| drop(account.pending_authenticators.pop()),
        |account| account.pending_authenticators.clear(),
    ];
    for change in fewer {
        let mut other = account.clone();
        change(&mut other);
        let mixed =
            Encoded { guard: encode_guard(&other, 7).unwrap(), vault: encode_vault(&account).unwrap() };
        assert!(matches!(decode(&mixed), Err(SealError::Encoding)));
    }
}

/// Lengths in them claim up to 2^64 members: no memory is taken at their word.
#[test]
fn bytes_of_any_kind_are_an_account_or_an_error() {
    let whole = encoded(&account(), 7);
    let decoded = |guard: &[u8], vault: &[u8]| {
        let (guard, vault) = (Zeroizing::new(guard.to_vec()), Zeroizing::new(vault.to_vec()));
        decode(&Encoded { guard, vault }).map(drop)
    };
    for length in 0..whole.guard.len() {
        assert!(decoded(&whole.guard[..length], &whole.vault).is_err());
    }
    for length in 0..whole.vault.len() {
        assert!(decoded(&whole.guard, &whole.vault[..length]).is_err());
    }
    for byte in [0, 1, 3, 0x7f, 0x80, 0xff] {
        for length in 1..64 {
            for version in [FIRST, WITH_ADDITION, WITH_HISTORY] {
                let bytes = [&[version][..], &vec![byte; length]].concat();
                let _ = (decoded(&bytes, &whole.vault), decoded(&whole.guard, &bytes));
            }
        }
        for place in 1..whole.guard.len() {
            let mut guard = whole.guard.to_vec();
            guard[place] = byte;
            let _ = decoded(&guard, &whole.vault);
        }
        for place in 1..whole.vault.len() {
            let mut vault = whole.vault.to_vec();
            vault[place] = byte;
            let _ = decoded(&whole.guard, &vault);
        }
    }
}

/// A buffer that moves while it grows leaves copies of secrets behind that nobody wipes.
#[test]
fn a_large_account_is_written_without_moving() {
    let mut account = account();
    account.authenticators = vec![credential(9, Algorithm::Sha512, 6, 30); 100];
    let bytes = encode_vault(&account).unwrap();
    assert!(bytes.len() > 5_000);
    assert_eq!(bytes.capacity(), bytes.len());
}
