//! A keyring as text. One key a line (or separated by commas, for an environment variable): `ID:KEY`, an id of 8 hex
//! digits and 32 bytes in base64, or `ID:KEY:new` for one that was added and not promoted yet. Lines that start with
//! `#` are comments; a change of the keys must never lose one.

use super::KeyringError;
use crate::store::KeyId;
use data_encoding::BASE64;
use einmal_core::{Entropy, EntropyError};
use std::fmt::Write;
use zeroize::{Zeroize, Zeroizing};

const KEY_BYTES: usize = 32;

pub(super) struct KeyringText {
    parts: Vec<Part>,
}

enum Part {
    /// A comment or an empty line.
    Comment(String),
    Key(Line),
}

#[derive(Clone)]
pub(super) struct Line {
    pub(super) id: KeyId,
    /// In base64.
    key: Zeroizing<String>,
    pub(super) is_new: bool,
}

impl KeyringText {
    pub(super) fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut parsed = Self { parts: Vec::new() };
        for line in text.lines() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                parsed.parts.push(Part::Comment(line.to_owned()));
                continue;
            }
            for entry in line.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
                let number = parsed.keys().count() + 1;
                let key = Line::parse(entry).ok_or(KeyringError::Malformed(number))?;
                if parsed.find(key.id).is_some() {
                    return Err(KeyringError::Twice(key.id));
                }
                parsed.parts.push(Part::Key(key));
            }
        }
        if parsed.keys().next().is_none() { Err(KeyringError::Empty) } else { Ok(parsed) }
    }

    pub(super) fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let comments = [
            "# einmal keyring: the first key seals, all of them open.",
            "# Whoever loses it loses every secret in the store; whoever reads it can read them.",
        ];
        let mut parts: Vec<_> = comments.map(|comment| Part::Comment(comment.to_owned())).into();
        parts.push(Part::Key(Line::generate(entropy)?));
        Ok(Self { parts })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Line> {
        self.parts.iter().filter_map(|part| match part {
            Part::Key(line) => Some(line),
            Part::Comment(_) => None,
        })
    }

    pub(super) fn find(&self, id: KeyId) -> Option<&Line> {
        self.keys().find(|line| line.id == id)
    }

    /// The one that seals.
    pub(super) fn first(&self) -> Option<&Line> {
        self.keys().next()
    }

    /// Behind all others, to be promoted.
    pub(super) fn add_new(&mut self, line: Line) {
        self.parts.push(Part::Key(Line { is_new: true, ..line }));
    }

    /// Behind all others, to open alone.
    pub(super) fn add_old(&mut self, line: Line) {
        self.parts.push(Part::Key(Line { is_new: false, ..line }));
    }

    pub(super) fn remove(&mut self, id: KeyId) {
        self.parts.retain(|part| !matches!(part, Part::Key(line) if line.id == id));
    }

    /// Puts the key in front of all others. None is new any more: those before it were passed over.
    pub(super) fn promote(&mut self, promoted: Line) {
        self.remove(promoted.id);
        for part in &mut self.parts {
            if let Part::Key(line) = part {
                line.is_new = false;
            }
        }
        let place = self.parts.iter().position(|part| matches!(part, Part::Key(_)));
        let promoted = Line { is_new: false, ..promoted };
        self.parts.insert(place.unwrap_or(self.parts.len()), Part::Key(promoted));
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let length = |part: &Part| match part {
            Part::Comment(text) => text.len() + 1,
            Part::Key(line) => line.key.len() + "00000000::new\n".len(),
        };
        // All the room at once: a text that moves while it grows would leave copies of keys behind.
        let mut text = Zeroizing::new(String::with_capacity(self.parts.iter().map(length).sum()));
        for part in &self.parts {
            match part {
                Part::Comment(comment) => text.push_str(comment),
                Part::Key(Line { id, key, is_new }) => {
                    // Writing to a string does not fail.
                    let _ = write!(text, "{id:08x}:");
                    text.push_str(key);
                    text.push_str(if *is_new { ":new" } else { "" });
                }
            }
            text.push('\n');
        }
        text
    }
}

impl Line {
    fn parse(entry: &str) -> Option<Self> {
        let (id, rest) = entry.split_once(':')?;
        let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = is_id.then(|| KeyId::from_str_radix(id, 16).ok()).flatten()?;
        let (key, is_new) = match rest.split_once(':') {
            None => (rest, false),
            Some((key, "new")) => (key, true),
            Some(_) => return None,
        };
        let line = Self { id, key: Zeroizing::new(key.to_owned()), is_new };
        line.key_bytes().is_some_and(|bytes| bytes.len() == KEY_BYTES).then_some(line)
    }

    pub(super) fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut id = [0; 4];
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(&mut id)?;
        entropy.fill(key.as_mut_slice())?;
        let key = Zeroizing::new(BASE64.encode(key.as_slice()));
        Ok(Self { id: KeyId::from_be_bytes(id), key, is_new: false })
    }

    pub(super) fn key_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        BASE64.decode(self.key.as_bytes()).ok().map(Zeroizing::new)
    }
}

impl Drop for Part {
    /// Somebody may have made a comment of a key.
    fn drop(&mut self) {
        if let Self::Comment(text) = self {
            text.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn key(byte: u8) -> String {
        BASE64.encode(&[byte; KEY_BYTES])
    }

    #[test]
    fn comments_stay_where_they_are_when_keys_change() {
        let (a, b, c) = (key(1), key(2), key(3));
        let text = format!("# mine\n0000000a:{a}\n\n  # the others\n0000000b:{b}, 0000000c:{c}:new\n# end");
        let mut text = KeyringText::parse(&text).unwrap();
        assert_eq!(
            text.to_text().as_str(),
            format!("# mine\n0000000a:{a}\n\n  # the others\n0000000b:{b}\n0000000c:{c}:new\n# end\n")
        );
        let promoted = text.find(12).unwrap().clone();
        text.promote(promoted);
        assert_eq!(
            text.to_text().as_str(),
            format!("# mine\n0000000c:{c}\n0000000a:{a}\n\n  # the others\n0000000b:{b}\n# end\n")
        );
        text.remove(11);
        assert_eq!(
            text.to_text().as_str(),
            format!("# mine\n0000000c:{c}\n0000000a:{a}\n\n  # the others\n# end\n")
        );
    }

    #[test]
    fn a_new_key_is_written_and_read_as_one() {
        let mut text = KeyringText::generate(&SystemEntropy).unwrap();
        text.add_new(Line::generate(&SystemEntropy).unwrap());
        let again = KeyringText::parse(&text.to_text()).unwrap();
        assert_eq!(again.keys().map(|line| line.is_new).collect::<Vec<_>>(), [false, true]);
        assert_eq!(again.to_text(), text.to_text());
        assert!(text.to_text().ends_with(":new\n"));
    }
}
