//! What a finding means, in plain English for whoever helps the user, and what the user can do. The words may change;
//! programs go by the reason.

use einmal_core::Timestamp;
use einmal_core::account::{About, Enrolled, Finding, OtpType, Reason};

pub(super) fn advice(finding: &Finding, now: Timestamp) -> String {
    let it_is = finding.about.as_ref().map(it_is).unwrap_or_default();
    match &finding.reason {
        Reason::Right => format!("{it_is}, right and unused."),
        Reason::Waiting(wait) => format!(
            "There were too many wrong codes: for another {} nothing is looked at, and a right code is refused, too. Wait, \
             or unlock the account.",
            time(wait.seconds)
        ),
        Reason::Used { at, next_in_seconds } => used(&it_is, *at, *next_in_seconds, now),
        Reason::OlderThanUsed { used_at, next_in_seconds } => {
            let when = used_at.map_or_else(
                || "is spent (by an import or a restored backup, or as a code of something else)".to_owned(),
                |at| format!("was used {}", ago(at, now)),
            );
            format!(
                "{it_is}, but an old one: a later one {when}, and all before it are spent with it. {}",
                next(*next_in_seconds)
            )
        }
        Reason::Suspended => format!(
            "{it_is}, which took so many wrong codes that none is accepted from it any more. Unlock the account, or let \
             the user enrol it again."
        ),
        Reason::TypeNotAskedFor => format!(
            "{it_is}, and codes of this type were not asked for: what the user typed it into takes other codes. Tell them \
             which."
        ),
        Reason::NotConfirmed { expires_at } => format!(
            "{it_is}, which was begun and not finished: it is good for nothing until the user enters one of its codes where \
             they began, within {}. After that they begin again.",
            time(expires_at.seconds_since(now))
        ),
        Reason::Expired { at } => {
            format!("{it_is}, and expired {}. The user needs a new one.", ago(*at, now))
        }
        Reason::Dead => format!(
            "{it_is}, and was given up before its time: after five wrong entries, because the mail with it was not taken, or \
             with a restored backup. The user needs a new one."
        ),
        Reason::Clock { seconds } => clock(&it_is, *seconds),
        Reason::OtherParameters { stored, app } => format!(
            "{it_is}, but the app uses the secret as {app}, where {stored} is stored: all of its codes are refused. Delete it \
             and let the user add it again, by the QR code; if it happens again, with another app."
        ),
        Reason::NoMatch { enrolled, has_this_length } => no_match(*enrolled, *has_this_length),
        Reason::NothingEnrolled => {
            "The account has nothing that has codes: no device, no authenticator app, and no code was \
                                    made for it. What was removed cannot be told any more."
                .to_owned()
        }
        Reason::NotACode => {
            "That is no code: codes have 6 to 8 digits. Four digits may be the PIN, which nobody should be \
                             asked for."
                .to_owned()
        }
    }
}

/// The beginning of a sentence. Labels are the users' words: nothing in them can colour a terminal or begin a line.
fn it_is(about: &About) -> String {
    match about {
        About::Credential { kind, label, .. } => {
            let kind = if *kind == OtpType::Totp { "the authenticator app" } else { "the device" };
            let label = label.as_ref().map_or("without a name".to_owned(), |label| format!("{label:?}"));
            format!("It is a code of {kind} {label}")
        }
        About::Issued(OtpType::Login) => "It is the code that was mailed, or told by support".to_owned(),
        About::Issued(_) => "It is the code that was made against PIN or password".to_owned(),
    }
}

fn used(it_is: &str, at: Option<Timestamp>, next_in_seconds: Option<u64>, now: Timestamp) -> String {
    let when = at.map_or_else(|| "before".to_owned(), |at| ago(at, now));
    match next_in_seconds {
        Some(seconds) => format!(
            "{it_is}, and was used {when}. A code is good once. {} If the user has not used it, somebody else has.",
            next(seconds)
        ),
        None => format!("{it_is}, and was used {when}. A code is good once: the user needs a new one."),
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", time(now.seconds_since(at)))
}

fn next(seconds: u64) -> String {
    match seconds {
        0 => "Take the one that is shown now.".to_owned(),
        _ => format!("Wait for the one that is shown in {}.", time(seconds)),
    }
}

fn clock(it_is: &str, seconds: i64) -> String {
    let (far, way) = (time(seconds.unsigned_abs()), if seconds < 0 { "slow" } else { "fast" });
    let or = if seconds < 0 { format!(", or the code was read out {far} late") } else { String::new() };
    format!(
        "{it_is}, but right for a clock that is about {far} {way}{or}. Let the phone set its clock by itself \
         (settings, date and time, \"automatic\"), and take the next code."
    )
}

fn no_match(enrolled: Enrolled, has_this_length: bool) -> String {
    let Enrolled { devices, authenticators, pending, account_codes, login_codes } = enrolled;
    let counts = [
        (devices, "device", "devices"),
        (authenticators, "authenticator app", "authenticator apps"),
        (pending, "unfinished authenticator app", "unfinished authenticator apps"),
        (account_codes, "code made against PIN or password", ""),
        (login_codes, "code that was mailed or told", ""),
    ];
    let there = counts.iter().filter(|(count, ..)| *count > 0);
    let there = there.map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }));
    let there = there.collect::<Vec<_>>().join(", ");
    let length = if has_this_length { "" } else { " None of it has codes of so many digits." };
    format!(
        "The code fits nothing that this account has ({there}): it is none of the last or next 20 codes (10 minutes, where \
         there is one every 30 seconds), nor, in the other ways that apps use a secret, of the last or next 5.{length} It may be mistyped, of another account in the app, or of a device or app that was removed or \
         enrolled again since, which cannot be told any more."
    )
}

fn time(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => ((seconds + 30) / 60, "minute"),
        _ => ((seconds + 1_800) / 3_600, "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
