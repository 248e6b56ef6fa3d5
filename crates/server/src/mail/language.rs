//! Which of the languages that there are somebody wants, by language tags (RFC 5646). What was sent is only compared, and
//! never goes any further.

use std::collections::BTreeSet;

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
    fn a_file_is_of_a_language_if_its_name_is_a_tag() {
        for tag in ["en", "de", "pt-BR", "zh-Hant-TW", "sr-Latn", "nds"] {
            assert!(is_tag(tag), "{tag}");
        }
        for text in ["", "e", "english", "en_GB", "en-", "-en", "e1", "../en", "en--GB", "en GB"] {
            assert!(!is_tag(text), "{text}");
        }
    }
}
