//! The whole API on one screen: which route is where, and what is answered where there is none. Paths are matched
//! as they were sent, so that no other spelling of a version or name reaches an operation.

use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::error_page;
use super::request::RequestLayer;
use super::verify_otp;
use super::{
    check_password, check_pin, check_pin_or_password, confirm_authenticator, create_authenticator,
    create_otp, create_totp, delete_authenticator, delete_device, label_authenticator, label_device,
    list_authenticators, list_devices, list_events, sendmail_otp, show_qr_code, update_pin,
};
use super::{openapi, reference_page};
use crate::context::Context;
use axum::Router;
use axum::routing::MethodRouter;
use std::sync::Arc;

/// They all behave alike.
pub(super) const VERSIONS: [&str; 9] =
    ["2020-4", "2021-2", "2022-1", "2023-1", "2024-1", "2024-2", "2024-3", "2024-4", "2025-1"];

/// One path with one or more methods. Several may have the same path and different methods.
pub struct Route {
    path: &'static str,
    is_versioned: bool,
    methods: MethodRouter<Arc<Context>>,
    documentation: Vec<fn() -> Documentation>,
}

impl Route {
    /// Below `/user/{version}`, for every version: `path` is what follows.
    pub fn operation(path: &'static str, methods: MethodRouter<Arc<Context>>) -> Self {
        Self { path, is_versioned: true, methods, documentation: Vec::new() }
    }

    /// At `path` alone.
    pub fn plain(path: &'static str, methods: MethodRouter<Arc<Context>>) -> Self {
        Self { path, is_versioned: false, methods, documentation: Vec::new() }
    }

    /// Puts one of its methods into the OpenAPI document. Every method of an operation needs this.
    #[must_use]
    pub fn describe(mut self, documentation: fn() -> Documentation) -> Self {
        self.documentation.push(documentation);
        self
    }

    /// What it is counted by: all versions together.
    fn template(&self) -> String {
        if self.is_versioned { format!("/user/{{version}}{}", self.path) } else { self.path.to_owned() }
    }

    pub(super) fn documentation(&self) -> &[fn() -> Documentation] {
        &self.documentation
    }

    /// Without the version.
    pub(super) fn path(&self) -> &'static str {
        self.path
    }

    /// Where it is found.
    pub fn paths(&self) -> Vec<String> {
        if self.is_versioned {
            VERSIONS.iter().map(|version| format!("/user/{version}{}", self.path)).collect()
        } else {
            vec![self.path.to_owned()]
        }
    }
}

/// The public listener's routes. An operation is one file with a function `route`, which
/// also describes it, and one line here.
pub fn routes() -> Vec<Route> {
    vec![
        verify_otp::route(),
        create_otp::route(),
        sendmail_otp::route(),
        create_totp::route(),
        list_devices::route(),
        label_device::route(),
        delete_device::route(),
        create_authenticator::route(),
        show_qr_code::route(),
        confirm_authenticator::route(),
        list_authenticators::route(),
        label_authenticator::route(),
        delete_authenticator::route(),
        list_events::route(),
        update_pin::route(),
        check_pin::route(),
        check_password::route(),
        check_pin_or_password::route(),
        openapi::route(),
        reference_page::route(),
        error_page::route(),
    ]
}

/// Puts routes together with what holds for all of them: ids, headers and log, 404, 405 with `Allow`.
///
/// # Panics
/// If two of them have the same path and method, which any test would find.
pub fn build(context: Arc<Context>, routes: impl IntoIterator<Item = Route>) -> Router {
    let mut api = Router::new();
    let routes: Vec<_> = routes.into_iter().collect();
    let counted = routes.iter().map(|route| (route.paths(), route.template()));
    let layer = RequestLayer::new(Arc::clone(&context), counted);
    for route in routes {
        for path in route.paths() {
            api = api.route(&path, route.methods.clone());
        }
    }
    api.fallback(async || ApiError::new(ErrorCode::NotFound))
        .method_not_allowed_fallback(async || ApiError::new(ErrorCode::MethodNotAllowed))
        .layer(layer)
        .with_state(context)
}
