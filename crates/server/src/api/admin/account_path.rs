//! The account that a path names. Each part is decoded once and strictly: two spellings that a proxy reads in two
//! ways must not be one account here.

use crate::accounts::is_subject;
use einmal_core::account::AccountId;
use percent_encoding::percent_decode_str;

/// `None` for what no account can be called. Whether the issuer is a configured one is another question.
pub(super) fn account_of(path: &str) -> Option<AccountId> {
    let mut parts = path.strip_prefix("/admin/accounts/")?.split('/');
    let (issuer, subject) = (decoded(parts.next()?)?, decoded(parts.next()?)?);
    is_subject(&subject).then(|| AccountId::new(issuer, subject))
}

fn decoded(part: &str) -> Option<String> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2).unwrap_or_default();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
    };
    if !part.split('%').skip(1).all(is_escape) {
        return None;
    }
    percent_decode_str(part).decode_utf8().ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(part: &str) -> Option<String> {
        account_of(&format!("/admin/accounts/main/{part}/unlock")).map(|id| id.subject().to_owned())
    }

    #[test]
    fn a_part_is_decoded_once() {
        for (part, decoded) in [
            ("alice", "alice"),
            ("a%2Fb", "a/b"),
            ("a%2fb%252F", "a/b%2F"),
            ("%C3%A9+", "\u{e9}+"),
            ("auth0%7C1", "auth0|1"),
            ("a%20b", "a b"),
            ("..", ".."),
        ] {
            assert_eq!(subject(part).as_deref(), Some(decoded), "{part}");
        }
    }

    #[test]
    fn what_is_no_subject_in_utf_8_is_none() {
        let long = "x".repeat(256);
        for part in
            ["%", "%2", "%zz", "a%2", "%+1", "%ff", "%C3", "%ED%A0%80", "%00", "%0a", "%C2%85", "", &long]
        {
            assert_eq!(subject(part), None, "{part}");
        }
    }
}
