//! `GET /user/authenticators/{id}/qr`: the secret of a pending authenticator for the app's camera, in the form that the
//! client likes best. Once confirmed, nobody is shown it again.

use super::accept_image::AcceptsImage;
use super::authenticator;
use super::credential::CredentialId;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::qr_code;
use super::router::Route;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

struct ShowQrCode;

impl Operation for ShowQrCode {
    const SCOPE: &'static str = "user:device-totps:create";
}

pub(super) fn route() -> Route {
    Route::operation("/user/authenticators/{id}/qr", get(show_qr_code)).describe(documentation)
}

fn documentation() -> Documentation {
    let image = json!({ "type": "string", "format": "binary" });
    Documentation::new(
        Method::GET,
        "ShowAuthenticatorQR",
        "Show the QR code of a pending authenticator",
        "Its `uri` as an image, dark on white whatever is around it; SVG unless `Accept` likes PNG better. The image is \
         a secret: show it to its user alone, and keep no copy.",
    )
    .scope(ShowQrCode::SCOPE)
    .parameter(CredentialId::parameter())
    .answer_with(StatusCode::OK, "The image", AcceptsImage::Svg.media_type(), image.clone())
    .or(AcceptsImage::Png.media_type(), image)
    .refuses(&[ErrorCode::NotFound])
}

async fn show_qr_code(
    State(context): State<Arc<Context>>,
    caller: Caller<ShowQrCode>,
    image: AcceptsImage,
    CredentialId(id): CredentialId,
) -> Result<Response, ApiError> {
    let account = context.accounts.read(caller.account()).await?.unwrap_or_default();
    let pending = account.pending_authenticator(id, caller.now);
    let pending = pending.ok_or_else(|| ApiError::new(ErrorCode::NotFound))?;
    let (email, label) = (account.email.as_deref(), pending.label.as_deref());
    let uri = authenticator::uri(&context, &caller.token, email, label, pending.totp.clone());
    let drawn = match image {
        AcceptsImage::Svg => qr_code::svg(&uri),
        AcceptsImage::Png => qr_code::png(&uri),
    };
    let drawn = drawn.map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, image.media_type())], drawn).into_response())
}
