//! `[mail]`: the mail server, whom mails are from, and what stands in them. The URL may hold a password, so no message
//! shows it. Reaches for no network and reads no template.

use super::keys::Key;
use super::section::Section;
use crate::mail::{Limits, MailSettings, Sender, SmtpServer};

pub(super) const KEYS: &[Key] = &[Key::secret("url"), Key::value("from"), Key::value("templates")];

const FROM_EXPECTED: &str =
    "one address in ASCII, with a name or without, such as \"einmal <no-reply@example.com>\"";

/// `None` without a server, and if something is not usable; then there is a fault.
pub(super) fn read(section: &mut Section<'_>) -> Option<MailSettings> {
    if section.has("url") && !section.has("from") {
        section.refuse("from", format!("missing, expected {FROM_EXPECTED}"));
    }
    let server = section.secret("url").and_then(|url| match SmtpServer::parse(url.expose()) {
        Ok(server) => Some(server),
        Err(message) => {
            section.refuse("url", message);
            None
        }
    });
    let from = section.parsed("from", FROM_EXPECTED, Sender::parse);
    let has_templates = section.has("templates");
    let templates = section.path("templates");
    if has_templates && templates.is_none() {
        return None;
    }
    Some(MailSettings { server: server?, from: from?, templates, limits: Limits::default() })
}
