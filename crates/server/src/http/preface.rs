//! Tells HTTP/2 in clear from HTTP/1.1 by how a connection begins, on bytes that are read anyway.

/// RFC 9113 section 3.4. No request of HTTP/1.1 begins like this.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection's bytes are so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Preface {
    No,
    /// This many bytes of it, and nothing else.
    Begun(usize),
    Whole,
}

/// Judges what comes after the first `seen` bytes of the preface. At the end of the stream that is nothing.
pub(super) fn follow(seen: usize, bytes: &[u8]) -> Preface {
    let expected = PREFACE.get(seen..).unwrap_or_default();
    if bytes.starts_with(expected) {
        Preface::Whole
    } else if !bytes.is_empty() && expected.starts_with(bytes) {
        Preface::Begun(seen + bytes.len())
    } else {
        Preface::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_known_however_it_is_cut() {
        for cut in 1..PREFACE.len() {
            let (first, second) = PREFACE.split_at(cut);
            assert_eq!(follow(0, first), Preface::Begun(cut));
            assert_eq!(follow(cut, second), Preface::Whole);
            assert_eq!(follow(cut, &[second, b"more"].concat()), Preface::Whole);
            assert_eq!(follow(cut, b""), Preface::No);
            assert_eq!(follow(cut, b"\0"), Preface::No);
        }
        for other in
            ["", "GET / HTTP/1.1\r\n", "POST /", "PRI * HTTP/1.1\r\n", "PRI * HTTP/2.0\r\nHost: a\r\n\r\n"]
        {
            assert_eq!(follow(0, other.as_bytes()), Preface::No, "{other}");
        }
    }
}
