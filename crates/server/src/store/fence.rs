//! A store that takes no writes, and why. Must never be lifted while another store has taken its place.

use super::{Store, StoreError};

/// The mark that stands beside the refusal, so that whoever comes later knows why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The accounts are in another store now. Its name may change, its identity does not.
    MovedTo { target: String, identity: u64 },
    /// A copy of the store of this name that is not finished. The number is of the run that makes it: two must not both
    /// believe that they finish it.
    CopyOf { source: String, run: u64 },
}

/// What is kept where properties are.
pub(super) const PROPERTY: &str = "fence";

impl Fence {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::MovedTo { target, identity } => format!("moved-to {identity:016x} {target}").into_bytes(),
            Self::CopyOf { source, run } => format!("copy-of {run:016x} {source}").into_bytes(),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(bytes).ok()?.splitn(3, ' ');
        let (kind, number, name) = (words.next()?, words.next()?, words.next()?.to_owned());
        let number = u64::from_str_radix(number, 16).ok()?;
        match kind {
            "moved-to" => Some(Self::MovedTo { target: name, identity: number }),
            "copy-of" => Some(Self::CopyOf { source: name, run: number }),
            _ => None,
        }
    }
}

impl std::fmt::Display for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MovedTo { target, .. } => write!(f, "its accounts were moved to {target}"),
            Self::CopyOf { source, .. } => write!(f, "it is an unfinished copy of {source}"),
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
        let run = 0x0012_3456_789a_bcde;
        for fence in [
            Fence::MovedTo { target: "postgres://db.example.com:5432/einmal".to_owned(), identity: run },
            Fence::CopyOf { source: "a path/with spaces.db".to_owned(), run },
        ] {
            assert_eq!(Fence::parse(&fence.to_bytes()), Some(fence));
        }
        for text in ["", "moved-to", "copy-of 1", "copy-of x y", "gone 1 x"] {
            assert_eq!(Fence::parse(text.as_bytes()), None, "{text}");
        }
    }
}
