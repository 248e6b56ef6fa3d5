//! What a client is told when an attempt could not be decided or made durable: never a success, and never why.

use super::error::{ApiError, ErrorCode};
use crate::accounts::UpdateError;
use crate::store::StoreError;
use std::borrow::Cow;

const RETRY_AFTER_SECONDS: u64 = 1;
/// Whatever is wrong with an issuer, it is not over in a moment.
const RETRY_ISSUER_AFTER_SECONDS: u64 = 5;

impl From<UpdateError> for ApiError {
    fn from(error: UpdateError) -> Self {
        Self::from(&error)
    }
}

/// Of one that several are told of.
impl From<&UpdateError> for ApiError {
    fn from(error: &UpdateError) -> Self {
        match error {
            UpdateError::Contended
            | UpdateError::HashingCrowded(_)
            | UpdateError::Store(StoreError::Unavailable(_)) => {
                Self::new(ErrorCode::Unavailable).retry_after(RETRY_AFTER_SECONDS).logged(error.to_string())
            }
            UpdateError::NotJudged => issuer_unavailable(error.to_string()),
            UpdateError::Store(StoreError::Damaged(_))
            | UpdateError::Seal(_)
            | UpdateError::Torn
            | UpdateError::Hashing(_)
            | UpdateError::HashingInterrupted(_)
            | UpdateError::Panicked => Self::internal(error.to_string()),
        }
    }
}

pub(super) fn issuer_unavailable(cause: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(ErrorCode::Unavailable)
        .detail("The token's issuer, which judges the password, gave no answer.")
        .retry_after(RETRY_ISSUER_AFTER_SECONDS)
        .logged(cause)
}
