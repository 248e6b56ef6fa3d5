//! `/account`: the page on which users look after their own authenticators, devices and PIN. It is files for a browser and
//! nothing else: what the page does, it does by the public API, with a token that this server is not told of before. So it
//! must never touch an account, and no answer here may depend on who asks.

mod files;
mod policy;
mod settings;

pub use settings::{AccountPageSettings, LANGUAGES};

use crate::api::error::{ApiError, ErrorCode};
use crate::api::router::Route;
use crate::auth::{SignIn, SignInEndpoints};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::get;
use files::{Asset, FILES};
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;

/// After which a browser may ask again where to sign in.
const RETRY_AFTER_SECONDS: u64 = 30;

/// `service`: what authenticator apps show, and this page, too.
pub fn routes(settings: AccountPageSettings, sign_in: SignIn, service: &str) -> Vec<Route> {
    let sign_in = Arc::new(sign_in);
    let mut routes = vec![document(&sign_in), configuration(settings, sign_in, service)];
    let assets = FILES.iter().map(|file| {
        let asset = Asset::new(file, policy::NOTHING);
        Route::plain(file.path, get(async move |headers: HeaderMap| asset.answer(&headers)))
    });
    routes.extend(assets);
    routes
}

/// The page is there also while the issuer is not, and then says so itself.
fn document(sign_in: &Arc<SignIn>) -> Route {
    let sign_in = Arc::clone(sign_in);
    let handler = async move |headers: HeaderMap| {
        let endpoints = sign_in.endpoints().await.ok();
        let policy = policy::of_the_page(endpoints.as_ref().map(|endpoints| &endpoints.token));
        Asset::new(&files::PAGE, &policy).answer(&headers)
    };
    Route::plain(files::PAGE.path, get(handler))
}

/// What the page needs to know of this installation; nothing in it is a secret.
fn configuration(settings: AccountPageSettings, sign_in: Arc<SignIn>, service: &str) -> Route {
    let known = Arc::new((settings, service.to_owned()));
    let handler = async move || {
        let known = Arc::clone(&known);
        match sign_in.endpoints().await {
            Ok(endpoints) => {
                Json(described(&known.0, &known.1, sign_in.issuer(), &endpoints)).into_response()
            }
            Err(error) => ApiError::new(ErrorCode::Unavailable)
                .detail("The issuer says at the moment not where to sign in.")
                .logged(error.to_string())
                .retry_after(RETRY_AFTER_SECONDS)
                .into_response(),
        }
    };
    Route::plain("/account/config.json", get(handler))
}

fn described(
    settings: &AccountPageSettings,
    service: &str,
    issuer: &str,
    endpoints: &SignInEndpoints,
) -> Value {
    json!({
        "service": service,
        "language": settings.language,
        "issuer": issuer,
        "clientId": settings.client_id,
        "scopes": settings.scopes,
        "resource": settings.resource,
        "authorizationEndpoint": endpoints.authorization.as_str(),
        "tokenEndpoint": endpoints.token.as_str(),
        "endSessionEndpoint": endpoints.end_session.as_ref().map(Url::as_str),
    })
}
