//! `[events]`: whether security events are written, and where. Opens nothing.

use super::keys::Key;
use super::section::Section;
use crate::events::Output;

pub(super) const KEYS: &[Key] = &[Key::value("output")];

const EXPECTED: &str = "\"off\", \"stdout\" or the path of a file, such as \"/var/lib/einmal/events.jsonl\"";

/// `None` if they are not.
pub(super) fn read(section: &mut Section<'_>) -> Option<Output> {
    if !section.has("output") {
        return None;
    }
    // A word that is meant to be one of the two, and misspelled, would be a file in the folder of the configuration.
    let is_a_path = |text: &str| text.contains('/') || text.contains('.');
    let takes = |text: &str| matches!(text, "off" | "stdout") || is_a_path(text);
    let text = section.parsed("output", EXPECTED, |text| takes(text).then(|| text.to_owned()))?;
    match text.as_str() {
        "off" => None,
        "stdout" => Some(Output::Stdout),
        path => Some(Output::File(section.resolve(path))),
    }
}
