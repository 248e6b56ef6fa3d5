//! The demo account, the same everywhere, and the lines that show what can be done with it.

use super::ISSUER_NAME;
use super::issuer::ADMIN_TOKEN;
use crate::api::router::Route;
use axum::routing::get;
use std::fmt::Write;
use std::net::SocketAddr;

pub(super) const RECORD: &str = r#"{"id":"demo","email":"demo@example.com","pin":"8299","password":"einmal und nie wieder",
"deviceTotps":[{"id":"738e379f-fe30-45ab-819c-ba88804b6368","secret":"PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU","label":"Demo phone"}],
"authenticators":[{"id":"0d6f1a52-9c1e-4c56-8f0b-5f2f1d0c7a11","secret":"KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S","label":"Demo app"}]}"#;

const DEVICE_SECRET: &str = "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU";
const AUTHENTICATOR_SECRET: &str = "KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S";

/// What is printed at the start: lines to paste into a shell. `einmal` is the path of the program, which
/// computes the code when the line is run, so that it is a live one then.
pub fn lines(address: SocketAddr, einmal: &str) -> String {
    let einmal = quoted(einmal);
    let live = |secret: &str| format!("$({einmal} code --secret {secret})");
    let requests = [
        (
            "A live code of the demo account's device: 204.\n\
             # The same line within the same 30 seconds: 404, for a code is good once.",
            format!(r#"{{\"otp\":\"{}\"}}"#, live(DEVICE_SECRET)),
        ),
        (
            "A live code of its authenticator app: 204.",
            format!(r#"{{\"otp\":\"{}\",\"types\":[\"totp\"]}}"#, live(AUTHENTICATOR_SECRET)),
        ),
        (
            "A wrong code: 404. After five of them nothing is looked at for a while, see Retry-After.",
            r#"{\"otp\":\"000000\"}"#.to_owned(),
        ),
    ];
    let mut text = format!(
        "einmal dev at http://{address}\n\
         NOT FOR PRODUCTION: whoever reaches this address gets a token for any account,\n\
         and everybody knows the demo account's secrets.\n"
    );
    for (title, body) in requests {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n# {title}\ncurl -i http://{address}/user/2025-1/user/otp/verify \\\n  \
             -H \"Authorization: Bearer $(curl -s http://{address}/dev/token)\" \\\n  \
             -H 'Content-Type: application/json' \\\n  -d \"{body}\"\n"
        );
    }
    let _ = write!(
        text,
        "\n# The back office makes a `login` code for a user whose phone is lost: 201.\n\
         curl -i -X POST http://{address}/admin/accounts/{ISSUER_NAME}/demo/code \\\n  \
         -H \"Authorization: Bearer $(curl -s 'http://{address}{ADMIN_TOKEN}')\"\n"
    );
    let _ = write!(
        text,
        "\n# A token for another account: http://{address}/dev/token?sub=somebody\n\
         # What each error means: http://{address}/docs/errors\n"
    );
    text
}

/// For a POSIX shell, if it needs it.
fn quoted(path: &str) -> String {
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if plain { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// The same lines for whoever opens the address in a browser.
pub(super) fn route(address: SocketAddr) -> Route {
    Route::plain("/", get(async move || lines(address, "einmal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_or_quotes_survives_the_shell() {
        assert_eq!(quoted("/usr/bin/einmal"), "/usr/bin/einmal");
        assert_eq!(quoted("/tmp/it's here/einmal"), r"'/tmp/it'\''s here/einmal'");
    }
}
