//! The header `traceparent` (W3C Trace Context, level 1). What is not exactly right is as if it was not there: it
//! comes from outside, and goes into the log.

use data_encoding::HEXLOWER;
use std::fmt;

/// 16 bytes, not all of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub(super) [u8; 16]);

/// 8 bytes, not all of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub(super) [u8; 8]);

/// What the caller says of its own part of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub trace: TraceId,
    pub span: SpanId,
    pub is_sampled: bool,
}

/// Of version 00; later ones may be longer.
const LENGTH: usize = 55;

impl Parent {
    /// Several lines say nothing: a proxy may have heeded another one.
    pub(super) fn of_lines<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let line = lines.next()?;
        if lines.next().is_some() { None } else { Self::parse(line) }
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let (known, later) = line.split_at_checked(LENGTH)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let [version] = bytes(fields.next()?)?;
        let trace = TraceId(bytes(fields.next()?)?);
        let span = SpanId(bytes(fields.next()?)?);
        let [flags] = bytes(fields.next()?)?;
        let is_sound = match version {
            0 => later.is_empty(),
            0xff => false,
            _ => matches!(later, [] | [b'-', ..]),
        };
        let is_zero = trace.0 == [0; 16] || span.0 == [0; 8];
        let is_parent = is_sound && !is_zero && fields.next().is_none();
        is_parent.then_some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }
}

/// Two small letters or digits a byte.
fn bytes<const LENGTH: usize>(hex: &[u8]) -> Option<[u8; LENGTH]> {
    HEXLOWER.decode(hex).ok()?.try_into().ok()
}

/// A new trace and its first span.
pub(super) fn ids(random: [u8; 24]) -> (TraceId, SpanId) {
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    let (of_trace, of_span) = random.split_at(trace.len());
    trace.copy_from_slice(of_trace);
    span.copy_from_slice(of_span);
    (TraceId(trace), SpanId(span))
}

impl SpanId {
    /// The id of a span inside of this one.
    pub(super) fn plus(self, number: u64) -> Self {
        Self(u64::from_be_bytes(self.0).wrapping_add(number).to_be_bytes())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(text: &str) -> Option<Parent> {
        Parent::of_lines([text.as_bytes()].into_iter())
    }

    #[test]
    fn a_parent_is_read_as_it_was_written() {
        let parent = parse(GOOD).unwrap();
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert!(parent.is_sampled);
        assert!(!parse(&GOOD.replace("-01", "-00")).unwrap().is_sampled);
        assert!(parse(&GOOD.replace("-01", "-03")).unwrap().is_sampled);
    }

    #[test]
    fn a_later_version_may_say_more() {
        for line in
            ["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &format!("cc{}-x", &GOOD[2..])]
        {
            assert!(parse(line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_is_not_exactly_right_is_nothing() {
        let wrong = [
            String::new(),
            format!("{GOOD} "),
            format!(" {GOOD}"),
            format!("{GOOD}-x"),
            format!("01{}x", &GOOD[2..]),
            format!("ff{}", &GOOD[2..]),
            GOOD.to_uppercase(),
            GOOD.replace("4bf9", "4bg9"),
            GOOD.replace("00f067aa0ba902b7", "0000000000000000"),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            GOOD.replace("-01", "-1"),
            GOOD.replace("36-00", "360-0"),
            GOOD.replace('-', "_"),
            GOOD[..54].to_owned(),
        ];
        for line in &wrong {
            assert_eq!(parse(line), None, "{line}");
        }
        assert_eq!(Parent::of_lines([GOOD.as_bytes(); 2].into_iter()), None, "two lines");
    }
}
