//! What became of requests for a mail. Several that ask for one account at once are one.

use super::labels::labelled;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    Sent,
    /// Not sent, or nobody knows.
    Failed,
    /// One was sent a moment ago.
    Recent,
    /// As many as may be.
    Exhausted,
    /// Nobody knows an address.
    NoAddress,
}

pub struct Mails([Counter; 5]);

impl Mails {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = labelled::<Counter>(registry, "mails", "Mails that were asked for, by what came of it");
        let one = |outcome: &str| family.get_or_create_owned(&vec![("outcome", outcome.to_owned())]);
        Self(["sent", "failed", "recent", "exhausted", "no_address"].map(one))
    }

    pub fn count(&self, outcome: MailOutcome) {
        let [sent, failed, recent, exhausted, no_address] = &self.0;
        match outcome {
            MailOutcome::Sent => sent,
            MailOutcome::Failed => failed,
            MailOutcome::Recent => recent,
            MailOutcome::Exhausted => exhausted,
            MailOutcome::NoAddress => no_address,
        }
        .inc();
    }
}
