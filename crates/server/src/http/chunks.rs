//! Finds where a chunked body ends (RFC 9112 section 7.1), so that the next head is known from its first byte.
//! Whether the coding is right is hyper's business: where the two should ever differ, the next request is refused.

/// The state of a scan through one chunked body.
pub(super) enum ChunkScan {
    /// In a chunk's size.
    Size(u64),
    /// Behind the size, up to the line feed.
    Extension(u64),
    /// In a chunk, this many bytes before the line that follows it, its line break included.
    Data(u64),
    /// In a line of the trailer section, of this length so far without its carriage return.
    Trailer(usize),
}

/// What one call saw.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// All of the bytes belong to the body.
    Within,
    /// The body ends with the first `n` bytes.
    End(usize),
}

impl ChunkScan {
    pub(super) const fn new() -> Self {
        Self::Size(0)
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Chunks {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            at += 1;
            *self = match *self {
                Self::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at + 1);
                    at += here - 1;
                    match left - here as u64 {
                        0 => Self::Size(0),
                        left => Self::Data(left),
                    }
                }
                Self::Size(size) | Self::Extension(size) if *byte == b'\n' => match size {
                    0 => Self::Trailer(0),
                    size => Self::Data(size.saturating_add(2)),
                },
                Self::Size(size) => match char::from(*byte).to_digit(16) {
                    Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(u64::from(digit))),
                    None => Self::Extension(size),
                },
                Self::Extension(size) => Self::Extension(size),
                Self::Trailer(0) if *byte == b'\n' => return Chunks::End(at),
                Self::Trailer(_) if *byte == b'\n' => Self::Trailer(0),
                Self::Trailer(length) => Self::Trailer(length + usize::from(*byte != b'\r')),
            };
        }
        Chunks::Within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(bytes: &[u8]) -> Option<usize> {
        let end = |chunks| match chunks {
            Chunks::End(n) => Some(n),
            Chunks::Within => None,
        };
        let whole = end(ChunkScan::new().feed(bytes));
        let mut dribbled = ChunkScan::new();
        let at = (0..bytes.len()).find(|at| end(dribbled.feed(&bytes[*at..=*at])).is_some());
        assert_eq!(at.map(|at| at + 1), whole, "byte by byte: {bytes:?}");
        whole
    }

    #[test]
    fn the_body_ends_behind_the_last_chunk_and_its_trailers() {
        for body in [
            "0\r\n\r\n",
            "4\r\nbody\r\n0\r\n\r\n",
            "1\r\nb\r\n1a;name=\"value\"\r\nabcdefghijklmnopqrstuvwxyz\r\n000\r\n\r\n",
            "4\r\n\r\n\r\n\r\n0\r\n\r\n",
            "2\r\n{}\r\n0;last\r\nX: y\r\nZ: w\r\n\r\n",
        ] {
            assert_eq!(end_of(body.as_bytes()), Some(body.len()), "{body:?}");
            assert_eq!(
                end_of(format!("{body}GET / HTTP/1.1\r\n\r\n").as_bytes()),
                Some(body.len()),
                "{body:?}"
            );
            assert_eq!(end_of(&body.as_bytes()[..body.len() - 1]), None, "{body:?}");
        }
    }

    #[test]
    fn a_size_beyond_all_bounds_has_no_end() {
        assert_eq!(end_of(b"ffffffffffffffffffffff\r\nabc\r\n0\r\n\r\n"), None);
    }
}
