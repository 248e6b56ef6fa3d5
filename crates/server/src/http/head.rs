//! Finds where a request's head ends, and what in it hyper would let pass: it drops a Content-Length beside a
//! Transfer-Encoding without a word, and takes bare line feeds. It looks at the start of each line, and parses
//! nothing.

/// Whether a head may be acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Sound,
    /// Another server could see the request end elsewhere: RFC 9112 section 6.1, request smuggling.
    Broken,
}

/// Longer than any line that must be told apart; of longer ones only the start and the last byte matter.
const KEPT: usize = 64;

/// The state of a scan through one head, which may come in any number of pieces.
pub(super) struct HeadScan {
    /// The start of a line whose end has not come yet.
    line: [u8; KEPT],
    /// The whole length of that line so far.
    line_length: usize,
    last: u8,
    lines: usize,
    request_line_length: usize,
    content_lengths: u8,
    transfer_encodings: u8,
    is_broken: bool,
}

impl HeadScan {
    pub(super) const fn new() -> Self {
        Self {
            line: [0; KEPT],
            line_length: 0,
            last: 0,
            lines: 0,
            request_line_length: 0,
            content_lengths: 0,
            transfer_encodings: 0,
            is_broken: false,
        }
    }

    /// Nothing of a request yet; the empty lines that some clients send after a body are nothing (RFC 9112
    /// section 2.2).
    pub(super) const fn is_empty(&self) -> bool {
        self.lines == 0 && (self.line_length == 0 || (self.line_length == 1 && self.last == b'\r'))
    }

    /// The first line, as far as it has come.
    pub(super) const fn request_line_length(&self) -> usize {
        if self.lines == 0 { self.line_length } else { self.request_line_length }
    }

    pub(super) const fn verdict(&self) -> Verdict {
        let is_ambiguous = self.content_lengths > 1
            || self.transfer_encodings > 1
            || (self.transfer_encodings == 1 && self.content_lengths > 0);
        if self.is_broken || is_ambiguous { Verdict::Broken } else { Verdict::Sound }
    }

    /// Takes the next bytes. `Some(n)` if the head ends with the first `n` of them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let piece = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            let is_over = if self.line_length == 0 {
                self.end_line(piece, piece.len(), piece.last().copied())
            } else {
                self.keep(piece);
                let (line, length) = (self.line, self.line_length);
                self.end_line(line.get(..length).unwrap_or(&line), length, Some(self.last))
            };
            self.line_length = 0;
            if is_over {
                return Some(start);
            }
        }
        self.keep(bytes.get(start..).unwrap_or_default());
        None
    }

    fn keep(&mut self, piece: &[u8]) {
        if let Some(free) = self.line.get_mut(self.line_length..) {
            free.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
        }
        self.line_length += piece.len();
        self.last = piece.last().copied().unwrap_or(self.last);
    }

    /// Judges a line without its line feed, of which `start` is at least the beginning. True if it ends the head.
    fn end_line(&mut self, start: &[u8], length: usize, last: Option<u8>) -> bool {
        self.is_broken |= last != Some(b'\r');
        if length == 0 || (length == 1 && last == Some(b'\r')) {
            return self.lines > 0;
        }
        self.lines += 1;
        if self.lines == 1 {
            self.request_line_length = length;
        } else {
            // Two letters sort out nearly every line before its name is compared.
            match start.first().map(u8::to_ascii_lowercase) {
                Some(b'c') => {
                    if let Some(value) = value_of(start, b"content-length:") {
                        self.content_lengths = self.content_lengths.saturating_add(1);
                        self.is_broken |= is_beyond_hyper(value);
                    }
                }
                Some(b't') => {
                    if let Some(value) = value_of(start, b"transfer-encoding:") {
                        self.transfer_encodings = self.transfer_encodings.saturating_add(1);
                        // Of a longer line the end may not have been kept.
                        self.is_broken |= length > KEPT || !is_plainly_chunked(value);
                    }
                }
                _ => {}
            }
        }
        false
    }
}

