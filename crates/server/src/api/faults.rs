//! Collects everything that is wrong with a body, so that a client learns of it at once and not one by one.

use super::error::{ApiError, ErrorCode, Fault};
use std::borrow::Cow;

/// The faults found so far, in the order in which an operation looks at its members.
#[derive(Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub fn invalid(&mut self, pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) {
        self.push(Fault::new(ErrorCode::InvalidValue).pointer(pointer).detail(detail));
    }

    pub fn missing(&mut self, pointer: impl Into<Cow<'static, str>>) {
        self.push(Fault::new(ErrorCode::MissingValue).pointer(pointer));
    }

    /// One answer with all of them, if there is any.
    pub fn finish(self) -> Result<(), ApiError> {
        ApiError::all(self.0).map_or(Ok(()), Err)
    }
}
