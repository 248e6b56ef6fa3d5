//! Accounts to test with.

use einmal_core::Timestamp;
use einmal_core::account::{Account, Credential, IssuedCode, Progress, StoredHash};
use einmal_core::otp::{Algorithm, Code, Parameters, Secret, Totp};
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

/// The same secret, used in another way.
pub(crate) fn used_as(credential: &Credential, parameters: Parameters) -> Credential {
    Credential { totp: credential.totp.with_parameters(parameters), ..credential.clone() }
}

/// Everything in an account that an attempt could change, but for when it was diagnosed.
pub(crate) fn state(account: &Account) -> String {
    let secrets = |credential: &Credential| {
        let totp = &credential.totp;
        let secret = totp.secret().to_base32().as_str().to_owned();
        let Credential { id, label, created_at, progress, .. } = credential;
        format!("{id} {label:?} {created_at:?} {secret} {} {progress:?}", totp.parameters())
    };
    let codes = account.account_code.iter().chain(&account.login_code);
    let codes = codes.map(|one| (one.code.as_str().to_owned(), one.expires_at, one.state, one.failures));
    let pending = account.pending_authenticators.iter().map(|one| (secrets(&one.credential), one.failures));
    let credentials = account.credentials().map(|(kind, one)| (kind, secrets(one)));
    format!(
        "{:#?}",
        (
            (&account.email, account.registered_at, &account.mailing),
            (account.pin.as_ref().map(StoredHash::as_str), account.password.as_ref().map(StoredHash::as_str)),
            (credentials.collect::<Vec<_>>(), pending.collect::<Vec<_>>(), codes.collect::<Vec<_>>()),
            (&account.otp_throttle, &account.pin_throttle, &account.password_throttle),
            (&account.accepted_verifications, &account.accepted_changes),
        )
    )
}
