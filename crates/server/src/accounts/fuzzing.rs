//! What is fuzzed of accounts: their encoding, their seals, and the lines that an import reads. Each target takes any
//! bytes and panics where its property does not hold. It must not be in what is shipped.

use super::encode::{Encoded, decode, encode_guard, encode_vault};
use super::envelope::{Opened, new_account};
use super::export::{Secrets, write_record};
use super::keyring::Keyring;
use super::record::{IssuerNames, Provisioned, Reading, RecordError, read_record};
use super::seal::SealError;
use crate::fuzzing::NoEntropy;
use crate::store::{SealedAccount, SealedPart, Version};
use einmal_core::account::{Account, AccountId, StoredHash};
use einmal_core::policy::Policy;
use einmal_core::{Entropy, EntropyError, Timestamp};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// The length of the guard in two bytes, the guard, and the vault. What is read is written so that it is read the same;
/// nothing is read that is cut short or goes on; and a version to come is named.
pub(crate) fn encoding(data: &[u8]) {
    let Some((length, rest)) =
        data.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length), rest))
    else {
        return;
    };
    let Some((guard, vault)) = rest.split_at_checked(length.into()) else { return };
    let of = |guard: &[u8], vault: &[u8]| {
        decode(&Encoded { guard: Zeroizing::new(guard.to_vec()), vault: Zeroizing::new(vault.to_vec()) })
    };
    if let Some(newer @ 3..) = guard.first() {
        assert!(matches!(of(guard, vault), Err(SealError::NewerEncoding(version)) if version == *newer));
        return;
    }
    let Ok((account, version)) = of(guard, vault) else { return };
    let written = bytes(&account, version);
    let Ok((read, read_version)) = of(&written.0, &written.1) else {
        assert!(of(&written.0, &written.1).is_ok(), "what was written is not read");
        return;
    };
    assert_eq!(version, read_version);
    assert_eq!(bytes(&read, version), written);
    for (cut, longer) in [(guard.len() / 2, true), (guard.len().saturating_sub(1), false)] {
        assert!(of(guard.get(..cut).unwrap_or_default(), vault).is_err(), "half a guard");
        assert!(
            of(guard, vault.get(..vault.len().saturating_sub(1)).unwrap_or_default()).is_err(),
            "half a vault"
        );
        let more = |part: &[u8], is_longer: bool| [part, if is_longer { &[0] } else { &[] }].concat();
        assert_eq!(of(&more(guard, longer), vault).is_err(), longer, "more than a guard");
        assert_eq!(of(guard, &more(vault, longer)).is_err(), longer, "more than a vault");
    }
}

/// Both parts; empty where they cannot be written.
fn bytes(account: &Account, version: Version) -> (Vec<u8>, Vec<u8>) {
    let guard = encode_guard(account, version).map(|bytes| bytes.to_vec());
    (guard.unwrap_or_default(), encode_vault(account).map(|bytes| bytes.to_vec()).unwrap_or_default())
}

/// Rows of three users, each written three times, as a store could have kept them.
struct Written {
    keyring: Arc<Keyring>,
    ids: [AccountId; 3],
    /// Whose it is, and the row.
    rows: Vec<(usize, SealedAccount)>,
}

/// Each time other bytes, and in each process the same.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for (byte, number) in
            bytes.iter_mut().zip(self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes().iter().rev().cycle())
        {
            *byte = *number;
        }
        Ok(())
    }
}

static WRITTEN: LazyLock<Option<Written>> = LazyLock::new(|| {
    let entropy = Counting(AtomicU64::new(1));
    let keyring = Keyring::parse(
        "0000000a:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n0000000b:CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
    );
    let keyring = Arc::new(keyring.ok()?);
    let ids = [("main", "alice"), ("main", "bob"), ("maina", "lice")]
        .map(|(issuer, id)| AccountId::new(issuer, id));
    let mut rows = Vec::new();
    for _ in 0..3 {
        for (index, id) in ids.iter().enumerate() {
            let account =
                Account { pin: Some(StoredHash::new(format!("$pin of {index}"))), ..Account::default() };
            let swap = new_account(&keyring, id.clone(), &account, &entropy).ok()?;
            rows.push((index, SealedAccount { guard: swap.guard, vault: swap.vault? }));
        }
    }
    Some(Written { keyring, ids, rows })
});

