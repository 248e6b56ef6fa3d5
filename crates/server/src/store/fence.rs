//! A store that takes no writes, and why. Must never be lifted while another store has taken its place.

use super::{Store, StoreError};

/// The mark that stands beside the refusal, so that whoever comes later knows why. Each number is random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fence {
    /// A copy of another store that is not finished. `run` is of those who make it: what they write is written only while
    /// this is the mark, so that nobody goes on who was given up.
    CopyOf { source: String, identity: u64, run: u64 },
    /// Its accounts go to another store, in this run. Which of the two serves next is open.
    MovingTo { target: String, identity: u64, run: u64 },
    /// Its accounts are in another store, which serves.
    MovedTo { target: String },
}

/// What is kept where properties are.
pub(super) const PROPERTY: &str = "fence";

impl Fence {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::CopyOf { source, identity, run } => format!("copy-of {identity:016x} {run:016x} {source}"),
            Self::MovingTo { target, identity, run } => {
                format!("moving-to {identity:016x} {run:016x} {target}")
            }
            Self::MovedTo { target } => format!("moved-to {target}"),
        }
        .into_bytes()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        if kind == "moved-to" {
            return Some(Self::MovedTo { target: rest.to_owned() });
        }
        let mut words = rest.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let (identity, run) = (number()?, number()?);
        let name = words.next()?.to_owned();
        match kind {
            "copy-of" => Some(Self::CopyOf { source: name, identity, run }),
            "moving-to" => Some(Self::MovingTo { target: name, identity, run }),
            _ => None,
        }
    }
}

impl std::fmt::Display for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CopyOf { source, .. } => write!(f, "it is an unfinished copy of {source}"),
            Self::MovingTo { target, .. } | Self::MovedTo { target } => {
                write!(f, "its accounts were moved to {target}")
            }
        }
    }
}

/// `None` where writes are taken.
pub async fn fence_of(store: &dyn Store) -> Result<Option<Fence>, StoreError> {
    let Some(found) = store.property(PROPERTY).await? else { return Ok(None) };
    let unknown = || StoreError::Damaged("its fence is of a kind that this version does not know".to_owned());
    Fence::parse(&found).map(Some).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_read_as_it_was_written() {
        let (identity, run) = (0x0012_3456_789a_bcde, u64::MAX);
        for fence in [
            Fence::CopyOf { source: "a path/with spaces.db".to_owned(), identity, run },
            Fence::MovingTo { target: "postgres://db.example.com:5432/einmal".to_owned(), identity, run },
            Fence::MovedTo { target: "a path/with spaces.db".to_owned() },
        ] {
            assert_eq!(Fence::parse(&fence.to_bytes()), Some(fence));
        }
        for text in ["", "moved-to", "copy-of 1 2", "copy-of x 1 y", "gone 1 1 x"] {
            assert_eq!(Fence::parse(text.as_bytes()), None, "{text}");
        }
    }
}
