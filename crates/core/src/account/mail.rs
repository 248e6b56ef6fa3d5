//! Mails with `login` codes. Sending is slow work, done outside: a place is taken before it (`reserve_mail`), and the code
//! is issued when the mail server has taken the mail (`settle_mail`). So of many requests at once one sends, a failed
//! mail leaves no code behind, and a crash in between leaves a place that is free again after a while. What counts for
//! the caps is what may have come to somebody, be its code good or not.

use super::caps::{self, DAY, HOUR};
use super::{Account, CodeState, HistoryKind, IssuedCode, Wait};
use crate::Timestamp;
use crate::otp::Code;
use crate::policy::Policy;

/// What was mailed when, and what is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailing {
    pub under_way: Option<Sending>,
    /// The last one, if a mail server took it and its code was good.
    pub last: Option<u64>,
    /// When mails were sent within the last day, or perhaps were, the latest at the end.
    pub sent_at: Vec<Timestamp>,
}

/// A mail that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Random: it tells this one from all others.
    pub id: u64,
    pub since: Timestamp,
}

/// Whether a mail may be sent.
pub enum MailReservation {
    Granted(ReservedMail),
    /// Somebody is sending one; ask for its outcome.
    UnderWay(u64),
    /// One was sent a moment ago, and this is for how long no other is.
    Recent(Wait),
    /// As many as may be sent in an hour or a day; or the last one has perhaps come, and its code is no good.
    Exhausted(Wait),
}

/// What is to be mailed.
#[derive(Clone)]
pub struct ReservedMail {
    pub code: Code,
    pub expires_at: Timestamp,
    id: u64,
    /// It is not the account's yet.
    is_new: bool,
}

/// How a mail that was under way has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    StillUnderWay,
    Sent,
    Failed,
}

impl Account {
    /// `id` and `fresh` are drawn for this request: the number of the mail, and the code for the case that no living one is
    /// to be mailed again.
    pub fn reserve_mail(&mut self, id: u64, fresh: Code, now: Timestamp, policy: &Policy) -> MailReservation {
        self.mailing.forget(now);
        if let Some(sending) = self.mailing.under_way {
            return MailReservation::UnderWay(sending.id);
        }
        if let Some(wait) = self.mailing.wait_after_last(now, policy) {
            // Nobody is sent to look for a mail whose code is no good.
            let is_good = self.mailing.last.is_some();
            return if is_good { MailReservation::Recent(wait) } else { MailReservation::Exhausted(wait) };
        }
        if let Some(wait) = self.mailing.wait_of_caps(now) {
            return MailReservation::Exhausted(wait);
        }
        self.mailing.under_way = Some(Sending { id, since: now });
        if let Some(login) = &mut self.login_code {
            login.bury_if_expired(now);
        }
        let ttl = policy.login_code_ttl_seconds;
        // A code lives no longer for being mailed again, so it must have time left to be typed.
        let is_young = |login: &&IssuedCode| {
            let left = login.expires_at.seconds_since(now);
            login.is_live() && (ttl / 2..=ttl).contains(&left)
        };
        let (code, expires_at, is_new) = match self.login_code.as_ref().filter(is_young) {
            Some(login) => (login.code.clone(), login.expires_at, false),
            None => (fresh, now.plus_seconds(ttl), true),
        };
        MailReservation::Granted(ReservedMail { code, expires_at, id, is_new })
    }

    /// The mail server has taken the mail: its code is good from now on. `false` if the place was not this one's any
    /// more, or the code that was mailed again has died or been replaced meanwhile. That mail has been sent all the same.
    pub fn settle_mail(&mut self, mail: &ReservedMail) -> bool {
        let Some(since) = self.mailing.give_up_place_of(mail.id) else { return false };
        self.mailing.add(since);
        if mail.is_new {
            self.login_code = Some(IssuedCode::new(mail.code.clone(), mail.expires_at));
        }
        // Spent is fine: who has used the code of the first mail waits for no second one.
        let is_its_code = |login: &IssuedCode| login.equals(&mail.code) && login.state != CodeState::Dead;
        if !self.login_code.as_ref().is_some_and(is_its_code) {
            return false;
        }
        self.mailing.last = Some(mail.id);
        self.history.add(HistoryKind::CodeMailed, None, since);
        true
    }

    /// It was not sent: its code is no good, and another may be sent at once.
    pub fn withdraw_mail(&mut self, mail: &ReservedMail) {
        self.give_up_mail(mail);
    }

    /// Perhaps it was sent: its code is no good all the same, but whoever it comes to is not sent another one at once.
    pub fn doubt_mail(&mut self, mail: &ReservedMail) {
        if let Some(since) = self.give_up_mail(mail) {
            self.mailing.add(since);
        }
    }

    fn give_up_mail(&mut self, mail: &ReservedMail) -> Option<Timestamp> {
        let since = self.mailing.give_up_place_of(mail.id)?;
        if let Some(login) = self.login_code.as_mut().filter(|login| !mail.is_new && login.equals(&mail.code))
        {
            login.bury();
        }
        Some(since)
    }

    /// What became of the mail that another request found under way.
    pub fn mail_outcome(&self, id: u64, now: Timestamp) -> MailOutcome {
        let mailing = &self.mailing;
        if mailing.last == Some(id) {
            MailOutcome::Sent
        } else if mailing.under_way.is_some_and(|sending| sending.id == id && sending.holds(now)) {
            MailOutcome::StillUnderWay
        } else {
            MailOutcome::Failed
        }
    }
}

impl Sending {
    fn holds(&self, now: Timestamp) -> bool {
        now.seconds_since(self.since) < Policy::MAIL_PLACE_SECONDS
    }
}

impl Mailing {
    /// What no longer matters. A place that was taken far ahead of the clock counts as taken now.
    fn forget(&mut self, now: Timestamp) {
        caps::forget(&mut self.sent_at, now);
        self.under_way = self.under_way.filter(|sending| sending.holds(now));
        if let Some(sending) = &mut self.under_way {
            sending.since = caps::as_seen(sending.since, now);
        }
    }

    /// By its number alone: when it was taken is moved if the clock goes back.
    fn give_up_place_of(&mut self, id: u64) -> Option<Timestamp> {
        self.under_way.take_if(|sending| sending.id == id).map(|sending| sending.since)
    }

    /// One more was sent, or perhaps was. That its code is good is for somebody else to say.
    fn add(&mut self, at: Timestamp) {
        self.last = None;
        caps::add(&mut self.sent_at, at);
    }

    fn wait_after_last(&self, now: Timestamp, policy: &Policy) -> Option<Wait> {
        caps::wait(&self.sent_at, now, 1, policy.login_resend_after_seconds)
    }

    /// Until so many were sent within an hour and a day that one more may be.
    fn wait_of_caps(&self, now: Timestamp) -> Option<Wait> {
        let wait = |most, period| caps::wait(&self.sent_at, now, most, period);
        wait(Policy::MAILS_AN_HOUR, HOUR).max(wait(Policy::MAILS_A_DAY, DAY))
    }
}
