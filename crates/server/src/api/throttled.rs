//! What an attempt is answered that comes too early. It says nothing about what was offered: nothing was looked at.

use super::error::{ApiError, ErrorCode};
use crate::context::Context;
use einmal_core::account::Wait;

/// The operation's usual refusal with `Retry-After`, or 429 where the operator prefers that.
pub(super) fn throttled(context: &Context, refusal: ErrorCode, wait: Wait) -> ApiError {
    let code = if context.says_throttled { ErrorCode::Throttled } else { refusal };
    ApiError::new(code).retry_after(wait.seconds).logged("throttled")
}
