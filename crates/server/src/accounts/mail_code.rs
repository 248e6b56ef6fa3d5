//! A `login` code by mail: a place is taken in the account, the mail is sent outside of any lock, and its code is good
//! when the mail server has taken it. Of many requests at once, here and on other replicas, one sends.

use super::outcome::Done;
use super::{Accounts, Outcome, UpdateError};
use crate::clock::Clock;
use crate::entropy::random_number;
use crate::metrics::{MailOutcome as Counted, Stage};
use einmal_core::Timestamp;
use einmal_core::account::{Account, AccountId, MailOutcome, MailReservation, ReservedMail, Wait};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How often somebody looks whether a mail of another replica has been sent.
const INTERVAL: Duration = Duration::from_millis(150);

/// Taking a place and sending together end before the place does; clocks tell whole seconds.
const LONGEST: Duration = Duration::from_secs(Policy::MAIL_PLACE_SECONDS - 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailed {
    /// The mail server has it, and its code is good.
    Sent,
    /// One was sent a moment ago; no other is for so long.
    Recent(Wait),
    /// As many as may be sent in an hour or a day.
    Exhausted(Wait),
    /// It was not sent.
    Failed,
    /// Perhaps it was: its code is no good all the same, and no other is sent for so long.
    Doubtful(Wait),
}

/// Why a mail was not sent, or nobody knows.
pub struct Unsent {
    /// For the log alone.
    pub reason: String,
    pub is_perhaps_sent: bool,
}

/// Mails of this process that are under way, by their accounts.
#[derive(Default)]
pub(super) struct Mailings(Mutex<HashMap<AccountId, watch::Receiver<Option<Ending>>>>);

/// It is told how long it may take.
type SendMail = Box<dyn FnOnce(ReservedMail, Duration) -> Sending + Send>;

type Sending = Pin<Box<dyn Future<Output = Result<(), Unsent>> + Send>>;

/// As all who wait for it are told.
type Ending = Result<Mailed, Arc<UpdateError>>;

/// One that is under way, taken off the list however it ends.
struct UnderWay {
    accounts: Accounts,
    id: AccountId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut mailings = self.accounts.mailings().0.lock().unwrap_or_else(PoisonError::into_inner);
        mailings.remove(&self.id);
    }
}

impl Outcome for MailReservation {
    fn is_evaluated(&self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

impl Accounts {
    /// Mails a code by `send`, which is told how long it may take, or joins whoever is doing that. An account comes into
    /// being by it. It goes on when the caller has gone.
    pub async fn mail_code<S, F>(
        &self,
        id: AccountId,
        clock: Arc<dyn Clock>,
        policy: Arc<Policy>,
        send: S,
    ) -> Result<Mailed, Arc<UpdateError>>
    where
        S: FnOnce(ReservedMail, Duration) -> F + Send + 'static,
        F: Future<Output = Result<(), Unsent>> + Send + 'static,
    {
        let send = |mail, time| -> Sending { Box::pin(send(mail, time)) };
        let mut ending = self.join_or_begin(id, clock, policy, Box::new(send));
        let ended = ending.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        ended.unwrap_or_else(|| Err(Arc::new(UpdateError::Panicked)))
    }

    fn join_or_begin(
        &self,
        id: AccountId,
        clock: Arc<dyn Clock>,
        policy: Arc<Policy>,
        send: SendMail,
    ) -> watch::Receiver<Option<Ending>> {
        let mut mailings = self.mailings().0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ending) = mailings.get(&id) {
            return ending.clone();
        }
        let (sender, ending) = watch::channel(None);
        mailings.insert(id.clone(), ending.clone());
        // A runtime that is closing drops the task at once, and with it who takes it off the list.
        drop(mailings);
        let under_way = UnderWay { accounts: self.clone(), id };
        self.detach(async move {
            let UnderWay { accounts, id } = &under_way;
            let mailed = accounts.mail_one(id, clock, policy, send).await;
            accounts.metrics().mails.count(match &mailed {
                Ok(Mailed::Sent) => Counted::Sent,
                Ok(Mailed::Recent(_)) => Counted::Recent,
                Ok(Mailed::Exhausted(_)) => Counted::Exhausted,
                Ok(Mailed::Failed | Mailed::Doubtful(_)) | Err(_) => Counted::Failed,
            });
            // Off the list before anybody is told: who comes after that begins anew.
            drop(under_way);
            sender.send_replace(Some(mailed.map_err(Arc::new)));
        });
        ending
    }

    async fn mail_one(
        &self,
        id: &AccountId,
        clock: Arc<dyn Clock>,
        policy: Arc<Policy>,
        send: SendMail,
    ) -> Result<Mailed, UpdateError> {
        let entropy = self.entropy();
        let (number, fresh) = (random_number(&*entropy)?, Code::random(&*entropy)?);
        let resend_after = Wait { seconds: policy.login_resend_after_seconds };
        // The place counts from here. The request may have come long before, and waited for its issuer.
        let (asked_at, now) = (Instant::now(), clock.now());
        let reserve = move |account: &mut Account| account.reserve_mail(number, fresh.clone(), now, &policy);
        let mail = match self.update_or_create(id.clone(), reserve).await? {
            MailReservation::Granted(mail) => mail,
            MailReservation::Recent(wait) => return Ok(Mailed::Recent(wait)),
            MailReservation::Exhausted(wait) => return Ok(Mailed::Exhausted(wait)),
            MailReservation::UnderWay(other) => return self.wait_for_other(id, other, now).await,
        };
        let under_way = self.metrics().stages.time(Stage::Mail);
        let outcome = send(mail.clone(), LONGEST.saturating_sub(asked_at.elapsed())).await;
        drop(under_way);
        let Err(Unsent { reason: error, is_perhaps_sent }) = outcome else {
            let settle = move |account: &mut Account| Done(account.settle_mail(&mail));
            return Ok(match self.update(id.clone(), settle).await? {
                Some(Done(true)) => Mailed::Sent,
                Some(Done(false)) | None => Mailed::Failed,
            });
        };
        tracing::warn!(error, "a mail could not be sent");
        if is_perhaps_sent {
            self.change(id.clone(), move |account| account.doubt_mail(&mail)).await?;
            return Ok(Mailed::Doubtful(resend_after));
        }
        self.change(id.clone(), move |account| account.withdraw_mail(&mail)).await?;
        Ok(Mailed::Failed)
    }

    /// Of another replica's mail nobody tells but the account.
    async fn wait_for_other(
        &self,
        id: &AccountId,
        number: u64,
        now: Timestamp,
    ) -> Result<Mailed, UpdateError> {
        let started = Instant::now();
        loop {
            let passed = started.elapsed().as_secs();
            let Some(account) = self.read(id).await? else { return Ok(Mailed::Failed) };
            match account.mail_outcome(number, now.plus_seconds(passed)) {
                MailOutcome::Sent => return Ok(Mailed::Sent),
                MailOutcome::StillUnderWay if passed < Policy::MAIL_PLACE_SECONDS => sleep(INTERVAL).await,
                MailOutcome::StillUnderWay | MailOutcome::Failed => return Ok(Mailed::Failed),
            }
        }
    }
}
