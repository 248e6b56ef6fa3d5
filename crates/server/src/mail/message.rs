//! A mail in its form for the wire (RFC 5322, MIME). Its headers are made of what the operator wrote and what we draw; the
//! recipient is the only thing in them that came from elsewhere, and the code is in none.

use super::{Mail, MailError};
use data_encoding::HEXLOWER;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, MultiPartKind, SinglePart};
use std::time::{Duration, UNIX_EPOCH};

/// RFC 3834 section 5: so that no machine answers.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

impl Mail {
    pub(super) fn message(&self) -> Result<Vec<u8>, MailError> {
        let unwritable = |error: lettre::error::Error| MailError::Unwritable(error.to_string());
        let random = HEXLOWER.encode(&self.random);
        let (boundary, id) = random.split_at(random.len() / 2);
        let message = Message::builder()
            .from(self.from.mailbox().clone())
            .to(Mailbox::new(None, self.to.inner().clone()))
            .subject(&self.subject)
            .date(UNIX_EPOCH + Duration::from_secs(self.sent_at.seconds()))
            .message_id(Some(format!("<{id}@{}>", self.from.domain())))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
            .multipart(
                // The better form last (RFC 2046 section 5.1.4).
                MultiPart::builder()
                    .kind(MultiPartKind::Alternative)
                    .boundary(format!("einmal-{boundary}"))
                    .singlepart(part(ContentType::TEXT_PLAIN, &self.text))
                    .singlepart(part(ContentType::TEXT_HTML, &self.html)),
            )
            .map_err(unwritable)?;
        let bytes = message.formatted();
        // Else the server would have to be asked whether it takes eight bits.
        if bytes.is_ascii() { Ok(bytes) } else { Err(MailError::Unwritable("it is not ASCII".to_owned())) }
    }
}

fn part(content_type: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(content_type).body(text.to_owned())
}
