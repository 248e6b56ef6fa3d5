//! The effective configuration as TOML, for whoever wonders what is in force: every key, its value, and where that
//! comes from. Must never show a secret; what is masked has `***` in its line.

use super::Document;
use super::example::Example;
use super::fault::Place;
use super::keys::{self, Key, Kind};
use super::tree::{Node, Table, Value, parse_value};
use std::fmt::Write;
use zeroize::Zeroizing;

const MASK: &str = "***";

/// Of a configuration that has been checked: what is no value of its key is not expected here.
pub(super) fn print(document: &Document) -> Zeroizing<String> {
    let example = Example::read();
    let mut printed = Zeroizing::new(format!(
        "# In force: {}, environment variables over it, and defaults.\n\
         # Relative paths start from the directory of that file. {MASK} stands for what is not shown.\n",
        document.file.as_deref().unwrap_or("no file")
    ));
    for key in keys::ROOT {
        let set = document.root.get(key.name).map(|node| &node.value);
        let (defaults, samples) = (example.defaults.get(key.name), example.samples.get(key.name));
        match (&key.kind, set) {
            (Kind::Table(_), None) if example.optional.contains(key.name) => {
                line(&mut printed, format_args!("\n# [{}] is not set", key.name));
            }
            (Kind::Table(inner), set) => {
                line(&mut printed, format_args!("\n[{}]", key.name));
                print_keys(inner, table(set), table_of(defaults), table_of(samples), &mut printed);
            }
            (Kind::Tables(inner), Some(Value::List(list))) => {
                for element in list {
                    line(&mut printed, format_args!("\n[[{}]]", key.name));
                    let set = table(Some(&element.value));
                    print_keys(inner, set, first_of(defaults), first_of(samples), &mut printed);
                }
            }
            (Kind::Tables(_), _) => line(&mut printed, format_args!("\n# [[{}]] is not set", key.name)),
            // All keys of the root are tables.
            (Kind::Value | Kind::Secret, _) => {}
        }
    }
    printed
}

fn print_keys(
    keys: &[Key],
    set: Option<&Table>,
    defaults: Option<&Table>,
    samples: Option<&Table>,
    printed: &mut String,
) {
    for key in keys {
        let of = |table: Option<&Table>| -> Option<Node> { table?.get(key.name).cloned() };
        let sample = of(samples);
        let sample = sample.as_ref().map(|node| &node.value);
        let name = key.name;
        match (of(set), of(defaults)) {
            (Some(node), _) => {
                let (value, origin) = (shown(key, &node.value, sample), origin(&node.place));
                line(printed, format_args!("{name} = {} # {origin}", *value));
            }
            (None, Some(node)) => {
                line(printed, format_args!("{name} = {} # default", *shown(key, &node.value, sample)));
            }
            (None, None) => line(printed, format_args!("# {name} is not set")),
        }
    }
}

fn line(printed: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(printed, "{line}");
}

fn origin(place: &Place) -> String {
    match place {
        Place::Whole => "set".to_owned(),
        Place::Line(number) => format!("line {number}"),
        Place::Variable(name) => name.clone(),
    }
}

fn table(value: Option<&Value>) -> Option<&Table> {
    match value? {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

fn table_of(node: Option<&Node>) -> Option<&Table> {
    table(Some(&node?.value))
}

fn first_of(node: Option<&Node>) -> Option<&Table> {
    match &node?.value {
        Value::List(list) => table_of(list.first()),
        _ => None,
    }
}

/// The value as TOML. `sample` tells what an environment variable means, which is only text by itself.
fn shown(key: &Key, value: &Value, sample: Option<&Value>) -> Zeroizing<String> {
    let is_secret = matches!(key.kind, Kind::Secret);
    // Of a secret only a URL has parts that may be seen; another one may look like one by chance.
    if is_secret && key.name != "url" && matches!(value, Value::Text(_) | Value::Untyped(_)) {
        return Zeroizing::new(quoted(MASK));
    }
    Zeroizing::new(match value {
        Value::Text(text) => quoted(&masked(text, is_secret)),
        Value::Untyped(text) => match sample {
            Some(Value::Integer(_) | Value::Boolean(_)) => text.trim().to_owned(),
            Some(Value::List(_)) => match parse_value(text, &Place::Whole).map(|node| node.value) {
                Some(Value::List(list)) => listed(&list),
                _ => format!("[{}]", quoted(&masked(text, false))),
            },
            _ => quoted(&masked(text, is_secret)),
        },
        Value::Integer(number) => number.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Other(_) => quoted(MASK),
        Value::List(list) => listed(list),
        Value::Table(inner) => {
            let keys = key.inner().iter();
            let members = keys.filter_map(|key| {
                let sample = table(sample).and_then(|samples| samples.get(key.name));
                let value = shown(key, &inner.get(key.name)?.value, sample.map(|node| &node.value));
                Some(format!("{} = {}", key.name, *value))
            });
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    })
}

fn listed(list: &[Node]) -> String {
    let text = |node: &Node| match &node.value {
        Value::Text(text) | Value::Untyped(text) => quoted(&masked(text, false)),
        Value::Integer(number) => number.clone(),
        _ => quoted(MASK),
    };
    format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Without passwords and parameters of a URL; nothing at all of a secret that is none. A path of SQLite is no secret.
fn masked(text: &str, is_secret: bool) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if is_secret && !text.starts_with("sqlite:") { MASK.to_owned() } else { text.to_owned() };
    };
    // The last @: a password may have one itself, and slashes, too.
    let (user, rest) = match rest.rsplit_once('@') {
        None => (String::new(), rest),
        // A password with a question mark, or a parameter with an @: which, nobody can tell.
        Some((before, _)) if before.contains('?') => return format!("{scheme}://{MASK}"),
        Some((user, rest)) => {
            let user = user.split_once(':').map(|(user, _)| format!("{user}:")).unwrap_or_default();
            (format!("{user}{MASK}@"), rest)
        }
    };
    let rest = match rest.split_once('?') {
        None => rest.to_owned(),
        Some((rest, _)) => format!("{rest}?{MASK}"),
    };
    format!("{scheme}://{user}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_password_and_parameters() {
        for (text, expected) in [
            ("postgres://einmal:hunter2@db/einmal", "postgres://einmal:***@db/einmal"),
            ("postgres://einmal:hun/ter@2@db/einmal", "postgres://einmal:***@db/einmal"),
            ("postgres://hunter2@db/einmal?password=hunter2", "postgres://***@db/einmal?***"),
            ("postgres://db/einmal?password=hunter@2", "postgres://***"),
            ("postgres://einmal:hunter?2@db/einmal", "postgres://***"),
            ("postgres://db/einmal?sslmode=require", "postgres://db/einmal?***"),
            ("https://id.example.com/realms/cars", "https://id.example.com/realms/cars"),
            ("sqlite:/var/lib/einmal/einmal.db", "sqlite:/var/lib/einmal/einmal.db"),
        ] {
            assert_eq!(masked(text, true), expected);
            assert_eq!(masked(text, false), expected);
        }
        assert_eq!(masked("hunter2", true), "***");
        assert_eq!(masked("hunter2", false), "hunter2");
    }
}
