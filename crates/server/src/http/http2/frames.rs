//! Finds where frames and blocks of header fields begin and end (RFC 9113 section 4.1), to bound the time that each
//! may take, and counts what the client gives up. It looks at the nine bytes before a frame, and judges nothing.

use crate::http::preface::PREFACE;

const HEADER_BYTES: usize = 9;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// The state of a scan through all that a client sends.
pub(super) struct FrameScan {
    header: [u8; HEADER_BYTES],
    /// Of the header.
    seen: usize,
    /// Bytes of the frame that are still to come.
    left: usize,
    is_in_fields: bool,
    resets: usize,
}

impl FrameScan {
    /// Before the preface, which is as a frame of its own.
    pub(super) const fn new() -> Self {
        Self { header: [0; HEADER_BYTES], seen: 0, left: PREFACE.len(), is_in_fields: false, resets: 0 }
    }

    /// Streams that the client has reset so far.
    pub(super) const fn resets(&self) -> usize {
        self.resets
    }

    /// Nothing has begun that has not ended.
    pub(super) const fn is_between(&self) -> bool {
        self.seen == 0 && self.left == 0 && !self.is_in_fields
    }

    /// True if something ended within these bytes, be it that something else has begun after it.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        let mut has_ended = false;
        while !bytes.is_empty() {
            let missing = if self.left > 0 { self.left } else { HEADER_BYTES - self.seen };
            let (here, rest) = bytes.split_at(missing.min(bytes.len()));
            if self.left > 0 {
                self.left -= here.len();
            } else {
                let free = self.header.iter_mut().skip(self.seen);
                free.zip(here).for_each(|(to, from)| *to = *from);
                self.seen += here.len();
                if self.seen == HEADER_BYTES {
                    self.begin_payload();
                }
            }
            has_ended |= self.is_between();
            bytes = rest;
        }
        has_ended
    }

    fn begin_payload(&mut self) {
        let [high, middle, low, kind, flags, ..] = self.header;
        self.seen = 0;
        self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if kind == HEADERS || kind == CONTINUATION {
            self.is_in_fields = flags & END_HEADERS == 0;
        }
        self.resets += usize::from(kind == RST_STREAM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        [&[0, 0, length, kind, flags, 0, 0, 0, 1][..], &vec![7; length.into()]].concat()
    }

    #[test]
    fn it_is_between_after_frames_and_whole_blocks_of_fields_and_nowhere_else() {
        let pieces = [
            (PREFACE.to_vec(), true),
            (frame(4, 0, 6), true),
            (frame(4, 1, 0), true),
            (frame(HEADERS, END_HEADERS, 20), true),
            (frame(HEADERS, 0, 20), false),
            (frame(CONTINUATION, 0, 0), false),
            (frame(CONTINUATION, END_HEADERS, 3), true),
            (frame(0, 1, 200), true),
        ];
        let mut at = 0;
        let mut ends = Vec::new();
        for (piece, is_end) in &pieces {
            at += piece.len();
            ends.extend(is_end.then_some(at));
        }
        let bytes = pieces.map(|(piece, _)| piece).concat();
        let mut scan = FrameScan::new();
        assert!(!scan.is_between());
        for (number, byte) in (1..).zip(&bytes) {
            let has_ended = scan.feed(&[*byte]);
            assert_eq!(
                (scan.is_between(), has_ended),
                (ends.contains(&number), ends.contains(&number)),
                "{number}"
            );
        }
        for cut in 0..bytes.len() {
            let mut scan = FrameScan::new();
            let has_ended = scan.feed(&bytes[..cut]);
            assert_eq!(has_ended, ends[0] <= cut, "{cut}");
            assert_eq!(scan.is_between(), ends.contains(&cut), "{cut}");
            assert!(scan.feed(&bytes[cut..]) && scan.is_between(), "cut at {cut}");
        }
    }
}
