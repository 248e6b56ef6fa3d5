//! What can be done with the demo account: one list for the lines in the terminal and for the page. The codes in it are
//! computed when they are used, so that they are live then.

use super::issuer::{ADMIN_TOKEN, USER_TOKEN};
use serde::Serialize;

pub(super) const RECORD: &str = r#"{"id":"demo","email":"demo@example.com","pin":"8299","password":"einmal und nie wieder",
"deviceTotps":[{"id":"738e379f-fe30-45ab-819c-ba88804b6368","secret":"PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU","label":"Demo phone"}],
"authenticators":[{"id":"0d6f1a52-9c1e-4c56-8f0b-5f2f1d0c7a11","secret":"KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S","label":"Demo app"}]}"#;

pub(super) const DEVICE_SECRET: &str = "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU";
pub(super) const AUTHENTICATOR_SECRET: &str = "KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S";

/// Stand in a body for live codes, and for one that was created against the PIN.
pub(super) const DEVICE_CODE: &str = "{device}";
pub(super) const AUTHENTICATOR_CODE: &str = "{app}";
pub(super) const CREATED_CODE: &str = "{created}";
/// In a path, the id of an authenticator that was begun a moment before; in a body, a live code of it.
pub(super) const AUTHENTICATOR: &str = "{authenticator}";
pub(super) const NEW_CODE: &str = "{new}";
/// Stands for the code in the last mail.
pub(super) const MAILED_CODE: &str = "{mailed}";

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

/// A `POST` of the demo account's owner.
const fn user(
    operation: &'static str,
    title: &'static str,
    status: u16,
    path: &'static str,
    body: &'static str,
) -> Example {
    user_with(operation, title, status, "POST", path, Some(body))
}

const fn user_with(
    operation: &'static str,
    title: &'static str,
    status: u16,
    method: &'static str,
    path: &'static str,
    body: Option<&'static str>,
) -> Example {
    Example { operation, title, status, method, path, body, token: USER_TOKEN }
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

/// Begins an authenticator.
pub(super) const BEGIN: &str =
    r#"{"data":{"type":"authenticator","attributes":{"pin":"8299","label":"My phone"}}}"#;

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
    user_with(
        "SendmailOTP",
        "A code by mail, which dev sends to its mailbox. Within a minute once more: no second mail, see Retry-After.",
        204,
        "POST",
        "/user/2025-1/user/otp/sendmail",
        None,
    ),
    user(
        "VerifyOTP",
        "The code in the last mail. Sent again, 404.",
        204,
        VERIFY,
        r#"{"otp":"{mailed}","types":["login"]}"#,
    ),
    user_with(
        "UpdateUserPIN",
        "A new PIN, here the same again, against a code that was created a moment before.",
        200,
        "PUT",
        "/user/2025-1/user/pin",
        Some(r#"{"data":{"type":"pin","attributes":{"pin":"8299","otp":"{created}"}}}"#),
    ),
    user_with("CheckUserPIN", "Whether there is a PIN.", 200, "GET", "/user/2025-1/user/pin", None),
    user_with(
        "CheckUserPassword",
        "Whether there is a password.",
        200,
        "GET",
        "/user/2025-1/user/password",
        None,
    ),
    user_with(
        "CheckUserPinOrPassword",
        "Which of them.",
        200,
        "GET",
        "/user/2025-1/user/pin-or-password",
        None,
    ),
    user(
        "CreateTOTP",
        "Another device, against the PIN. The same id again replaces it.",
        201,
        "/user/2025-1/user/devices/totp",
        r#"{"data":{"type":"deviceTOTP","id":"5f2f1d0c-7a11-4c56-8f0b-0d6f1a529c1e","attributes":{"pin":"8299"}}}"#,
    ),
    user_with(
        "ListTOTPs",
        "Its devices, without secrets.",
        200,
        "GET",
        "/user/2025-1/user/devices/totp",
        None,
    ),
    user_with(
        "LabelTOTP",
        "A name for the new one.",
        200,
        "PATCH",
        "/user/2025-1/user/devices/totp/5f2f1d0c-7a11-4c56-8f0b-0d6f1a529c1e",
        Some(r#"{"data":{"type":"deviceTOTP","attributes":{"label":"Glove box"}}}"#),
    ),
    user_with(
        "DeleteTOTP",
        "Its codes are good no more; sent again, 404.",
        204,
        "DELETE",
        "/user/2025-1/user/devices/totp/5f2f1d0c-7a11-4c56-8f0b-0d6f1a529c1e",
        None,
    ),
    user(
        "CreateAuthenticator",
        "A secret for another authenticator app, against the PIN. It is pending until a code of the app confirms it.",
        201,
        "/user/2025-1/user/authenticators",
        BEGIN,
    ),
    user_with(
        "ShowAuthenticatorQR",
        "The same for the app's camera; once confirmed, 404.",
        200,
        "GET",
        "/user/2025-1/user/authenticators/{authenticator}/qr",
        None,
    ),
    user(
        "ConfirmAuthenticator",
        "A code of a new one: it is live from now on.",
        204,
        "/user/2025-1/user/authenticators/{authenticator}/confirm",
        r#"{"otp":"{new}"}"#,
    ),
    user_with(
        "ListAuthenticators",
        "Its authenticator apps, without secrets.",
        200,
        "GET",
        "/user/2025-1/user/authenticators",
        None,
    ),
    user_with(
        "LabelAuthenticator",
        "A name for the newest one.",
        200,
        "PATCH",
        "/user/2025-1/user/authenticators/{authenticator}",
        Some(r#"{"data":{"type":"authenticator","attributes":{"label":"Old phone"}}}"#),
    ),
    user_with(
        "DeleteAuthenticator",
        "Its codes are good no more.",
        204,
        "DELETE",
        "/user/2025-1/user/authenticators/{authenticator}",
        None,
    ),
    user_with(
        "ListEvents",
        "What was done to the account of late.",
        200,
        "GET",
        "/user/2025-1/user/events",
        None,
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
