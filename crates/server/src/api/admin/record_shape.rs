//! Which members a record has and of which types, so that every fault of them gets its pointer. What the values mean is
//! not judged here.

use crate::api::error::{ApiError, ErrorCode, Fault};
use crate::api::faults::Faults;
use crate::api::node::Node;

#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A whole number, 0 or more.
    Count,
    Totps,
}

type Members = [(&'static str, Kind)];

/// In the order in which the record itself names them.
const RECORD: &Members = &[
    ("issuer", Kind::Text),
    ("id", Kind::Text),
    ("email", Kind::Text),
    ("registeredAt", Kind::Text),
    ("pin", Kind::Text),
    ("pinHash", Kind::Text),
    ("password", Kind::Text),
    ("passwordHash", Kind::Text),
    ("deviceTotps", Kind::Totps),
    ("authenticators", Kind::Totps),
];

const TOTP: &Members = &[
    ("id", Kind::Text),
    ("label", Kind::Text),
    ("createdAt", Kind::Text),
    ("secret", Kind::Text),
    ("algorithm", Kind::Text),
    ("digits", Kind::Count),
    ("period", Kind::Count),
    ("uri", Kind::Text),
    ("lastStep", Kind::Count),
];

/// `malformed-json` for what is no JSON or has a member twice; else all faults at once.
pub(in crate::api) fn check(body: &[u8]) -> Result<(), ApiError> {
    let record: Node<'_> =
        serde_json::from_slice(body).map_err(|_| ApiError::new(ErrorCode::MalformedJson))?;
    let mut faults = Faults::default();
    check_object(&record, "", RECORD, &mut faults)?;
    faults.finish()
}

fn check_object(
    node: &Node<'_>,
    pointer: &str,
    known: &Members,
    faults: &mut Faults,
) -> Result<(), ApiError> {
    let Node::Object(members) = node else {
        faults.invalid(pointer.to_owned(), "Must be an object.");
        return Ok(());
    };
    for (index, (name, value)) in members.iter().enumerate() {
        let at = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        if members.iter().take(index).any(|(earlier, _)| earlier == name) {
            let twice = Fault::new(ErrorCode::MalformedJson).detail("The member is given twice.");
            return Err(twice.pointer(at).into());
        }
        let kind = known.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind);
        match (kind, value) {
            (None, _) => faults.invalid(at, format!("Unknown member, expected one of {}.", names(known))),
            (Some(Kind::Text), Node::Text(_))
            | (Some(Kind::Count), Node::Integer(0..))
            | (Some(_), Node::Null) => {}
            (Some(Kind::Totps), Node::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    check_object(item, &format!("{at}/{index}"), TOTP, faults)?;
                }
            }
            (Some(Kind::Text), _) => faults.invalid(at, "Must be a string."),
            (Some(Kind::Count), _) => faults.invalid(at, "Must be a whole number, 0 or more."),
            (Some(Kind::Totps), _) => faults.invalid(at, "Must be an array."),
        }
    }
    Ok(())
}

fn names(members: &Members) -> String {
    members.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{IssuerNames, Reading, read_record};
    use crate::entropy::SystemEntropy;
    use einmal_core::Timestamp;
    use einmal_core::policy::Policy;

    /// The members that the record itself expects where it finds an unknown one.
    fn expected(line: &str) -> String {
        let (issuers, policy) = (IssuerNames(Vec::new()), Policy::default());
        let now = Timestamp::from_seconds(1_800_000_000);
        let reading = Reading { issuers: &issuers, policy: &policy, entropy: &SystemEntropy, now };
        let error = read_record(line, &reading).err().unwrap().to_string();
        error.split_once("expected one of ").unwrap().1.replace('`', "")
    }

    #[test]
    fn the_members_are_those_of_a_record() {
        assert_eq!(expected(r#"{"x":1}"#), names(RECORD));
        assert_eq!(expected(r#"{"deviceTotps":[{"x":1}]}"#), names(TOTP));
    }
}
