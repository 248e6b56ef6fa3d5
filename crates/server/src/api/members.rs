//! JSON objects as operations read them: a known member given twice is an error, an unknown one is nothing, and
//! null is absent. Keys are compared after their escapes are resolved, so that no spelling slips past.

use super::error::{ApiError, ErrorCode, Fault};
use super::faults::Faults;
use super::node::Node;
use std::ops::RangeInclusive;

/// The known members of one object, each at most once.
pub struct Members<'a> {
    pointer: String,
    known: Vec<(&'static str, Node<'a>)>,
}

impl<'a> Members<'a> {
    /// The object that `body` is: `malformed-json` if it is no JSON or has one of `known` twice, `invalid-value`
    /// if it is no object.
    pub fn parse(body: &'a [u8], known: &[&'static str]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(node) => Self::new(node, String::new(), known).map_err(ApiError::from),
            Err(_) => Err(Fault::new(ErrorCode::MalformedJson).into()),
        }
    }

    fn new(node: Node<'a>, pointer: String, known: &[&'static str]) -> Result<Self, Fault> {
        let Node::Object(members) = node else {
            return Err(Fault::new(ErrorCode::InvalidValue).detail("Must be an object.").pointer(pointer));
        };
        let mut members_known: Vec<(&'static str, Node<'a>)> = Vec::with_capacity(known.len());
        for (name, value) in members {
            let Some(name) = known.iter().find(|known| **known == name) else { continue };
            if members_known.iter().any(|(seen, _)| seen == name) {
                return Err(Fault::new(ErrorCode::MalformedJson)
                    .detail("The member is given twice.")
                    .pointer(format!("{pointer}/{name}")));
            }
            members_known.push((name, value));
        }
        Ok(Self { pointer, known: members_known })
    }

    /// Where a member is or would be, for faults that an operation finds itself.
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// A text of so many characters. Adds a fault and returns `None` if it is there and is none.
    pub fn text(&self, name: &str, length: RangeInclusive<usize>, faults: &mut Faults) -> Option<&str> {
        match self.get(name)? {
            Node::Text(text) if length.contains(&text.chars().count()) => Some(text),
            _ => {
                let (least, most) = length.into_inner();
                faults.invalid(
                    self.pointer(name),
                    format!("Must be a string of {least} to {most} characters."),
                );
                None
            }
        }
    }

    /// The same, and a fault if it is absent.
    pub fn required_text(
        &self,
        name: &str,
        length: RangeInclusive<usize>,
        faults: &mut Faults,
    ) -> Option<&str> {
        self.require(name, faults)?;
        self.text(name, length, faults)
    }

    /// A whole number in `range`. Adds a fault and returns `None` if it is there and is none.
    pub fn integer(&self, name: &str, range: RangeInclusive<i64>, faults: &mut Faults) -> Option<i64> {
        match self.get(name)? {
            Node::Integer(number) if range.contains(number) => Some(*number),
            _ => {
                let (least, most) = range.into_inner();
                faults.invalid(self.pointer(name), format!("Must be a whole number from {least} to {most}."));
                None
            }
        }
    }

    /// An array of at most `most` items, each of which `parse` knows. Every unknown one is a fault with its own
    /// pointer. Absent and empty are the same.
    pub fn items<T>(
        &self,
        name: &str,
        most: usize,
        parse: impl Fn(&str) -> Option<T>,
        expected: &'static str,
        faults: &mut Faults,
    ) -> Vec<T> {
        let items = match self.get(name) {
            None => return Vec::new(),
            Some(Node::Array(items)) if items.len() <= most => items,
            Some(_) => {
                faults.invalid(self.pointer(name), format!("Must be an array of at most {most} items."));
                return Vec::new();
            }
        };
        let mut parsed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let known = if let Node::Text(text) = item { parse(text) } else { None };
            match known {
                Some(item) => parsed.push(item),
                None => faults.invalid(format!("{}/{index}", self.pointer(name)), expected),
            }
        }
        parsed
    }

    /// An object within this one, taken out of it. Adds a fault and returns `None` if it is there and is none.
    pub fn object(&mut self, name: &str, known: &[&'static str], faults: &mut Faults) -> Option<Members<'a>> {
        let at = self.known.iter().position(|(member, value)| *member == name && !value.is_null())?;
        let (_, node) = self.known.swap_remove(at);
        Members::new(node, self.pointer(name), known).map_err(|fault| faults.push(fault)).ok()
    }

    /// The same, and a fault if it is absent.
    pub fn required_object(
        &mut self,
        name: &str,
        known: &[&'static str],
        faults: &mut Faults,
    ) -> Option<Members<'a>> {
        self.require(name, faults)?;
        self.object(name, known, faults)
    }

    /// Whether it is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn require(&self, name: &str, faults: &mut Faults) -> Option<()> {
        if !self.has(name) {
            faults.missing(self.pointer(name));
            return None;
        }
        Some(())
    }

    fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.known.iter().find(|(member, value)| *member == name && !value.is_null()).map(|(_, value)| value)
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
