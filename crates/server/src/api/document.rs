//! Reading a body: its type, its size and its time, in this order, and nothing of what it says. It must stop
//! reading at the limit and not after it.

use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::negotiate::check_content_type;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http_body_util::BodyExt;
use std::error::Error;
use std::io;

/// Of a body, with its chunked coding taken off.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// A body that was read as a whole and is JSON by its headers. Contract, section 2: the last extractor of a
/// handler, behind the caller and what it accepts.
pub struct Document(Bytes);

impl Document {
    /// What was not read from a request.
    #[cfg(any(test, fuzzing))]
    pub(super) fn of(body: Bytes) -> Self {
        Self(body)
    }

    /// As they came, for what compares requests.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The members of the object that the body is, see [`Members::parse`].
    pub fn members(&self, known: &[&'static str]) -> Result<Members<'_>, ApiError> {
        Members::parse(&self.0, known)
    }
}

impl<S: Sync> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = request.body();
        check_content_type(request.headers(), !body.is_end_stream())?;
        if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
            return Err(too_large());
        }
        read(request.into_body()).await.map(Self)
    }
}

async fn read(mut body: Body) -> Result<Bytes, ApiError> {
    let mut whole = Bytes::new();
    let mut pieces: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| refusal(&error))?.into_data() else { continue };
        if whole.len() + pieces.len() + data.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        // Nearly every body is one frame, which is then not copied.
        if whole.is_empty() && pieces.is_empty() {
            whole = data;
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&data);
        }
    }
    Ok(if pieces.is_empty() { whole } else { pieces.into() })
}

/// The rest of the body is not read, so the connection cannot go on.
fn too_large() -> ApiError {
    ApiError::new(ErrorCode::BodyTooLarge).closing()
}

/// The time limit is the stream's, which tells by the kind of its error (see `http::Limits::body`).
fn refusal(error: &axum::Error) -> ApiError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return ApiError::new(ErrorCode::RequestTimeout).closing();
        }
        cause = error.source();
    }
    ApiError::new(ErrorCode::BadRequest).detail("The body ended early or its coding is broken.").closing()
}
