//! Reads just enough of an answer to know its end, its status and whether the connection goes on.

use anyhow::{Result, bail};
use memchr::memmem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Bytes of the head, the empty line included.
    pub head_length: usize,
    /// Bytes of all of it.
    pub length: usize,
    pub says_retry_after: bool,
    /// The server ends the connection after it.
    pub closes: bool,
}

/// `None` as long as something is missing.
pub fn parse(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(head_end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head_length = head_end + 4;
    let head = bytes.get(..head_end).unwrap_or_default();
    let digits = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status =
        digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|text| text.parse().ok());
    let Some(status) = status else { bail!("no answer of HTTP/1.1: {}", excerpt(bytes)) };
    let mut answer =
        Answer { status, head_length, length: head_length, says_retry_after: false, closes: false };
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        // Two letters sort out nearly every line.
        match line.first().map(u8::to_ascii_lowercase) {
            Some(b'c') => {
                if let Some(value) = value_of(line, "content-length:") {
                    let Ok(length) = value.parse::<usize>() else { bail!("content-length: {value}") };
                    answer.length = head_length + length;
                } else if let Some(value) = value_of(line, "connection:") {
                    answer.closes = value.eq_ignore_ascii_case("close");
                }
            }
            Some(b'r') => answer.says_retry_after |= value_of(line, "retry-after:").is_some(),
            Some(b't') if value_of(line, "transfer-encoding:").is_some() => {
                bail!("a chunked answer, which nobody here should give: {}", excerpt(bytes));
            }
            _ => {}
        }
    }
    Ok((bytes.len() >= answer.length).then_some(answer))
}

fn value_of<'a>(line: &'a [u8], name_and_colon: &str) -> Option<&'a str> {
    let (name, value) = line.split_at_checked(name_and_colon.len())?;
    let is_it = name.eq_ignore_ascii_case(name_and_colon.as_bytes());
    is_it.then(|| std::str::from_utf8(value).ok().map(str::trim)).flatten()
}

/// What a message shows of an answer.
pub fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..bytes.len().min(600)).unwrap_or_default()).escape_debug().to_string()
}

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// With this status.
    Status(u16),
    /// 404, and the code was looked at.
    Refused,
    /// 200, with this in its body.
    Says(&'static str),
}

impl Expected {
    pub fn is_met_by(self, answer: &Answer, bytes: &[u8]) -> bool {
        match self {
            Self::Status(status) => answer.status == status,
            Self::Refused => answer.status == 404 && !answer.says_retry_after,
            Self::Says(text) => {
                let body = bytes.get(answer.head_length..answer.length).unwrap_or_default();
                answer.status == 200 && memmem::find(body, text.as_bytes()).is_some()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSAL: &[u8] =
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nRetry-After: 30\r\nConnection: close\r\n\r\nwrong";

    #[test]
    fn an_answer_ends_where_it_says_and_not_before() {
        for end in 0..REFUSAL.len() {
            assert_eq!(parse(&REFUSAL[..end]).unwrap(), None, "{end}");
        }
        let answer = parse(REFUSAL).unwrap().unwrap();
        assert_eq!((answer.status, answer.length), (404, REFUSAL.len()));
        assert!(answer.says_retry_after && answer.closes);
        let empty = parse(b"HTTP/1.1 204 No Content\r\ndate: x\r\n\r\nHTTP").unwrap().unwrap();
        assert_eq!((empty.status, empty.length, empty.closes), (204, 36, false));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn an_attempt_that_was_not_looked_at_is_not_a_refused_one() {
        let throttled = parse(REFUSAL).unwrap().unwrap();
        assert!(!Expected::Refused.is_met_by(&throttled, REFUSAL));
        assert!(Expected::Status(404).is_met_by(&throttled, REFUSAL));
        let says = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"value\":true";
        let answer = parse(says).unwrap().unwrap();
        assert!(Expected::Says("\"value\":true").is_met_by(&answer, says));
        assert!(!Expected::Says("\"value\":false").is_met_by(&answer, says));
    }
}
