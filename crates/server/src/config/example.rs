//! What einmal.example.toml says about keys: their defaults, and what kind of value stands there. Tests hold it to the
//! truth, so that nothing has to be written down twice.

use super::tree::{self, Table};
use std::collections::BTreeSet;

pub(super) const TEXT: &str = include_str!("../../../../einmal.example.toml");

/// Begins a line that shows a key without a default, or a table that is not there unless it is written.
const MARK: &str = "# Example: ";

pub(super) struct Example {
    /// Keys that have a default.
    pub defaults: Table,
    /// Every key, with some value of its kind.
    pub samples: Table,
    /// Tables that mean something by being there.
    pub optional: BTreeSet<String>,
}

impl Example {
    pub(super) fn read() -> Self {
        let (mut defaults, mut samples, mut optional) = (String::new(), String::new(), BTreeSet::new());
        for line in TEXT.lines() {
            let example = line.strip_prefix(MARK);
            let default =
                line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            let shown = example.or(default).unwrap_or(line);
            let is_header = shown.starts_with('[');
            if is_header && example.is_some() {
                optional.insert(shown.trim_matches(['[', ']']).to_owned());
            }
            if is_header || default.is_some() {
                defaults.extend([shown, "\n"]);
            }
            samples.extend([shown, "\n"]);
        }
        let parse = |text: &str| tree::parse_file(text).unwrap_or_default();
        Self { defaults: parse(&defaults), samples: parse(&samples), optional }
    }
}
