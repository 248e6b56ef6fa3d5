//! A password that somebody else judges. As with a hash, the attempt is counted as failed before anybody is asked; what
//! may have been judged stays counted unless it was right, or guesses would be free where answers get lost.

use super::{Attempt, Deed, Proof};
use crate::accounts::UpdateError;
use crate::accounts::outcome::Done;
use crate::events::Event;
use crate::metrics::Stage;
use einmal_core::account::{Account, ProofKind};
use std::pin::Pin;
use std::sync::Arc;

/// Asks, with the password inside. Nothing happens before it is polled.
pub type Judging = Pin<Box<dyn Future<Output = Judged> + Send>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    Right,
    Wrong,
    /// Certainly not looked at.
    NotAtAll,
    /// Perhaps looked at, with an unknown result.
    Perhaps,
}

impl<D: Deed> Attempt<D> {
    /// Without a verdict the whole attempt ends: whoever repeats a request that was answered 503 must not use up
    /// the guesses of a PIN beside it.
    pub(super) async fn ask(&self, judging: Judging) -> Result<Proof<D::Done>, UpdateError> {
        let kind = ProofKind::PasswordAtIssuer;
        let reserved = match self.admit(kind).await? {
            Ok(reserved) => reserved,
            Err(turned_away) => return Ok(turned_away),
        };
        let asking = self.accounts.metrics().stages.time(Stage::Grant);
        let judged = judging.await;
        drop(asking);
        match judged {
            Judged::Right => Ok(self.settle(kind, reserved, None).await?.unwrap_or(Proof::Wrong)),
            Judged::Wrong => {
                self.accounts.reporter.tell(Event::ProofRefused(kind.into()));
                self.count_wrong(kind, &reserved);
                Ok(Proof::Wrong)
            }
            Judged::Perhaps => {
                self.count_wrong(kind, &reserved);
                Err(UpdateError::NotJudged)
            }
            Judged::NotAtAll => {
                let policy = Arc::clone(&self.policy);
                let withdraw = move |account: &mut Account| {
                    account.withdraw(&reserved, &policy);
                    Done(())
                };
                self.accounts.update(self.id.clone(), withdraw).await?;
                Err(UpdateError::NotJudged)
            }
        }
    }
}
