//! The page of `einmal dev`: the demo account's live codes, and every example with a button. For trying out only: it tells
//! codes to whoever asks.

use super::examples::{AUTHENTICATOR_SECRET, DEVICE_SECRET, EXAMPLES};
use crate::api::error::{ApiError, ErrorCode, Fault, Source};
use crate::api::router::Route;
use crate::context::Context;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use einmal_core::Timestamp;
use einmal_core::otp::{Algorithm, Secret, Totp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Its own script and style, requests to this server and images that those got, and nothing else.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Vec<Route> {
    let file = |content_type: &'static str, text: &'static str| {
        get(async move || {
            ([(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
        })
    };
    vec![
        Route::plain("/", file("text/html; charset=utf-8", include_str!("page.html"))),
        Route::plain("/dev/page.css", file("text/css; charset=utf-8", include_str!("page.css"))),
        Route::plain(
            "/dev/authenticator.js",
            file("text/javascript; charset=utf-8", include_str!("authenticator.js")),
        ),
        Route::plain("/dev/page.js", file("text/javascript; charset=utf-8", include_str!("page.js"))),
        Route::plain("/dev/examples", get(async || Json(EXAMPLES))),
        Route::plain(
            "/dev/codes",
            get(async |State(context): State<Arc<Context>>, Query(New { secret }): Query<New>| {
                codes(context.clock.now(), secret.as_deref()).map(Json)
            }),
        ),
    ]
}

/// The secret of an authenticator that the page has begun.
#[derive(Deserialize)]
struct New {
    secret: Option<String>,
}

/// The codes that are live now, by what stands for them in an example, and how long they stay so.
fn codes(now: Timestamp, secret: Option<&str>) -> Result<Value, ApiError> {
    let code = |secret: &str| -> Result<(String, u64), ApiError> {
        let secret = Secret::from_base32(secret)
            .map_err(|_| Fault::new(ErrorCode::InvalidValue).source(Source::Parameter("secret")))?;
        let (digits, period) = (Totp::DEFAULT_DIGITS.into(), Totp::DEFAULT_PERIOD.into());
        let totp = Totp::new(secret, Algorithm::default(), digits, period)
            .map_err(|error| ApiError::internal(error.to_string()))?;
        let left = period - now.seconds() % period;
        Ok((totp.code_at(totp.step_at(now)).as_str().to_owned(), left))
    };
    let (device, seconds_left) = code(DEVICE_SECRET)?;
    let (app, _) = code(AUTHENTICATOR_SECRET)?;
    let new = secret.map(code).transpose()?.map(|(new, _)| new);
    Ok(json!({ "device": device, "app": app, "new": new, "secondsLeft": seconds_left }))
}
