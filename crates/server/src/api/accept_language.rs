//! Which languages a client wants: the header `Accept-Language` (RFC 9110 section 12.5.4).

use super::negotiate::{split_parameter, weight};

/// Ranges of one header that are looked at.
const MOST_RANGES: usize = 32;

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
    let weight = match parts.next().map(|parameter| split_parameter(parameter.as_bytes())) {
        None => 1_000,
        Some((name, value)) => weight(value).filter(|_| name.eq_ignore_ascii_case(b"q"))?,
    };
    (weight > 0).then_some((weight, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
