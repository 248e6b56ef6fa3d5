//! Every limit and lifetime, in one place. A [`Policy`] can only be built if it is sane, so no rule below has
//! to doubt its numbers.

/// One failed attempt costs a TOTP secret `steps tried ÷ 10^digits`, kept as an integer number of 10⁻⁸.
pub const GUESS_UNITS_PER_MILLIONTH: u64 = 100;

/// How far a learned drift may move the middle of the window, in steps.
pub const MAX_DRIFT_STEPS: i8 = 2;

/// What an operator may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Lifetime of a code created against PIN or password.
    pub account_code_ttl_seconds: u64,
    /// Lifetime of a mailed code.
    pub login_code_ttl_seconds: u64,
    /// For so long after a mail no other is sent.
    pub login_resend_after_seconds: u64,
    /// Steps accepted on either side of the clock (RFC 6238 section 5.2).
    pub skew_steps: u8,
    pub max_devices: usize,
    pub max_authenticators: usize,
    /// Whether an app that uses a secret in another way than it was told is taken as it is, when it is confirmed.
    pub accept_other_parameters: bool,
    /// Consecutive failures before the first wait.
    pub free_failures: u32,
    pub first_wait_seconds: u64,
    /// Waits double up to this.
    pub longest_wait_seconds: u64,
    /// Guess budget of a TOTP secret between two successes, in millionths.
    pub guesses: u64,
    /// Failed attempts a TOTP secret takes between two successes (NIST SP 800-63B-4 section 3.2.2: at most 100).
    pub failures: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account_code_ttl_seconds: 300,
            login_code_ttl_seconds: 600,
            login_resend_after_seconds: 60,
            skew_steps: 1,
            max_devices: 5,
            max_authenticators: 5,
            accept_other_parameters: true,
            free_failures: 5,
            first_wait_seconds: 30,
            longest_wait_seconds: 3_600,
            guesses: 300,
            failures: 100,
        }
    }
}

/// A setting outside of what the promises allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {found}, expected {expected}")]
pub struct PolicyError {
    /// The setting's name in [`Settings`].
    pub key: &'static str,
    pub found: u64,
    pub expected: String,
}

/// [`Settings`] that passed the check, and the limits that nobody may choose.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    settings: Settings,
}

impl Policy {
    /// Failed attempts that kill an `account` or `login` code.
    pub const CODE_FAILURES: u32 = 5;
    /// Consecutive failures that kill a PIN.
    pub const PIN_FAILURES: u32 = 5;
    /// Wrong codes that kill an authenticator that is not confirmed yet.
    pub const PENDING_FAILURES: u32 = 5;
    /// For how long it may be confirmed.
    pub const PENDING_SECONDS: u64 = 900;
    /// Mails to one account. With [`Self::CODE_FAILURES`] guesses at each, 100 guesses a day.
    pub const MAILS_AN_HOUR: usize = 5;
    pub const MAILS_A_DAY: usize = 20;
    /// Diagnoses of one account, for each of which is told what a code would be good for.
    pub const DIAGNOSES_IN_TEN_MINUTES: usize = 5;
    pub const DIAGNOSES_A_DAY: usize = 20;
    /// After which a mail that neither arrived nor failed counts as lost: from just before its place was asked for, by
    /// the clock of whoever took it. Whoever sends has what is left of it when the place is written, so that no sending
    /// outlasts its place; but a replica whose clock is ahead sees it free so much earlier.
    pub const MAIL_PLACE_SECONDS: u64 = 15;
    /// For how long a request with an idempotency key that verified a code is answered again.
    pub const VERIFICATION_REPEAT_SECONDS: u64 = 120;
    /// The same for one that set or enrolled something.
    pub const CHANGE_REPEAT_SECONDS: u64 = 600;
    /// Accepted requests of either kind that are remembered.
    pub const REPEATS_KEPT: usize = 4;
    /// Other bodies under the key of one, after which it is not answered again.
    pub const OTHER_BODIES: u8 = 5;

    pub fn new(settings: Settings) -> Result<Self, PolicyError> {
        let s = &settings;
        within("account_code_ttl_seconds", s.account_code_ttl_seconds, 30, 600)?;
        within("login_code_ttl_seconds", s.login_code_ttl_seconds, 60, 600)?;
        within("login_resend_after_seconds", s.login_resend_after_seconds, 10, 3_600)?;
        within("skew_steps", s.skew_steps.into(), 0, 5)?;
        within("max_devices", s.max_devices as u64, 0, 100)?;
        within("max_authenticators", s.max_authenticators as u64, 0, 100)?;
        within("free_failures", s.free_failures.into(), 1, 10)?;
        within("first_wait_seconds", s.first_wait_seconds, 1, s.longest_wait_seconds.max(1))?;
        within("longest_wait_seconds", s.longest_wait_seconds, 1, 86_400)?;
        // The widest window of one attempt is 2·5+1+2 steps: a smaller budget would suspend a secret at once.
        within("guesses", s.guesses, 20, 1_000)?;
        within("failures", s.failures.into(), 5, 100)?;
        Ok(Self { settings })
    }

    /// Guess budget of one TOTP secret, in units of 10⁻⁸.
    pub fn guess_units(&self) -> u64 {
        self.settings.guesses * GUESS_UNITS_PER_MILLIONTH
    }
}

impl std::ops::Deref for Policy {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

fn within(key: &'static str, found: u64, least: u64, most: u64) -> Result<(), PolicyError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(PolicyError { key, found, expected: format!("{least} to {most}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sane() {
        assert_eq!(Policy::new(Settings::default()).map(|_| ()), Ok(()));
    }

    #[test]
    fn what_would_break_a_promise_is_refused_by_name() {
        let refused = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            Policy::new(settings).err().map(|error| error.key)
        };
        assert_eq!(refused(|s| s.login_code_ttl_seconds = 601), Some("login_code_ttl_seconds"));
        assert_eq!(refused(|s| s.failures = 101), Some("failures"));
        assert_eq!(refused(|s| s.first_wait_seconds = 3_601), Some("first_wait_seconds"));
        assert_eq!(refused(|s| s.free_failures = 0), Some("free_failures"));
    }
}
