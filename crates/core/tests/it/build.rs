//! Accounts to test with.

use einmal_core::Timestamp;
use einmal_core::account::{Account, Credential, IssuedCode, Progress};
use einmal_core::otp::{Algorithm, Code, Secret, Totp};
use uuid::Uuid;

pub(crate) const NOON: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(crate) fn credential(seed: u8, digits: u8) -> Credential {
    let secret = Secret::from_bytes(vec![seed; 20]).unwrap();
    Credential {
        id: Uuid::from_u128(seed.into()),
        label: None,
        created_at: NOON,
        totp: Totp::new(secret, Algorithm::Sha1, digits.into(), 30).unwrap(),
        progress: Progress::default(),
    }
}

/// One device whose secret is made of `seed`.
pub(crate) fn with_device(seed: u8) -> Account {
    Account { devices: vec![credential(seed, 6)], ..Account::default() }
}

pub(crate) fn issued(digits: &str, ttl_seconds: u64) -> IssuedCode {
    IssuedCode::new(code(digits), NOON.plus_seconds(ttl_seconds))
}

pub(crate) fn code(digits: &str) -> Code {
    Code::parse(digits).unwrap()
}

/// The code of a credential, some steps from `now`.
pub(crate) fn code_of(credential: &Credential, now: Timestamp, offset: i64) -> Code {
    let step = credential.totp.step_at(now);
    credential.totp.code_at(step.saturating_add_signed(offset))
}

/// A code of `digits` digits that no credential or issued code of the account takes anywhere near `now`.
pub(crate) fn wrong_code(account: &Account, now: Timestamp, digits: u8) -> Code {
    let near: Vec<String> = account
        .credentials()
        .flat_map(|(_, credential)| (-20..=20).map(|offset| code_of(credential, now, offset)))
        .chain(account.account_code.iter().chain(&account.login_code).map(|issued| issued.code.clone()))
        .map(|code| code.as_str().to_owned())
        .collect();
    (0..1_000_000)
        .map(|number| Code::from_number(number, digits))
        .find(|code| !near.contains(&code.as_str().to_owned()))
        .unwrap()
}
