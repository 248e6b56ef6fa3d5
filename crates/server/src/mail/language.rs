//! Which of the languages that there are somebody wants: language tags (RFC 5646), and the header `Accept-Language`
//! (RFC 9110 section 12.5.4). What was sent is only compared, and never goes any further.

use std::collections::BTreeSet;

/// Ranges of one header that are looked at.
const MOST_RANGES: usize = 32;

/// Whether it is a tag such as `de` or `pt-BR`.
pub(super) fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_language =
        |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_subtag =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    parts.next().is_some_and(is_language) && parts.all(is_subtag)
}

/// The language for a tag, or for what it begins with: `de-AT` is served by `de` (RFC 4647 section 3.4). With
/// underscores, as some issuers write it, it is the same.
pub(super) fn look_up<'a>(tag: &str, languages: &'a BTreeSet<String>) -> Option<&'a str> {
    let tag = tag.trim().replace('_', "-");
    let mut wanted = tag.as_str();
    loop {
        if let Some(language) = languages.iter().find(|language| language.eq_ignore_ascii_case(wanted)) {
            return Some(language);
        }
        wanted = wanted.rsplit_once('-')?.0;
    }
}

/// The tags of these header lines, the most wanted ones first; those that are not wanted at all left out.
pub(super) fn accepted<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let ranges = lines.iter().flat_map(|line| line.split(',')).take(MOST_RANGES);
    let mut weighed: Vec<(u16, &str)> = ranges.filter_map(weigh).collect();
    // Stable: of equal ones the first is meant.
    weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighed.into_iter().map(|(_, tag)| tag).collect()
}

/// A range with its weight in thousandths.
fn weigh(range: &str) -> Option<(u16, &str)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next()?;
    let weight = match parts.next() {
        None => 1_000,
        Some(parameter) => {
            let (name, value) = parameter.split_once('=')?;
            thousandths(value.trim()).filter(|_| name.trim().eq_ignore_ascii_case("q"))?
        }
    };
    (weight > 0).then_some((weight, tag))
}

/// RFC 9110 section 12.4.2; `None` for what is no weight.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest: u16 = format!("{rest:0<3}").parse().ok()?;
    match whole {
        "0" => Some(rest),
        "1" if rest == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_finds_its_language_or_what_it_begins_with() {
        let languages = ["en", "de", "pt-BR", "fr"].map(str::to_owned).into();
        for (tag, language) in [
            ("de", Some("de")),
            ("DE", Some("de")),
            ("de-AT", Some("de")),
            ("de_CH", Some("de")),
            ("de-Latn-DE-1996", Some("de")),
            ("pt-br", Some("pt-BR")),
            ("pt", None),
            ("pt-PT", None),
            ("deu", None),
            ("nl", None),
            ("", None),
            ("-", None),
            ("*", None),
        ] {
            assert_eq!(look_up(tag, &languages), language, "{tag}");
        }
    }

    #[test]
    fn the_header_is_ordered_by_its_weights() {
        for (lines, expected) in [
            (&["de"][..], &["de"][..]),
            (&["nl, fr;q=0.7, de;q=0.9, *;q=0.1"], &["nl", "de", "fr", "*"]),
            (&["en;q=0.5", "de;q=0.501"], &["de", "en"]),
            (&["fr;q=0, de;q=0.000, en;Q=1.000"], &["en"]),
            (&["fr;q=2, de;q=abc, en;q=0.1234, nl;q=, it;x=1, es"], &["es"]),
            (&["", ","], &["", "", ""]),
        ] {
            assert_eq!(accepted(lines), expected, "{lines:?}");
        }
        assert_eq!(accepted(&[&"de,".repeat(30_000)]).len(), MOST_RANGES);
    }

    #[test]
    fn a_file_is_of_a_language_if_its_name_is_a_tag() {
        for tag in ["en", "de", "pt-BR", "zh-Hant-TW", "sr-Latn", "nds"] {
            assert!(is_tag(tag), "{tag}");
        }
        for text in ["", "e", "english", "en_GB", "en-", "-en", "e1", "../en", "en--GB", "en GB"] {
            assert!(!is_tag(text), "{text}");
        }
    }
}
