//! What is wrong with a record, as errors with pointers. A fault names a place and what is expected there, never what
//! was found: it may be a secret.

use crate::accounts::RecordError;
use crate::api::error::{ApiError, ErrorCode, Fault};
use crate::api::faults::Faults;

pub(super) fn refusal(error: RecordError) -> ApiError {
    let mut faults = Faults::default();
    if let Some(internal) = collect(error, &mut faults) {
        return internal;
    }
    match faults.finish() {
        Err(error) => error,
        Ok(()) => ApiError::new(ErrorCode::MalformedJson),
    }
}

/// An error that is not the client's.
fn collect(error: RecordError, faults: &mut Faults) -> Option<ApiError> {
    match error {
        RecordError::Several(several) => several.into_iter().find_map(|one| collect(one, faults)),
        RecordError::Member { member, fault } => {
            faults.invalid(pointer(&member), fault);
            None
        }
        RecordError::Members(fault) => {
            faults.invalid("", fault);
            None
        }
        RecordError::Syntax(_) | RecordError::TooLong(_) | RecordError::NotUtf8 => {
            faults.push(Fault::new(ErrorCode::MalformedJson));
            None
        }
        RecordError::Entropy(error) => Some(ApiError::internal(error.to_string())),
        RecordError::Hashing(error) => Some(ApiError::internal(error.to_string())),
    }
}

/// RFC 6901, for `deviceTotps[0].secret`. No known member has a character that needs an escape.
fn pointer(member: &str) -> String {
    format!("/{}", member.replace(['.', '['], "/").replace(']', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_record_is_a_pointer_into_the_body() {
        assert_eq!(pointer("pin"), "/pin");
        assert_eq!(pointer("deviceTotps[0].secret"), "/deviceTotps/0/secret");
        assert_eq!(pointer("authenticators[12]"), "/authenticators/12");
    }
}
