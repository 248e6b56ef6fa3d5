//! Lays environment variables over the file: `EINMAL__ISSUERS__0__ISSUER` sets `issuers[0].issuer`. Must not guess
//! types: the reader of a key knows whether it wants a number, so a value such as `12345` stays text until then.

use super::environment::{Environment, Override};
use super::fault::{Fault, Place};
use super::keys::{self, Key, Kind};
use super::tree::{Node, Table, Value, parse_value};
use zeroize::Zeroizing;

pub(super) fn apply(root: &mut Table, environment: &Environment, faults: &mut Vec<Fault>) {
    let mut variables: Vec<(Vec<String>, Override<'_>)> = environment
        .overrides()
        .map(|variable| (variable.name.split("__").skip(1).map(str::to_lowercase).collect(), variable))
        .collect();
    // By number, not by letter: 10 must come after 2 for the list to grow one by one.
    variables
        .sort_by_cached_key(|(segments, _)| segments.iter().map(|part| sort_key(part)).collect::<Vec<_>>());
    for (segments, variable) in variables {
        if let Err((key, message)) = set(root, &segments, &variable) {
            faults.push(Fault::new(Place::Variable(variable.name.escape_debug().to_string()), key, message));
        }
    }
}

fn sort_key(part: &str) -> (usize, String) {
    (part.parse().unwrap_or(usize::MAX), part.to_owned())
}

type Refusal = (String, String);

fn set(root: &mut Table, segments: &[String], variable: &Override<'_>) -> Result<(), Refusal> {
    let path = segments.join(".");
    let refuse = |message: String| (path.escape_debug().to_string(), message);
    let key = resolve(keys::ROOT, segments).ok_or_else(|| refuse(unknown(&path)))?;
    if variable.name != variable_name(&path) {
        return Err(refuse(format!("expected capital letters: {}", variable_name(&path))));
    }
    let text = variable.value.ok_or_else(|| refuse("the value is not UTF-8".to_owned()))?;
    let place = Place::Variable(variable.name.to_owned());
    let node = typed(key, segments, text, &place).map_err(|message| refuse(message.to_owned()))?;
    put(root, segments, node, &place).map_err(refuse)
}

/// Tables and arrays of tables are written in TOML; whatever else is left to the reader of the key.
fn typed(key: &Key, segments: &[String], text: &str, place: &Place) -> Result<Node, &'static str> {
    let element = segments.last().is_some_and(|part| keys::is_index(part));
    let parsed = || parse_value(text, place);
    match key.kind {
        Kind::Table(_) => {
            parsed().filter(is_table).ok_or("expected a table in TOML, such as { name = \"value\" }")
        }
        Kind::Tables(_) if element => {
            parsed().filter(is_table).ok_or("expected a table in TOML, such as { name = \"value\" }")
        }
        Kind::Tables(_) => parsed()
            .filter(|node| matches!(node.value, Value::List(_)))
            .ok_or("expected an array of tables in TOML, such as [{ name = \"value\" }]"),
        Kind::Secret if text.trim_start().starts_with('{') => {
            parsed().ok_or("expected text, { file = \"path\" } or { env = \"NAME\" }")
        }
        _ => Ok(Node { place: place.clone(), value: Value::Untyped(Zeroizing::new(text.to_owned())) }),
    }
}

fn is_table(node: &Node) -> bool {
    matches!(node.value, Value::Table(_))
}

/// The key that a path names, if there is one. An index must follow an array of tables and nothing else.
fn resolve(keys: &'static [Key], segments: &[String]) -> Option<&'static Key> {
    let (first, rest) = segments.split_first()?;
    let key = keys.iter().find(|key| key.name == first)?;
    match (&key.kind, rest) {
        (_, []) => Some(key),
        (Kind::Tables(_), [index]) if keys::is_index(index) => Some(key),
        (Kind::Tables(inner), [index, rest @ ..]) if keys::is_index(index) => resolve(inner, rest),
        (Kind::Tables(_), _) => None,
        _ => resolve(key.inner(), rest),
    }
}

/// Walks to where the key lives, makes the tables on the way, and replaces what is there.
fn put(table: &mut Table, segments: &[String], node: Node, place: &Place) -> Result<(), String> {
    let Some((first, rest)) = segments.split_first() else { return Ok(()) };
    if rest.is_empty() {
        table.insert(first.clone(), node);
        return Ok(());
    }
    let empty = || match rest.first() {
        Some(next) if keys::is_index(next) => Value::List(Vec::new()),
        _ => Value::Table(Table::new()),
    };
    let child = table.entry(first.clone()).or_insert_with(|| Node { place: place.clone(), value: empty() });
    match (&mut child.value, rest) {
        (Value::Table(inner), _) => put(inner, rest, node, place),
        (Value::List(list), [index, rest @ ..]) => put_element(list, index, rest, node, place),
        // A secret given as text, and now by file or variable.
        (value, _) => {
            *value = Value::Table(Table::new());
            child.place = place.clone();
            match &mut child.value {
                Value::Table(inner) => put(inner, rest, node, place),
                _ => Ok(()),
            }
        }
    }
}

fn put_element(
    list: &mut Vec<Node>,
    index: &str,
    rest: &[String],
    node: Node,
    place: &Place,
) -> Result<(), String> {
    let length = list.len();
    let number = index.parse().unwrap_or(usize::MAX);
    if number > length {
        return Err(format!("there is no element {index}, the next one would be {length}"));
    }
    if number == length {
        list.push(Node { place: place.clone(), value: Value::Table(Table::new()) });
    }
    let Some(element) = list.get_mut(number) else { return Ok(()) };
    match &mut element.value {
        _ if rest.is_empty() => *element = node,
        Value::Table(inner) => return put(inner, rest, node, place),
        // The file has something else than a table here, which is reported from there.
        _ => {}
    }
    Ok(())
}

fn unknown(path: &str) -> String {
    let nearest = keys::nearest(path);
    format!("unknown key, the nearest known one is {nearest} ({})", variable_name(&nearest))
}

fn variable_name(path: &str) -> String {
    format!("{}{}", Environment::PREFIX, path.to_uppercase().replace('.', "__"))
}
