//! The history, of version 4, behind all else in the vault. Entries are of one length and read without a look at more than
//! they are: every attempt opens the vault, and most are not about history.

use einmal_core::Timestamp;
use einmal_core::account::{History, HistoryEntry, HistoryKind};
use uuid::Uuid;

/// Number, kind, time, whether there is a credential, and which.
const LENGTH: usize = 4 + 1 + 8 + 1 + 16;

/// In bytes, of one that is written.
pub(super) fn size(history: &History) -> usize {
    if history.0.is_empty() { 0 } else { 1 + history.0.len() * LENGTH }
}

/// One that is not empty: how many entries, and the entries.
pub(super) fn write(history: &History, bytes: &mut Vec<u8>) {
    bytes.extend(u8::try_from(history.0.len()));
    for entry in &history.0 {
        bytes.extend(entry.number.to_be_bytes());
        bytes.push(number_of(entry.kind));
        bytes.extend(entry.at.seconds().to_be_bytes());
        bytes.push(u8::from(entry.credential.is_some()));
        bytes.extend(entry.credential.unwrap_or_default().into_bytes());
    }
}

/// `None` for what was not written here.
pub(super) fn read(bytes: &[u8]) -> Option<History> {
    let (&count, rest) = bytes.split_first()?;
    let (entries, rest) = rest.as_chunks::<LENGTH>();
    if !rest.is_empty()
        || entries.len() != usize::from(count)
        || !(1..=History::KEPT).contains(&entries.len())
    {
        return None;
    }
    entries.iter().map(|entry| read_entry(entry)).collect::<Option<_>>().map(History)
}

fn read_entry(bytes: &[u8]) -> Option<HistoryEntry> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (&[kind], rest) = rest.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (&[has_credential], rest) = rest.split_first_chunk()?;
    let credential = Uuid::from_bytes(rest.try_into().ok()?);
    Some(HistoryEntry {
        number: u32::from_be_bytes(*number),
        kind: kind_of(kind)?,
        at: Timestamp::from_seconds(u64::from_be_bytes(*at)),
        credential: match has_credential {
            0 => None,
            1 => Some(credential),
            _ => return None,
        },
    })
}

/// Stores hold them: what is here stays what it is.
const fn number_of(kind: HistoryKind) -> u8 {
    match kind {
        HistoryKind::DeviceEnrolled => 1,
        HistoryKind::DeviceReplaced => 2,
        HistoryKind::DeviceDeleted => 3,
        HistoryKind::AuthenticatorBegun => 4,
        HistoryKind::AuthenticatorConfirmed => 5,
        HistoryKind::AuthenticatorDropped => 6,
        HistoryKind::AuthenticatorDeleted => 7,
        HistoryKind::PinSet => 8,
        HistoryKind::CodeCreated => 9,
        HistoryKind::CodeMailed => 10,
        HistoryKind::CodeTold => 11,
        HistoryKind::Unlocked => 12,
        HistoryKind::AccountReplaced => 13,
        HistoryKind::Diagnosed => 14,
    }
}

fn kind_of(number: u8) -> Option<HistoryKind> {
    HistoryKind::ALL.into_iter().find(|kind| number_of(*kind) == number)
}
