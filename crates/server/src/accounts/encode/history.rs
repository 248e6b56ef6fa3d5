//! The history, of version 3, behind all else in the vault. Entries are of one length and read without a look at more than
//! they are: every attempt opens the vault, and most are not about history.

use super::{SealError, WITH_HISTORY};
use einmal_core::Timestamp;
use einmal_core::account::{History, HistoryEntry, HistoryKind};
use uuid::Uuid;

/// Number, kind, time, whether there is a credential, and which.
const LENGTH: usize = 4 + 1 + 8 + 1 + 16;

/// In bytes, of one that is written.
pub(super) fn size(history: &History) -> usize {
    1 + history.0.len() * LENGTH
}

/// How many entries, and the entries.
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

pub(super) fn read(bytes: &[u8]) -> Result<History, SealError> {
    let (&count, rest) = bytes.split_first().ok_or(SealError::Encoding)?;
    let (entries, rest) = rest.as_chunks::<LENGTH>();
    if !rest.is_empty() || entries.len() != usize::from(count) {
        return Err(SealError::Encoding);
    }
    // What is sealed is as it was written: by a server to come that keeps more, as with a kind below.
    if entries.len() > History::KEPT {
        return Err(SealError::NewerEncoding(WITH_HISTORY));
    }
    entries.iter().map(|entry| read_entry(entry)).collect::<Result<_, _>>().map(History)
}

fn read_entry(bytes: &[u8]) -> Result<HistoryEntry, SealError> {
    let (number, kind, at, credential) = members(bytes).ok_or(SealError::Encoding)?;
    // A rolling upgrade has one beside this one.
    let kind = kind_of(kind).ok_or(SealError::NewerEncoding(WITH_HISTORY))?;
    Ok(HistoryEntry { number, kind, at, credential })
}

/// `None` for what was not written here.
fn members(bytes: &[u8]) -> Option<(u32, u8, Timestamp, Option<Uuid>)> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (&[kind], rest) = rest.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (&[has_credential], rest) = rest.split_first_chunk()?;
    let credential = Uuid::from_bytes(rest.try_into().ok()?);
    let credential = match has_credential {
        0 => None,
        1 => Some(credential),
        _ => return None,
    };
    Some((u32::from_be_bytes(*number), kind, Timestamp::from_seconds(u64::from_be_bytes(*at)), credential))
}

/// Stores hold them: what is here stays what it is, and a new kind has a number that none had.
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