/// Three bytes: whose account is asked for, from which row the guard comes and from which the vault. Then changes of
/// three bytes: where, and by what. A row opens for nobody but whose it is, whole, and as it was written.
pub(crate) fn sealed_row(data: &[u8]) {
    let Some(Written { keyring, ids, rows }) = &*WRITTEN else {
        assert!(WRITTEN.is_some(), "no rows");
        return;
    };
    let Some(([whose, guard, vault], changes)) = data.split_first_chunk() else { return };
    let whose = usize::from(*whose) % ids.len();
    let (guard, vault) = (usize::from(*guard) % rows.len(), usize::from(*vault) % rows.len());
    let (Some(id), Some((owner, one)), Some((_, other))) = (ids.get(whose), rows.get(guard), rows.get(vault))
    else {
        return;
    };
    let row = SealedAccount { guard: one.guard.clone(), vault: other.vault.clone() };
    let mut altered = row.clone();
    for change in changes.chunks_exact(3) {
        let [high, low, by] = change else { continue };
        let place = usize::from(u16::from_be_bytes([high & 0x7f, *low]));
        alter(if high & 0x80 == 0 { &mut altered.guard } else { &mut altered.vault }, place, *by);
    }
    let is_as_written = altered == row && guard == vault && *owner == whose;
    let opened = Opened::open(Arc::clone(keyring), id, &altered);
    assert_eq!(
        opened.is_ok(),
        is_as_written,
        "whose {whose}, guard {guard}, vault {vault}, changed: {}",
        altered != row
    );
    if let Ok(opened) = opened {
        let pin = opened.account.pin.as_ref().map(StoredHash::as_str);
        assert_eq!(pin, Some(format!("$pin of {whose}").as_str()));
    }
}

/// The id of the key, the version, the box, and beyond its end: cut by so much.
fn alter(part: &mut SealedPart, place: usize, by: u8) {
    match place {
        0..4 => part.key_id ^= u32::from(by) << (8 * place),
        4..12 => part.version ^= u64::from(by) << (8 * (place - 4)),
        place => match part.sealed.get_mut(place - 12) {
            Some(byte) => *byte ^= by,
            None if by >= 0x80 => part.sealed.push(by),
            None => part.sealed.truncate(part.sealed.len().saturating_sub(by.into())),
        },
    }
}

/// What is in none of a message's own words, so that finding it there is finding a value.
const MARK: &str = "KANARIE7";

/// A line that is taken is exported as one that is taken for the same; of one that is refused the place is named, and no
/// secret in it.
pub(crate) fn import_line(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    let policy = Policy::default();
    let issuers = IssuerNames(vec!["main".into(), "other".into()]);
    let reading = Reading { issuers: &issuers, policy: &policy, entropy: &NoEntropy, now: NOW };
    match read_record(line, &reading) {
        Ok(taken) => comes_back(&taken, &reading),
        Err(error) => {
            let value: Option<Value> = serde_json::from_str(line).ok();
            assert!(names_a_place(&error, value.as_ref()), "{error}: {line}");
            let message = error.to_string();
            if value.is_some_and(|value| line.matches(MARK).count() == 1 && holds_mark(&value)) {
                assert!(!message.contains(MARK), "{message}");
            }
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}

fn comes_back(taken: &Provisioned, reading: &Reading<'_>) {
    let exported = write_record(&taken.id, &taken.account, Secrets::Included);
    let exported = exported.unwrap_or_default();
    let again = read_record(&exported, reading);
    assert!(again.is_ok(), "{:?} is exported and not imported", exported.as_str());
    let Ok(again) = again else { return };
    assert!(taken.id == again.id);
    assert_eq!(bytes(&taken.account, 7), bytes(&again.account, 7), "{}", exported.as_str());
    let once_more = write_record(&again.id, &again.account, Secrets::Included).unwrap_or_default();
    assert_eq!(exported.as_str(), once_more.as_str());
    let shown = write_record(&taken.id, &taken.account, Secrets::LeftOut).unwrap_or_default();
    let secrets = taken.account.credentials().map(|(_, one)| one.totp.secret().to_base32());
    assert!(secrets.into_iter().all(|secret| !shown.contains(secret.as_str())), "{}", shown.as_str());
}

fn names_a_place(error: &RecordError, value: Option<&Value>) -> bool {
    match error {
        RecordError::Syntax(column) => *column > 0 || value.is_none(),
        RecordError::Members(message) => message.contains('`') || message.contains("column"),
        RecordError::Member { member, .. } => {
            let pointer = format!("/{}", member.replace(['.', '['], "/").replace(']', ""));
            let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            value.is_some_and(|value| value.pointer(parent).is_some())
        }
        RecordError::Several(several) => {
            several.len() > 1 && several.iter().all(|one| names_a_place(one, value))
        }
        RecordError::TooLong(_) | RecordError::NotUtf8 => true,
        RecordError::Entropy(_) | RecordError::Hashing(_) => false,
    }
}

/// Whether the mark is in a value that must not be told.
fn holds_mark(value: &Value) -> bool {
    const SECRETS: [&str; 6] = ["pin", "pinHash", "password", "passwordHash", "secret", "uri"];
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            SECRETS.contains(&name.as_str()) && value.as_str().is_some_and(|text| text.contains(MARK))
                || holds_mark(value)
        }),
        Value::Array(items) => items.iter().any(holds_mark),
        _ => false,
    }
}
