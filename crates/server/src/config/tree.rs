//! The configuration before anybody asks for a key: values, each with the place where it was written.

use super::fault::{Fault, Place};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub(super) type Table = BTreeMap<String, Node>;

/// A value and where it was written.
#[derive(Clone)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// Text is wiped on drop: it may be a secret.
#[derive(Clone)]
pub(super) enum Value {
    Text(Zeroizing<String>),
    /// As an environment variable gives it: the reader decides whether it is a number, a list or text.
    Untyped(Zeroizing<String>),
    Integer(String),
    Boolean(bool),
    /// What no key of ours wants; the text says what was found.
    Other(&'static str),
    List(Vec<Node>),
    Table(Table),
}

impl Node {
    /// What is there, for a message. Do not use it where a secret may be.
    pub(super) fn found(&self) -> String {
        match &self.value {
            // A password may stand in any URL, also where none belongs.
            Value::Text(text) | Value::Untyped(text) if text.contains("://") && text.contains('@') => {
                "a URL with a user name or password".to_owned()
            }
            Value::Text(text) | Value::Untyped(text) => format!("{:?}", text.as_str()),
            Value::Integer(number) => format!("the number {number}"),
            Value::Boolean(value) => value.to_string(),
            _ => self.found_kind().to_owned(),
        }
    }

    /// The same without the value.
    pub(super) fn found_kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) | Value::Untyped(_) => "a string",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::Other(kind) => kind,
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Reads the text of a TOML file. All syntax errors at once, without the lines themselves: one may hold a secret.
pub(super) fn parse_file(text: &str) -> Result<Table, Vec<Fault>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|error| {
                let place = error.span().map_or(Place::Whole, |span| Place::Line(line_of(text, span.start)));
                Fault::new(place, "", format!("not valid TOML: {}", error.message()))
            })
            .collect());
    }
    Ok(table(document.into_inner(), &|start| Place::Line(line_of(text, start))))
}

/// Reads one TOML value as an environment variable holds it; `None` if it is not one.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(node(value, &|_| place.clone()))
}

fn table(table: DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Table {
    table
        .into_iter()
        .map(|(key, value)| {
            // A table that was opened by a header has its key's line; so has everything else.
            let mut node = node(value, place);
            node.place = place(key.span().start);
            (key.into_inner().into_owned(), node)
        })
        .collect()
}

fn node(value: Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Node {
    let start = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(Zeroizing::new(text.into_owned())),
        DeValue::Integer(number) => Value::Integer(number.to_string()),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(list) => Value::List(list.into_iter().map(|value| node(value, place)).collect()),
        DeValue::Table(inner) => Value::Table(table(inner, place)),
    };
    Node { place: place(start), value }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
