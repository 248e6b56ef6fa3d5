//! The one recipient of a mail, and its sender. Strict on purpose: whatever two programs on the way could read in two
//! ways is refused, and so is what could become an option, a header or a second recipient.

use lettre::message::Mailbox;
use std::str::FromStr;

/// Letters of the local part beside letters and digits (RFC 5322 section 3.2.3). No quotes: RFC 5321 section 4.1.2 warns
/// of them, too.
const ATEXT: &[u8] = b"!#$%&'*+-/=?^_`{|}~";
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;
const LONGEST_LABEL: usize = 63;

/// An address in ASCII, spelled as it was given. It has no `Debug`: no log may have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(lettre::Address);

impl Address {
    /// `None` for what is not exactly one plain address.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (local, domain) = text.split_once('@')?;
        (is_local(local) && is_domain(domain)).then(|| lettre::Address::from_str(text).ok().map(Self))?
    }

    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    pub(super) fn inner(&self) -> &lettre::Address {
        &self.0
    }
}

fn is_local(local: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || ATEXT.contains(&byte))
    };
    // A mail server may hand it to a program, for which a hyphen begins an option.
    local.len() <= LONGEST_LOCAL && !local.starts_with('-') && local.split('.').all(is_atom)
}

/// A host name, and no address of a host.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    domain.split('.').all(is_label) && !domain.rsplit('.').next().is_some_and(is_number)
}

/// Whom mails are from: an address, with a name if there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender(Mailbox);

impl Sender {
    /// `einmal <no-reply@example.com>`, or the address alone.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        let mailbox = Mailbox::from_str(text).ok()?;
        Address::parse(mailbox.email.as_ref())?;
        Some(Self(mailbox))
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    pub(super) fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(length: usize) -> String {
        let start = format!("{}@{}", "a".repeat(64), format!("{}.", "b".repeat(45)).repeat(3));
        let last = "b".repeat(length - start.len() - ".example".len());
        format!("{start}{last}.example")
    }

    #[test]
    fn a_plain_address_is_taken_as_it_is_spelled() {
        let long = of_length(254);
        for text in [
            "a@example.com",
            "A.b+tag@Example.COM",
            "o'brien_{x}~!#$%&*/=?^`|@example.com",
            "a-@example.com",
            "a@localhost",
            "a@xn--bcher-kva.example",
            "a@1.example",
            &long,
        ] {
            assert_eq!(
                Address::parse(text).map(|address| address.as_str().to_owned()).as_deref(),
                Some(text)
            );
        }
    }

    #[test]
    fn whatever_is_not_exactly_one_plain_address_is_refused_130_131() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = of_length(255);
        let endless = format!("{}@example.com", "a".repeat(320));
        let long_label = format!("a@{}.example", "b".repeat(64));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a@b, c@d",
            "a@b,c@d",
            "a@b;c@d",
            "a@b c@d",
            "a@b\0@evil",
            "a@b\0",
            "a\0@b",
            "a@b\r\nBcc: c@d",
            "a\r\nBcc: c@d\r\n@b",
            "a@b\nRCPT TO:<c@d>",
            "a@b\r\n.\r\n",
            "a@b\u{2028}c",
            "a@b\u{85}",
            " a@b",
            "a@b ",
            "\ta@b",
            "\"a b\"@example.com",
            "\"a\"@example.com",
            "a\\@b",
            "a(c)@b",
            "<a@b>",
            "A <a@b>",
            "=?utf-8?q?a=40b=0d=0aBcc:_c=40d?= <a@b>",
            "-oQ/tmp@example.com",
            "-a@example.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a@.example.com",
            "a@example..com",
            "a@example.com.",
            "a@-example.com",
            "a@example-.com",
            "a@exa_mple.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@[IPv6:::1]",
            "a@b%c",
            "ä@example.com",
            "a@bücher.example",
            "a@еxample.com",
            "a:b@example.com",
            &long_local,
            &long,
            &endless,
            &long_label,
        ] {
            assert!(Address::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_sender_has_a_plain_address_and_perhaps_a_name() {
        for text in ["einmal <no-reply@example.com>", "no-reply@example.com", "\"a, b\" <a@b>", "Ä <a@b>"] {
            assert!(Sender::parse(text).is_some(), "{text}");
        }
        for text in
            ["", "einmal", "a <a@b>, c@d", "a@b\r\nBcc: c@d", "a\n <a@b>", "a <-a@b>", "a <a@ü.example>"]
        {
            assert!(Sender::parse(text).is_none(), "{text}");
        }
    }
}
