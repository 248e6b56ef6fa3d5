//! Which keys there are. A key that is not here is refused with the nearest one that is, and never ignored: a
//! misspelled limit would otherwise leave the default in force without a word.

use super::fault::Fault;
use super::tree::{Node, Table, Value};

/// A key of a table, and what may stand there.
pub(super) struct Key {
    pub name: &'static str,
    pub kind: Kind,
}

pub(super) enum Kind {
    Value,
    /// Text, or `{ file = "path" }`, or `{ env = "NAME" }`.
    Secret,
    Table(&'static [Key]),
    /// An array of tables.
    Tables(&'static [Key]),
}

pub(super) const ROOT: &[Key] = &[
    Key::table("http", super::http::KEYS),
    Key::table("store", super::store::KEYS),
    Key::table("keyring", super::keyring::KEYS),
    Key { name: "issuers", kind: Kind::Tables(super::issuers::KEYS) },
    Key::table("mail", super::mail::KEYS),
    Key::table("otp", super::otp::KEYS),
    Key::table("totp", super::totp::KEYS),
    Key::table("throttle", super::throttle::KEYS),
    Key::table("admin", super::admin::KEYS),
    Key::table("account_page", super::account_page::KEYS),
    Key::table("log", super::log::KEYS),
    Key::table("events", super::events::KEYS),
];

const SECRET_SOURCE: &[Key] = &[Key::value("file"), Key::value("env")];

impl Key {
    pub(super) const fn value(name: &'static str) -> Self {
        Self { name, kind: Kind::Value }
    }

    pub(super) const fn secret(name: &'static str) -> Self {
        Self { name, kind: Kind::Secret }
    }

    pub(super) const fn table(name: &'static str, keys: &'static [Self]) -> Self {
        Self { name, kind: Kind::Table(keys) }
    }

    /// The keys inside of this one, whichever index is asked for.
    pub(super) fn inner(&self) -> &'static [Self] {
        match self.kind {
            Kind::Table(keys) | Kind::Tables(keys) => keys,
            Kind::Secret => SECRET_SOURCE,
            Kind::Value => &[],
        }
    }
}

/// Refuses every key of the file that is not known.
pub(super) fn check(table: &Table, known: &'static [Key], prefix: &str, faults: &mut Vec<Fault>) {
    for (name, node) in table {
        let path = join(prefix, name);
        let Some(key) = known.iter().find(|key| key.name == name) else {
            faults.push(Fault::new(node.place.clone(), path.escape_debug().to_string(), unknown(&path)));
            continue;
        };
        match (&key.kind, &node.value) {
            (Kind::Tables(keys), Value::List(tables)) => {
                for (index, element) in tables.iter().enumerate() {
                    check_element(element, keys, &format!("{path}.{index}"), faults);
                }
            }
            (Kind::Table(_) | Kind::Secret, Value::Table(inner)) => check(inner, key.inner(), &path, faults),
            (Kind::Table(_), _) => faults.push(wrong_kind(node, &path, "a table")),
            (Kind::Tables(_), _) => faults.push(wrong_kind(node, &path, "an array of tables")),
            (Kind::Value | Kind::Secret, _) => {}
        }
    }
}

fn check_element(element: &Node, keys: &'static [Key], path: &str, faults: &mut Vec<Fault>) {
    match &element.value {
        Value::Table(inner) => check(inner, keys, path, faults),
        _ => faults.push(wrong_kind(element, path, "a table")),
    }
}

fn wrong_kind(node: &Node, path: &str, expected: &str) -> Fault {
    Fault::new(node.place.clone(), path, format!("found {}, expected {expected}", node.found_kind()))
}

/// The message about a key that does not exist.
pub(super) fn unknown(path: &str) -> String {
    format!("unknown key, the nearest known one is {}", nearest(path))
}

/// The known key that is most like `path`, with the index that `path` has.
pub(super) fn nearest(path: &str) -> String {
    let index = path.split('.').find(|part| is_index(part)).unwrap_or("0");
    let depth = path.split('.').count();
    let mut known = Vec::new();
    collect(ROOT, "", index, &mut known);
    let leaf = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |candidate: &str| {
        let whole = strsim::normalized_damerau_levenshtein(path, candidate);
        // The right name in the wrong table is a likelier mistake than another name in the same one.
        let same_leaf = depth > 1 && leaf(path) == leaf(candidate);
        if same_leaf { 1.0 + whole } else { whole }
    };
    known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}

/// Whether a part of a path is the position in an array.
pub(super) fn is_index(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Paths of all keys that this version has, tables included.
pub(super) fn collect(keys: &'static [Key], prefix: &str, index: &str, paths: &mut Vec<String>) {
    for key in keys {
        let path = join(prefix, key.name);
        paths.push(path.clone());
        match key.kind {
            Kind::Table(_) | Kind::Secret => collect(key.inner(), &path, index, paths),
            Kind::Tables(inner) => collect(inner, &join(&path, index), index, paths),
            Kind::Value => {}
        }
    }
}
