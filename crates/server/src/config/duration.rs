//! Durations as operators write them: `30s`, `5m`, `1h 30m`. Whole seconds, because nothing here needs less.

/// Seconds; `None` for what is no duration or has a fraction of a second.
pub(super) fn parse_seconds(text: &str) -> Option<u64> {
    // humantime takes a bare 0 without a unit; here a unit is always written.
    if !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let duration = humantime::parse_duration(text).ok()?;
    (duration.subsec_nanos() == 0).then_some(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_whole_seconds() {
        assert_eq!(parse_seconds("30s"), Some(30));
        assert_eq!(parse_seconds("5m"), Some(300));
        assert_eq!(parse_seconds("1h 30m"), Some(5_400));
        assert_eq!(parse_seconds("2000ms"), Some(2));
        for text in ["", "0", "30", "1500ms", "-5s", "5 minutes ago", "s"] {
            assert_eq!(parse_seconds(text), None, "{text:?}");
        }
    }
}
