//! Typed reading of one table. Every wrong value becomes a fault with its place, and reading goes on, so that the
//! operator sees all faults at once.

use super::duration::parse_seconds;
use super::environment::{Environment, VariableError};
use super::fault::{Fault, Place};
use super::keys::join;
use super::secret::Secret;
use super::tree::{Node, Table, Value, parse_value};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What reading needs beside the table itself.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The configuration file's directory, which relative paths start from.
    pub directory: &'a Path,
    pub environment: &'a Environment,
}

/// One table, or the absence of it: then every key is absent.
pub(super) struct Section<'a> {
    path: String,
    place: Place,
    table: Option<&'a Table>,
    surroundings: Surroundings<'a>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        path: impl Into<String>,
        node: Option<&'a Node>,
        surroundings: Surroundings<'a>,
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        let place = node.map(|node| node.place.clone()).unwrap_or_default();
        let table = node.and_then(|node| match &node.value {
            Value::Table(table) => Some(table),
            // Another kind of value has been refused when the keys were checked.
            _ => None,
        });
        Self { path: path.into(), place, table, surroundings, faults }
    }

    fn node(&self, key: &str) -> Option<&'a Node> {
        self.table?.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// The value of `key` as it may be shown; `None` if it is absent. Not for secrets.
    pub(super) fn shown(&self, key: &str) -> Option<String> {
        self.node(key).map(Node::found)
    }

    /// Records a fault at the key, or at the section if the key is absent.
    pub(super) fn refuse(&mut self, key: &str, message: impl Display) {
        let place = self.node(key).map_or_else(|| self.place.clone(), |node| node.place.clone());
        self.faults.push(Fault::new(place, join(&self.path, key), message.to_string()));
    }

    /// Records that the section itself is not right.
    pub(super) fn refuse_whole(&mut self, message: impl Display) {
        self.faults.push(Fault::new(self.place.clone(), self.path.clone(), message.to_string()));
    }

    fn mismatch<T>(&mut self, key: &str, expected: impl Display) -> Option<T> {
        let found = self.shown(key).unwrap_or_default();
        self.refuse(key, format!("found {found}, expected {expected}"));
        None
    }

    /// Text that `parse` takes.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        match text_of(self.node(key)?).and_then(parse) {
            Some(value) => Some(value),
            None => self.mismatch(key, expected),
        }
    }

    pub(super) fn whole_number(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = if *range.end() == u64::MAX {
            "a whole number".to_owned()
        } else {
            format!("a whole number from {} to {}", range.start(), range.end())
        };
        self.number(key, &expected, |number| range.contains(&number))
    }

    /// A whole number that `takes` takes.
    pub(super) fn number(&mut self, key: &str, expected: &str, takes: impl Fn(u64) -> bool) -> Option<u64> {
        let number = match &self.node(key)?.value {
            Value::Integer(text) => text.parse().ok(),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number.filter(|number| takes(*number)) {
            Some(number) => Some(number),
            None => self.mismatch(key, expected),
        }
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = match &self.node(key)?.value {
            Value::Boolean(value) => Some(*value),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        value.or_else(|| self.mismatch(key, "true or false"))
    }

    pub(super) fn seconds(&mut self, key: &str) -> Option<u64> {
        self.parsed(key, "a duration in whole seconds such as \"30s\", \"5m\" or \"1h\"", parse_seconds)
    }

    /// A list of texts. In an environment variable one text alone is a list, too.
    pub(super) fn texts(&mut self, key: &str, expected: &str) -> Option<Vec<String>> {
        let node = self.node(key)?;
        let texts = match &node.value {
            Value::List(list) => list_of_texts(list),
            Value::Untyped(text) if text.trim_start().starts_with('[') => {
                match parse_value(text, &node.place).map(|node| node.value) {
                    Some(Value::List(list)) => list_of_texts(&list),
                    _ => None,
                }
            }
            Value::Untyped(text) => Some(vec![text.to_string()]),
            _ => None,
        };
        match texts.filter(|texts| !texts.is_empty() && texts.iter().all(|text| !text.is_empty())) {
            Some(texts) => Some(texts),
            None => self.mismatch(key, expected),
        }
    }

    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        self.node(key).is_some_and(|node| match &node.value {
            Value::List(list) => list.is_empty(),
            Value::Untyped(text) => text.trim() == "[]",
            _ => false,
        })
    }

    /// A path; a relative one starts from the configuration file's directory.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.parsed(key, "a path", |text| (!text.is_empty()).then(|| text.to_owned()))?;
        Some(self.resolve(&text))
    }

    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.surroundings.directory.join(path)
    }

    /// A table inside of this one; `None` if it is absent.
    pub(super) fn table<'b>(&'b mut self, key: &str) -> Option<Section<'b>>
    where
        'a: 'b,
    {
        let node = self.node(key)?;
        Some(Section::new(join(&self.path, key), Some(node), self.surroundings, self.faults))
    }

    /// The name of an environment variable. The text is not shown: people paste the secret itself.
    pub(super) fn variable_name(&mut self, key: &str) -> Option<String> {
        let name = text_of(self.node(key)?).filter(|text| is_variable_name(text));
        if name.is_none() {
            self.refuse(key, "expected the name of an environment variable, such as EINMAL_KEYS");
        }
        name.map(str::to_owned)
    }

    /// What the environment variable `name` holds, which the key `key` points to.
    pub(super) fn variable(&mut self, key: &str, name: &str) -> Option<Secret> {
        match self.surroundings.environment.get(name) {
            Ok(value) => Some(Secret::new(value)),
            Err(VariableError::NotSet) => {
                self.refuse(key, format!("the environment variable {name} is not set"));
                None
            }
            Err(VariableError::NotUtf8) => {
                self.refuse(key, format!("the environment variable {name} is not UTF-8"));
                None
            }
        }
    }

    /// Text, or a table that says where it is.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let node = self.node(key)?;
        if let Some(text) = text_of(node) {
            return Some(Secret::new(text));
        }
        if !matches!(node.value, Value::Table(_)) {
            let found = node.found_kind();
            self.refuse(
                key,
                format!("found {found}, expected text, {{ file = \"path\" }} or {{ env = \"NAME\" }}"),
            );
            return None;
        }
        let mut source = self.table(key)?;
        match (source.has("file"), source.has("env")) {
            (true, false) => source.secret_file(),
            (false, true) => {
                let name = source.variable_name("env")?;
                source.variable("env", &name)
            }
            _ => {
                source.refuse_whole("expected either file or env");
                None
            }
        }
    }

    fn secret_file(&mut self) -> Option<Secret> {
        let path = self.path("file")?;
        match std::fs::read_to_string(&path) {
            // Editors and `echo` end a file with a newline that is no part of the secret.
            Ok(text) => {
                let text = zeroize::Zeroizing::new(text);
                Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
            }
            Err(error) => {
                self.refuse("file", format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) | Value::Untyped(text) => Some(text),
        _ => None,
    }
}

fn list_of_texts(list: &[Node]) -> Option<Vec<String>> {
    list.iter().map(|node| text_of(node).map(str::to_owned)).collect()
}

fn is_variable_name(text: &str) -> bool {
    text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
}
