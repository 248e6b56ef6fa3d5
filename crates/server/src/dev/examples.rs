//! What can be done with the demo account: one list for the lines in the terminal and for the page. The codes in it are
//! computed when they are used, so that they are live then.

use super::issuer::{ADMIN_TOKEN, USER_TOKEN};
use serde::Serialize;

pub(super) const RECORD: &str = r#"{"id":"demo","email":"demo@example.com","pin":"8299","password":"einmal und nie wieder",
"deviceTotps":[{"id":"738e379f-fe30-45ab-819c-ba88804b6368","secret":"PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU","label":"Demo phone"}],
"authenticators":[{"id":"0d6f1a52-9c1e-4c56-8f0b-5f2f1d0c7a11","secret":"KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S","label":"Demo app"}]}"#;

pub(super) const DEVICE_SECRET: &str = "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU";
pub(super) const AUTHENTICATOR_SECRET: &str = "KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S";

/// Stand in a body for live codes.
pub(super) const DEVICE_CODE: &str = "{device}";
pub(super) const AUTHENTICATOR_CODE: &str = "{app}";

/// One request that works when it is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Example {
    pub(super) operation: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    /// What it is answered, the first time and while nothing else was tried.
    pub(super) status: u16,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<&'static str>,
    /// Where the token that it needs is.
    pub(super) token: &'static str,
}

const fn user(
    operation: &'static str,
    title: &'static str,
    status: u16,
    path: &'static str,
    body: &'static str,
) -> Example {
    Example { operation, title, status, method: "POST", path, body: Some(body), token: USER_TOKEN }
}

/// For the account `demo`, whose secrets are not told and not changed.
const fn back_office(
    operation: &'static str,
    title: &'static str,
    status: u16,
    method: &'static str,
    path: &'static str,
    body: Option<&'static str>,
) -> Example {
    Example { operation, title, status, method, path, body, token: ADMIN_TOKEN }
}

const VERIFY: &str = "/user/2025-1/user/otp/verify";

pub(super) const EXAMPLES: &[Example] = &[
    user(
        "VerifyOTP",
        "A live code of the demo account's device. Within the same 30 seconds once more: 404, for a code is good once.",
        204,
        VERIFY,
        r#"{"otp":"{device}"}"#,
    ),
    user(
        "VerifyOTP",
        "A live code of its authenticator app.",
        204,
        VERIFY,
        r#"{"otp":"{app}","types":["totp"]}"#,
    ),
    user(
        "VerifyOTP",
        "A wrong code. After five of them nothing is looked at for a while, see Retry-After.",
        404,
        VERIFY,
        r#"{"otp":"000000"}"#,
    ),
    user(
        "CreateOTP",
        "A code on demand, against the PIN. It is good once, for five minutes, at VerifyOTP.",
        201,
        "/user/2025-1/user/otp",
        r#"{"pin":"8299"}"#,
    ),
    user(
        "CreateOTP",
        "The same against the password.",
        201,
        "/user/2025-1/user/otp",
        r#"{"password":"einmal und nie wieder"}"#,
    ),
    back_office(
        "Look at an account",
        "What support sees: no secrets.",
        200,
        "GET",
        "/admin/accounts/main/demo",
        None,
    ),
    back_office(
        "Issue a code",
        "The back office makes a login code for a user whose phone is lost.",
        201,
        "POST",
        "/admin/accounts/main/demo/code",
        None,
    ),
    back_office(
        "Unlock",
        "Lifts waits after wrong codes.",
        204,
        "POST",
        "/admin/accounts/main/demo/unlock",
        None,
    ),
    back_office(
        "Provision",
        "Makes an account; sent again, it replaces it and is answered 200.",
        201,
        "PUT",
        "/admin/accounts/main/somebody",
        Some(r#"{"pin":"4378"}"#),
    ),
    back_office(
        "Erase an account",
        "All of it; sent again, 404.",
        204,
        "DELETE",
        "/admin/accounts/main/somebody",
        None,
    ),
];