fn value_of<'a>(line: &'a [u8], name_and_colon: &[u8]) -> Option<&'a [u8]> {
    let (name, value) = line.split_at_checked(name_and_colon.len())?;
    name.eq_ignore_ascii_case(name_and_colon).then_some(value)
}

/// hyper keeps the two highest numbers for itself, and calls a body of that length too large a head.
fn is_beyond_hyper(value: &[u8]) -> bool {
    let length = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<u64>().ok());
    length.is_some_and(|length| length >= u64::MAX - 1)
}

/// The one coding there is, spelled so that no two parsers can differ about it: no list, no tab, no parameter.
fn is_plainly_chunked(value: &[u8]) -> bool {
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    let start = value.iter().position(|byte| *byte != b' ').unwrap_or_default();
    let end = value.iter().rposition(|byte| *byte != b' ').map_or(start, |last| last + 1);
    value.get(start..end).is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end and the verdict of `head`, the same whichever way it is cut into two pieces or single bytes.
    fn scan(head: &str) -> (Option<usize>, Verdict) {
        let bytes = head.as_bytes();
        let mut whole = HeadScan::new();
        let end = whole.feed(bytes);
        for cut in 0..bytes.len() {
            let mut pieces = HeadScan::new();
            let first = pieces.feed(&bytes[..cut]);
            let second = first.or_else(|| pieces.feed(&bytes[cut..]).map(|n| n + cut));
            assert_eq!((second, pieces.verdict()), (end, whole.verdict()), "cut at {cut} of {head:?}");
        }
        let mut dribbled = HeadScan::new();
        let at = bytes.iter().position(|byte| dribbled.feed(&[*byte]).is_some());
        assert_eq!(
            (at.map(|at| at + 1), dribbled.verdict()),
            (end, whole.verdict()),
            "byte by byte: {head:?}"
        );
        (end, whole.verdict())
    }

    #[test]
    fn the_head_ends_at_the_empty_line_and_not_before() {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
        assert_eq!(scan(head), (Some(head.len()), Verdict::Sound));
        assert_eq!(scan(&format!("{head}body")), (Some(head.len()), Verdict::Sound));
        assert_eq!(scan(&format!("\r\n\r\n{head}")), (Some(head.len() + 4), Verdict::Sound));
        assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\n").0, None);
        let long = format!("GET / HTTP/1.1\r\nAuthorization: Bearer {}\r\n\r\n", "x".repeat(700));
        assert_eq!(scan(&long), (Some(long.len()), Verdict::Sound));
    }

    #[test]
    fn one_plain_transfer_encoding_is_sound() {
        for line in
            ["Transfer-Encoding: chunked", "transfer-encoding:CHUNKED", "Transfer-Encoding:  chunked "]
        {
            assert_eq!(scan(&format!("POST / HTTP/1.1\r\n{line}\r\n\r\n")).1, Verdict::Sound, "{line:?}");
        }
    }

    #[test]
    fn framing_that_two_parsers_could_read_differently_is_broken() {
        let padded = format!("Transfer-Encoding: {}chunked", " ".repeat(80));
        for lines in [
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nX: y\r\nCONTENT-LENGTH: 4",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: identity, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding:\tchunked",
            "Transfer-Encoding: chunked\t",
            "Transfer-Encoding:",
            &padded,
            "Content-Length: 4\r\nContent-Length: 4",
            "Content-Length: 18446744073709551614",
            "Content-Length: 18446744073709551615",
            "X: y\nHost: a",
        ] {
            let scanned = scan(&format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n"));
            assert!(scanned.0.is_some(), "{lines:?}");
            assert_eq!(scanned.1, Verdict::Broken, "{lines:?}");
        }
    }

    #[test]
    fn a_header_that_only_resembles_one_is_left_alone() {
        let lines = "Content-Length-Hint: 4\r\nX-Transfer-Encoding: gzip\r\nTE: trailers\r\nCookie: a=b";
        assert_eq!(scan(&format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n")).1, Verdict::Sound);
    }
}
