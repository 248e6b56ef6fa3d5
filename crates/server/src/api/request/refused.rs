//! The same id, headers and log line for what never becomes a request.

use super::{Line, insert_headers, log, request_id};
use crate::api::error::{ApiError, ErrorCode, JSON_API};
use crate::context::Context;
use crate::http::{ClientAddress, Refusal, Refuse};
use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, HeaderValue, Response};

impl Refuse for Context {
    fn refuse(&self, refusal: Refusal, client: ClientAddress) -> Response<Bytes> {
        let error = ApiError::new(match refusal {
            Refusal::BadRequest => ErrorCode::BadRequest,
            Refusal::RequestTimeout => ErrorCode::RequestTimeout,
            Refusal::UriTooLong => ErrorCode::UriTooLong,
            Refusal::HeadersTooLarge => ErrorCode::HeadersTooLarge,
        });
        let id = request_id(&HeaderMap::new(), &*self.entropy);
        let id_text = id.to_str().unwrap_or_default();
        let mut response = Response::new(error.body(id_text, &self.public_url));
        *response.status_mut() = error.status();
        response.headers_mut().insert(CONTENT_TYPE, JSON_API);
        insert_headers(response.headers_mut(), &id);
        if let Some(date) = self.date() {
            response.headers_mut().insert(DATE, date);
        }
        let (status, outcome) = (error.status(), Some(error.code().as_str()));
        self.accounts.metrics().refused(status.as_u16());
        log(&Line {
            id: id_text,
            trace_id: None,
            client: Some(client),
            method: "",
            route: "",
            status,
            outcome,
            cause: None,
            duration_us: 0,
        });
        response
    }

    fn date(&self) -> Option<HeaderValue> {
        let seconds = i64::try_from(self.clock.now().seconds()).ok()?;
        let now = jiff::Timestamp::from_second(seconds).ok()?;
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
        HeaderValue::try_from(date).ok()
    }
}
