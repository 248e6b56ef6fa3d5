//! What `einmal dev` prints: lines to paste into a shell.

use super::examples::{
    AUTHENTICATOR, AUTHENTICATOR_CODE, AUTHENTICATOR_SECRET, BEGIN, CREATED_CODE, DEVICE_CODE, DEVICE_SECRET,
    EXAMPLES, Example, MAILED_CODE, NEW_CODE,
};
use super::issuer::USER_TOKEN;
use super::mailbox;
use std::fmt::Write;
use std::net::SocketAddr;

/// `einmal` is the path of the program, which computes the code when a line is run.
pub fn lines(address: SocketAddr, einmal: &str) -> String {
    let einmal = quoted(einmal);
    let mut text = format!(
        "einmal dev at http://{address}\n\
         NOT FOR PRODUCTION: whoever reaches this address gets a token for any account,\n\
         and everybody knows the demo account's secrets.\n"
    );
    for example in EXAMPLES {
        let Example { operation, title, status, .. } = example;
        // Writing to a String cannot fail.
        let _ = write!(text, "\n# {operation}: {status}. {title}\n{}\n", line(example, address, &einmal));
    }
    let mails = mailbox::PAGE;
    let _ = write!(
        text,
        "\n# The same in a browser, with live codes: http://{address}/\n\
         # Mails: http://{address}{mails}\n\
         # A token for another account: http://{address}/dev/token?sub=somebody\n\
         # What each error means: http://{address}/docs/errors\n"
    );
    text
}

fn line(example: &Example, address: SocketAddr, einmal: &str) -> String {
    let Example { method, path, body, token, .. } = example;
    // What curl sends of itself.
    let usual = if body.is_some() { "POST" } else { "GET" };
    let method = if *method == usual { String::new() } else { format!("-X {method} ") };
    // Only the answer that makes it has the secret, of which a code is to be computed.
    let begins = body.is_some_and(|body| body.contains(NEW_CODE));
    let before = if begins { format!("NEW=$({})\n", begun(address)) } else { String::new() };
    let newest = if begins { of_new("id") } else { newest(address) };
    let path = path.replace(AUTHENTICATOR, &newest);
    let mut line = format!(
        "{before}curl -i {method}http://{address}{path} \\\n  \
         -H \"Authorization: Bearer $(curl -s 'http://{address}{token}')\""
    );
    if let Some(body) = body {
        let live_code = |secret: &str| format!("$({einmal} code --secret {secret})");
        let body = body
            .replace('"', "\\\"")
            .replace(CREATED_CODE, &created(address))
            .replace(NEW_CODE, &live_code(&of_new("secret")))
            .replace(MAILED_CODE, &mailed(address))
            .replace(DEVICE_CODE, &live_code(DEVICE_SECRET))
            .replace(AUTHENTICATOR_CODE, &live_code(AUTHENTICATOR_SECRET));
        // Writing to a String cannot fail.
        let _ = write!(line, " \\\n  -H 'Content-Type: application/json' \\\n  -d \"{body}\"");
    }
    line
}

/// What creates a code and leaves nothing of the answer but that.
fn created(address: SocketAddr) -> String {
    format!(
        "$(curl -s http://{address}/user/2025-1/user/otp -H 'Content-Type: application/json' \\\n    \
         -H \"Authorization: Bearer $(curl -s 'http://{address}{USER_TOKEN}')\" -d '{{\"pin\":\"8299\"}}' \\\n    \
         | sed 's/.*\"otp\":\"\\([0-9]*\\)\".*/\\1/')"
    )
}

/// What begins an authenticator.
fn begun(address: SocketAddr) -> String {
    format!(
        "curl -s http://{address}/user/2025-1/user/authenticators -H 'Content-Type: application/json' \\\n  \
         -H \"Authorization: Bearer $(curl -s 'http://{address}{USER_TOKEN}')\" -d '{BEGIN}'"
    )
}

/// What leaves of that answer nothing but the member `name`.
fn of_new(name: &str) -> String {
    format!("$(echo \"$NEW\" | sed 's/.*\"{name}\":\"\\([^\"]*\\)\".*/\\1/')")
}

/// What lists the authenticators and leaves nothing of the answer but the last id.
fn newest(address: SocketAddr) -> String {
    format!(
        "$(curl -s http://{address}/user/2025-1/user/authenticators \\\n    \
         -H \"Authorization: Bearer $(curl -s 'http://{address}{USER_TOKEN}')\" \\\n    \
         | sed 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/')"
    )
}

/// What leaves nothing of the last mail but its code.
fn mailed(address: SocketAddr) -> String {
    format!(
        "$(curl -s http://{address}{} \\\n    | sed 's/.*\"code\":\"\\([0-9]*\\)\".*/\\1/')",
        mailbox::LATEST
    )
}

/// For a POSIX shell, if it needs it.
fn quoted(path: &str) -> String {
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if plain { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
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
