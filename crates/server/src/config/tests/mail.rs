//! `[mail]` and what `[otp]` says about mails.

use super::*;
use crate::mail::Security;
use std::time::Duration;

const MAIL: &str =
    "[mail]\nurl = \"smtps://user:hunter%202@mail.example.com\"\nfrom = \"einmal <no-reply@example.com>\"\n";

#[test]
fn without_the_section_there_is_no_mail_and_with_it_there_is() {
    let config = written(MINIMAL).config();
    assert!(config.mail.is_none() && config.login_enabled);

    let written = written(&format!("{MAIL}templates = \"mail\"\n{MINIMAL}"));
    let templates = written.path("mail");
    let mail = written.config().mail.unwrap();
    assert_eq!((mail.server.host.as_str(), mail.server.port), ("mail.example.com", 465));
    assert_eq!(mail.server.security, Security::Tls);
    assert_eq!(mail.server.credentials, Some(("user".to_owned(), Secret::new("hunter 2"))));
    assert_eq!(mail.templates, Some(templates));
    assert_eq!(mail.limits.deadline, Duration::from_secs(10), "less than a mail keeps its place");
}

#[test]
fn the_url_may_be_in_a_file_or_a_variable() {
    let from = "from = \"a@b\"\n";
    let with_file = written(&format!("[mail]\nurl = {{ file = \"url\" }}\n{from}{MINIMAL}"));
    fs::write(with_file.path("url"), "smtp://127.0.0.1:1025\n").unwrap();
    assert_eq!(with_file.config().mail.unwrap().server.port, 1_025);

    let with_variable = written(&format!("[mail]\nurl = {{ env = \"SMTP\" }}\n{from}{MINIMAL}"));
    assert_eq!(with_variable.with([("SMTP", "smtp://[::1]:26")]).config().mail.unwrap().server.host, "::1");

    let over_it = [("EINMAL__MAIL__URL", "smtp+starttls://mail.example.com"), ("EINMAL__MAIL__FROM", "a@b")];
    let config = written(MINIMAL).with(over_it).config();
    assert_eq!(config.mail.unwrap().server.security, Security::StartTls);
}

#[test]
fn without_a_server_there_is_no_mail_whoever_it_would_be_from() {
    for section in ["[mail]\n", "[mail]\nfrom = \"a@b\"\n"] {
        assert!(written(&format!("{section}{MINIMAL}")).config().mail.is_none());
    }
}

#[test]
fn what_is_wrong_with_mail_is_told_by_name_and_place() {
    let with = |lines: &str| refusal(&format!("[mail]\n{lines}"));
    for (lines, expected) in [
        (
            "url = \"smtp://localhost\"",
            "einmal.toml:1: mail.from: missing, expected one address in ASCII, with a name or without, such as \"einmal <no-reply@example.com>\"",
        ),
        (
            "from = \"a@b, c@d\"",
            "einmal.toml:2: mail.from: found \"a@b, c@d\", expected one address in ASCII, with a name or without, such as \"einmal <no-reply@example.com>\"",
        ),
        (
            "url = \"smtp://u:hunter2@mail.example.com\"\nfrom = \"a@b\"",
            "einmal.toml:2: mail.url: user and password would cross the network in clear, expected smtps:// or smtp+starttls://",
        ),
        (
            "url = \"https://u:hunter2@mail.example.com\"\nfrom = \"a@b\"",
            "einmal.toml:2: mail.url: expected smtp://HOST:PORT, smtps://USER:PASSWORD@HOST or smtp+starttls://USER:PASSWORD@HOST",
        ),
        (
            "url = \"smtp://localhost\"\nfrom = \"a@b, c@d\"",
            "einmal.toml:3: mail.from: found \"a@b, c@d\", expected one address in ASCII, with a name or without, such as \"einmal <no-reply@example.com>\"",
        ),
        (
            "url = \"smtp://localhost\"\nfrom = \"a@b\"\ntemplates = 7",
            "einmal.toml:4: mail.templates: found the number 7, expected a path",
        ),
        (
            "url = \"smtp://localhost\"\nfrom = \"a@b\"\ntemplate = \"x\"",
            "einmal.toml:4: mail.template: unknown key, the nearest known one is mail.templates",
        ),
    ] {
        assert_eq!(with(lines), expected);
    }
}

#[test]
fn mails_may_be_rare_or_switched_off() {
    let config = written(&format!("[otp]\nlogin_resend_after = \"2m\"\nlogin_enabled = false\n{MINIMAL}"));
    let config = config.config();
    assert_eq!(config.policy.login_resend_after_seconds, 120);
    assert!(!config.login_enabled);
    assert_eq!(
        refusal("[otp]\nlogin_resend_after = \"5s\""),
        "einmal.toml:2: otp.login_resend_after: found \"5s\", expected 10 to 3600 seconds"
    );
    assert_eq!(
        refusal("[otp]\nlogin_enabled = 1"),
        "einmal.toml:2: otp.login_enabled: found the number 1, expected true or false"
    );
}

#[test]
fn the_password_of_the_mail_server_is_printed_nowhere() {
    let (document, directory) = written(&format!("{MAIL}{MINIMAL}")).document();
    let document = document.unwrap();
    let printed = document.print().unwrap();
    assert!(printed.contains("url = \"smtps://user:***@mail.example.com\""), "{}", *printed);
    assert!(!printed.contains("hunter") && !format!("{:?}", document.service().unwrap()).contains("hunter"));
    drop(directory);
}
