//! Accounts as einmal itself writes them: a line is one. In constant memory, however long the input is.

use super::super::record::RecordError;
use super::source::{Entry, Group, Origins, Source};
use std::io::{self, BufRead};
use zeroize::Zeroizing;

/// Lines that are read, hashed and committed together.
const GROUP_LINES: usize = 1_000;
/// Fewer, if they are long.
const GROUP_BYTES: u64 = 16 * 1024 * 1024;
/// A line is one account; longer ones are refused without being kept.
const MAX_LINE_BYTES: usize = 1024 * 1024;

pub struct Lines<R> {
    input: R,
    number: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self { input, number: 0, bytes: 0 }
    }
}

impl<R: BufRead> Source for Lines<R> {
    fn place(&self) -> String {
        format!("line {}", self.number + 1)
    }

    /// Blank lines are counted and nothing else.
    fn next_group(&mut self) -> io::Result<Option<Group>> {
        let mut entries = Vec::new();
        let end = self.bytes.saturating_add(GROUP_BYTES);
        while entries.is_empty() || entries.len() < GROUP_LINES && self.bytes < end {
            let Some((text, length)) = read_bounded_line(&mut self.input)? else { break };
            self.number += 1;
            self.bytes += length;
            if !text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
                entries.push(Entry {
                    place: format!("line {}", self.number),
                    record: text,
                    origins: Origins::default(),
                    warnings: Vec::new(),
                });
            }
        }
        Ok((!entries.is_empty()).then_some(Group { entries, bytes: self.bytes }))
    }
}

type BoundedLine = (Result<Zeroizing<String>, RecordError>, u64);

/// The next line and how many bytes it took. Of one that is too long no more is kept than the bound.
fn read_bounded_line(input: &mut impl BufRead) -> io::Result<Option<BoundedLine>> {
    let mut line = Vec::new();
    let mut length = 0;
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            break;
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(available.len(), |end| end + 1);
        if line.len() <= MAX_LINE_BYTES {
            line.extend_from_slice(available.get(..taken).unwrap_or_default());
        }
        input.consume(taken);
        length += taken as u64;
        if end.is_some() {
            break;
        }
    }
    let text = if line.len() > MAX_LINE_BYTES {
        Err(RecordError::TooLong(MAX_LINE_BYTES))
    } else {
        String::from_utf8(line).map(Zeroizing::new).map_err(|_| RecordError::NotUtf8)
    };
    Ok((length > 0).then_some((text, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_not_all_in_memory_at_once() {
        let input = "x".repeat(MAX_LINE_BYTES - 2) + "\n";
        let input = input.repeat(40);
        let (mut lines, mut groups) = (Lines::new(input.as_bytes()), Vec::new());
        while let Some(group) = lines.next_group().unwrap() {
            groups.push(group.entries.len());
        }
        assert_eq!(groups, [17, 17, 6]);
    }

    #[test]
    fn blank_lines_are_not_the_end_however_many() {
        let input = (" ".repeat(MAX_LINE_BYTES - 2) + "\n").repeat(18) + "{}\n";
        let mut lines = Lines::new(input.as_bytes());
        let group = lines.next_group().unwrap().unwrap();
        assert_eq!((group.entries.len(), lines.number), (1, 19));
    }
}
