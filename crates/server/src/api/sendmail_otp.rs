//! `SendmailOTP`: a code by mail, to the address that the account's owner is known to have. Whoever holds a token chooses
//! neither the address nor anything that stands in the mail, but for its language.

use super::accept_language::accepted;
use super::documentation::Documentation;
use super::error::{ApiError, ErrorCode};
use super::negotiate::AcceptsJson;
use super::request::LoggedOutcome;
use super::router::Route;
use crate::accounts::{Mailed, Unsent};
use crate::auth::VerifiedToken;
use crate::auth::caller::{Caller, Operation};
use crate::context::Context;
use crate::mail::{Address, Letter, MailError, Mailer};
use crate::metrics::MailOutcome;
use axum::Extension;
use axum::extract::State;
use axum::http::header::{ACCEPT_LANGUAGE, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use einmal_core::account::ReservedMail;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

struct SendmailOtp;

impl Operation for SendmailOtp {
    const SCOPE: &'static str = "user:otp:create";
}

/// A mail server that is out of reach, or wants to see us again later, takes longer than a store.
const RETRY_AFTER_SECONDS: u64 = 30;

pub(super) fn route() -> Route {
    Route::operation("/user/otp/sendmail", post(sendmail_otp)).describe(documentation)
}

fn documentation() -> Documentation {
    Documentation::new(
        Method::POST,
        "SendmailOTP",
        "Mail a one-time password",
        "A code of the type `login`, to the verified address of the token or else of the account. The answer waits \
         until the mail server has taken the mail; of several requests at once, one mail is sent. Shortly after a mail \
         no other is: that is 204, too, with `Retry-After`, and the code that was mailed stays good. After a mail that \
         may have come though the mail server never said so, and whose code is no good, it is 503 and then 429, with \
         `Retry-After`. A body is ignored.",
    )
    .scope(SendmailOtp::SCOPE)
    .parameter(json!({
        "name": "Accept-Language", "in": "header", "required": false, "schema": { "type": "string" }, "example": "de, en;q=0.5",
        "description": "The languages of the mail, where the token has no claim `locale` with one that there is",
    }))
    .answer(StatusCode::NO_CONTENT, "The mail server has taken the mail, now or a moment ago")
    .tells_when_to_retry()
    .refuses(&[ErrorCode::NotSet, ErrorCode::Throttled])
}

async fn sendmail_otp(
    State(context): State<Arc<Context>>,
    caller: Caller<SendmailOtp>,
    _: AcceptsJson,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !context.login_enabled {
        return Err(ApiError::new(ErrorCode::NotSet).logged("no codes are mailed"));
    }
    let Some(mailer) = context.mailer.clone() else {
        return Err(unavailable("no mail server is configured"));
    };
    let to = address(&context, &caller.token).await.inspect_err(|error| {
        if error.code() == ErrorCode::NotSet {
            context.accounts.metrics().mails.count(MailOutcome::NoAddress);
        }
    })?;
    match mail(&context, &caller, mailer, to, &headers).await? {
        Mailed::Sent => Ok(StatusCode::NO_CONTENT.into_response()),
        Mailed::Recent(wait) => {
            let retry_after = [(RETRY_AFTER, wait.seconds.to_string())];
            Ok((StatusCode::NO_CONTENT, retry_after, Extension(LoggedOutcome("recent"))).into_response())
        }
        Mailed::Exhausted(wait) => {
            Err(ApiError::new(ErrorCode::Throttled).retry_after(wait.seconds).logged("too many mails"))
        }
        Mailed::Failed => Err(unavailable("the mail was not sent")),
        Mailed::Doubtful(wait) => {
            Err(unavailable("perhaps the mail was sent, and its code is no good").retry_after(wait.seconds))
        }
    }
}

async fn mail(
    context: &Arc<Context>,
    caller: &Caller<SendmailOtp>,
    mailer: Mailer,
    to: Address,
    headers: &HeaderMap,
) -> Result<Mailed, ApiError> {
    let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let lines: Vec<_> = lines.collect();
    // What the issuer knows of its user goes before what a client was set to.
    let languages = caller.token.locale.as_deref().into_iter().chain(accepted(&lines));
    let languages: Vec<_> = languages.map(str::to_owned).collect();
    let (clock, entropy) = (Arc::clone(&context.clock), Arc::clone(&context.entropy));
    let send = async move |mail: ReservedMail, time: Duration| -> Result<(), Unsent> {
        let letter = Letter {
            to,
            languages: languages.iter().map(String::as_str).collect(),
            code: &mail.code,
            expires_at: mail.expires_at,
        };
        Ok(mailer.send(mailer.write(&letter, clock.now(), &*entropy)?, time).await?)
    };
    let (account, clock) = (caller.account().clone(), Arc::clone(&context.clock));
    let (accounts, policy) = (context.accounts.reporting(&caller.reporter), Arc::clone(&context.policy));
    let outcome = accounts.mail_code(account, clock, policy, send).await;
    outcome.map_err(|error| ApiError::from(&*error))
}

impl From<MailError> for Unsent {
    fn from(error: MailError) -> Self {
        Self { is_perhaps_sent: error.is_perhaps_sent(), reason: error.to_string() }
    }
}

/// Where the owner's mail goes. What the token says goes before the account, also if it is of no use.
async fn address(context: &Context, token: &VerifiedToken) -> Result<Address, ApiError> {
    let known = match &token.verified_email {
        Some(email) => Some(email.clone()),
        None => context.accounts.read(&token.account).await?.and_then(|account| account.email.clone()),
    };
    let not_set = |reason| ApiError::new(ErrorCode::NotSet).logged(reason);
    let known = known.ok_or_else(|| not_set("no verified address"))?;
    Address::parse(&known).ok_or_else(|| not_set("no mail is sent to an address of this form"))
}

fn unavailable(reason: &'static str) -> ApiError {
    ApiError::new(ErrorCode::Unavailable).retry_after(RETRY_AFTER_SECONDS).logged(reason)
}
