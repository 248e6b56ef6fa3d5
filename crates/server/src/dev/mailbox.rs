//! The mail of `einmal dev`: printed, kept for a page, and sent to nobody. It tells codes to whoever asks.

use super::page::POLICY;
use crate::api::error::{ApiError, ErrorCode};
use crate::api::router::Route;
use crate::mail::{Mail, Outbox, Sending};
use axum::Json;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use minijinja::{Environment, Value, context};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where its mails are: a page, and the last one for scripts.
pub(super) const PAGE: &str = "/dev/mailbox";
pub(super) const LATEST: &str = "/dev/mailbox/latest";
/// Older ones are forgotten.
const MOST_MAILS: usize = 50;

/// Whom each mail is shown to as it comes.
pub type Printer = Box<dyn Fn(&str) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Mailbox {
    /// The newest first.
    mails: Arc<Mutex<VecDeque<Received>>>,
    print: Arc<Printer>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    to: String,
    subject: String,
    text: String,
    code: String,
    sent_at: Option<String>,
}

impl Mailbox {
    pub(super) fn new(print: Printer) -> Self {
        Self { mails: Arc::default(), print: Arc::new(print) }
    }

    fn take(&self, mail: &Mail) {
        let received = Received {
            to: mail.to.as_str().to_owned(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            code: mail.code.as_str().to_owned(),
            sent_at: crate::accounts::rfc_3339(mail.sent_at),
        };
        let text = received.text.trim_end().replace('\n', "\n  | ");
        (self.print)(&format!("\n# Mail to {}: {}\n  | {text}\n", received.to, received.subject));
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push_front(received);
        mails.truncate(MOST_MAILS);
    }

    fn mails(&self) -> VecDeque<Received> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn page(&self) -> Result<String, ApiError> {
        let shown = |mail: Received| context! { to => mail.to, subject => mail.subject, text => mail.text, sent_at => mail.sent_at };
        let mails: Vec<Value> = self.mails().into_iter().map(shown).collect();
        // By its name it is HTML, and everything that is put into it is escaped.
        let page = Environment::new().render_named_str(
            "mailbox.html",
            include_str!("mailbox.html"),
            context! { mails },
        );
        page.map_err(|error| ApiError::internal(error.to_string()))
    }
}

impl Outbox for Mailbox {
    fn send(&self, mail: Mail, _time: Duration) -> Sending<'_> {
        Box::pin(async move {
            self.take(&mail);
            Ok(())
        })
    }
}

pub(super) fn routes(mailbox: &Mailbox) -> Vec<Route> {
    let (shown, asked) = (mailbox.clone(), mailbox.clone());
    let page = async move || -> Result<_, ApiError> {
        let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
        Ok((headers, shown.page()?).into_response())
    };
    let latest =
        async move || asked.mails().pop_front().map(Json).ok_or_else(|| ApiError::new(ErrorCode::NotFound));
    vec![Route::plain(PAGE, get(page)), Route::plain(LATEST, get(latest))]
}
