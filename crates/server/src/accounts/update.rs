//! The one loop: load, open, decide, seal, swap if nobody was faster, answer. An outcome that changed the
//! account is believed only when its swap has returned.

use super::access::{Accounts, Inner, Means};
use super::envelope::{Opened, new_account};
use super::outcome::Outcome;
use super::password_hash::{Crowded, HashingError, Interrupted};
use super::seal::SealError;
use super::turns::Turn;
use crate::events::{Event, Reporter};
use crate::metrics::{Attempts, Stage};
use crate::store::{Attempt, SealedAccount, StoreError, Swap, SwapOutcome};
use crate::trace::{self, Trace};
use einmal_core::EntropyError;
use einmal_core::account::{Account, AccountId, HistoryEntry};
use std::sync::{Arc, Weak};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Nothing is known about the attempt, but that it must not be answered as a success.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("too many attempts at once on one account")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("guard and vault of an account do not belong together")]
    Torn,
    #[error("the attempt panicked")]
    Panicked,
    #[error(transparent)]
    HashingCrowded(#[from] Crowded),
    #[error(transparent)]
    HashingInterrupted(#[from] Interrupted),
    #[error(transparent)]
    Hashing(#[from] HashingError),
    #[error("whoever judges the password gave no verdict")]
    NotJudged,
}

impl From<EntropyError> for UpdateError {
    fn from(error: EntropyError) -> Self {
        Self::Seal(error.into())
    }
}

impl Accounts {
    /// Lost rounds after which an account counts as fought over.
    pub(super) const MAX_ROUNDS: usize = 8;

    /// Runs `decide` on the account and makes the outcome durable. `None` where there is no account: nothing is
    /// made. `decide` may run several times, each time on a fresh state, and must not wait for anything.
    ///
    /// Once it is with the store it goes on when the caller has gone: an attempt that was seen is counted.
    pub async fn update<T, F>(&self, id: AccountId, decide: F) -> Result<Option<T>, UpdateError>
    where
        T: Outcome,
        F: Fn(&mut Account) -> T + Send + 'static,
    {
        self.update_counted(id, decide, |_, _| {}).await
    }

    /// The same, and `count` is told what came of it, also if the caller has gone by then: whoever guesses and does not
    /// wait for the answer must not stay unseen.
    pub async fn update_counted<T: Outcome>(
        &self,
        id: AccountId,
        decide: impl Fn(&mut Account) -> T + Send + 'static,
        count: impl FnOnce(&Attempts, Option<&T>) + Send + 'static,
    ) -> Result<Option<T>, UpdateError> {
        self.attempt(id, Missing::IsNobody, decide, count).await
    }

    /// The same, and where there is no account, `decide` runs on an empty one, which comes into being.
    pub async fn update_or_create<T, F>(&self, id: AccountId, decide: F) -> Result<T, UpdateError>
    where
        T: Outcome,
        F: Fn(&mut Account) -> T + Send + 'static,
    {
        let made = self.attempt(id, Missing::IsMade, decide, |_, _| {}).await?;
        made.ok_or(UpdateError::Contended)
    }

    async fn attempt<T: Outcome>(
        &self,
        id: AccountId,
        missing: Missing,
        decide: impl Fn(&mut Account) -> T + Send + 'static,
        count: impl FnOnce(&Attempts, Option<&T>) + Send + 'static,
    ) -> Result<Option<T>, UpdateError> {
        let means = Arc::clone(&self.inner.means);
        let turn = self.inner.turns.take(&id, &means.metrics.stages).await.map_err(|_| {
            means.metrics.updates.turned_away.inc();
            UpdateError::Contended
        })?;
        let (reply, answer) = oneshot::channel();
        let update = Update {
            accounts: Arc::downgrade(&self.inner),
            means,
            id,
            missing,
            decide,
            count,
            round: 0,
            has_looked_for_keys: false,
            outcome: None,
            reporter: self.reporter.clone(),
            added: Vec::new(),
            trace: trace::current(),
            since: Instant::now(),
            runtime: Handle::current(),
            reply,
            _turn: turn,
        };
        self.inner.store.attempt(Box::new(update)).await;
        answer.await.unwrap_or(Err(UpdateError::Panicked))
    }
}

/// What to do where there is no account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsNobody,
    IsMade,
}

/// What to do before the next round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    LookForKeys,
}

/// An update under way, from its turn to its answer: round after round, each of which a store carries out.
struct Update<T, D, C> {
    /// For further rounds.
    accounts: Weak<Inner>,
    means: Arc<Means>,
    id: AccountId,
    missing: Missing,
    decide: D,
    count: C,
    round: usize,
    has_looked_for_keys: bool,
    /// Of this round.
    outcome: Option<Result<Option<T>, UpdateError>>,
    reporter: Reporter,
    /// To the history in this round.
    added: Vec<HistoryEntry>,
    trace: Option<Arc<Trace>>,
    /// The beginning of the stage that goes on.
    since: Instant,
    runtime: Handle,
    reply: oneshot::Sender<Result<Option<T>, UpdateError>>,
    _turn: Turn,
}

impl<T, D, C> Attempt for Update<T, D, C>
where
    T: Outcome,
    D: Fn(&mut Account) -> T + Send + 'static,
    C: FnOnce(&Attempts, Option<&T>) + Send + 'static,
{
    fn id(&self) -> &AccountId {
        &self.id
    }

    fn decide(&mut self, stored: Option<SealedAccount>) -> Option<Swap> {
        self.ends(Stage::Load);
        let (outcome, swap) = match self.look_at(stored) {
            Ok((outcome, swap)) => (Ok(outcome), swap),
            Err(error) => (Err(error), None),
        };
        self.outcome = Some(outcome);
        self.ends(Stage::Decide);
        swap
    }

    fn settle(mut self: Box<Self>, outcome: Result<Option<SwapOutcome>, StoreError>) {
        match (outcome, self.outcome.take()) {
            (Err(failure), _) => self.answer(Err(failure.into())),
            (Ok(Some(SwapOutcome::Conflict)), _) => {
                self.ends(Stage::Commit);
                self.means.metrics.updates.conflicts.inc();
                self.round += 1;
                self.go_on(Before::Nothing);
            }
            (Ok(_), Some(Err(UpdateError::Seal(SealError::UnknownKey(_))))) if !self.has_looked_for_keys => {
                self.has_looked_for_keys = true;
                self.go_on(Before::LookForKeys);
            }
            (Ok(written), Some(outcome)) => {
                if written.is_some() {
                    self.ends(Stage::Commit);
                }
                self.answer(outcome);
            }
            // An engine that says so without having asked.
            (Ok(_), None) => self.answer(Err(UpdateError::Contended)),
        }
    }
}

impl<T, D, C> Update<T, D, C>
where
    T: Outcome,
    D: Fn(&mut Account) -> T + Send + 'static,
    C: FnOnce(&Attempts, Option<&T>) + Send + 'static,
{
    /// What comes of it, and what has to be written for that to be true.
    fn look_at(&mut self, stored: Option<SealedAccount>) -> Result<(Option<T>, Option<Swap>), UpdateError> {
        let (keyring, entropy) = (self.means.keyring.current(), self.means.entropy.as_ref());
        let is_last = self.round == Accounts::MAX_ROUNDS;
        // Those of a round that was lost have not happened.
        self.added.clear();
        let Some(stored) = stored else {
            if self.missing == Missing::IsNobody {
                return Ok((None, None));
            }
            if is_last {
                return Err(UpdateError::Contended);
            }
            let mut account = Account::default();
            let outcome = (self.decide)(&mut account);
            self.added = added(&self.reporter, &account, 0);
            let swap = new_account(&keyring, self.id.clone(), &account, entropy)?;
            return Ok((Some(outcome), Some(swap)));
        };
        let mut opened = Opened::open(keyring, &self.id, &stored)?;
        let last = opened.account.history.last_number();
        let outcome = (self.decide)(&mut opened.account);
        self.added = added(&self.reporter, &opened.account, last);
        let next = opened.next(entropy)?;
        let may_be_read = !outcome.is_repeated() && (is_last || !outcome.is_evaluated());
        if opened.is(&next) && may_be_read {
            return Ok((Some(outcome), None));
        }
        if is_last {
            return Err(UpdateError::Contended);
        }
        let swap = opened.swap(self.id.clone(), &next, entropy)?;
        Ok((Some(outcome), Some(swap)))
    }

    /// Not on the thread of the store, which waits for nothing.
    fn go_on(mut self: Box<Self>, before: Before) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            if before == Before::LookForKeys {
                self.means.keyring.look_again().await;
            }
            self.since = Instant::now();
            if let Some(inner) = self.accounts.upgrade() {
                inner.store.attempt(self).await;
            }
        });
    }

    fn answer(self, outcome: Result<Option<T>, UpdateError>) {
        let Self { means, count, reporter, added, reply, _turn: turn, .. } = self;
        if let Ok(outcome) = &outcome {
            count(&means.metrics.attempts, outcome.as_ref());
            if outcome.as_ref().is_some_and(Outcome::is_repeated) {
                reporter.tell(Event::Repeated);
            }
            reporter.changed(&added);
        }
        // First: whoever has the answer may come again at once.
        drop(turn);
        let _ = reply.send(outcome);
    }

    fn ends(&mut self, stage: Stage) {
        let now = Instant::now();
        self.means.metrics.stages.record(stage, self.since, now, self.trace.as_deref());
        self.since = now;
    }
}

/// To the history, after the entry `last`; where nobody wants to know, nothing is looked for.
fn added(reporter: &Reporter, account: &Account, last: u32) -> Vec<HistoryEntry> {
    if reporter.is_on() { account.history.since(last).to_vec() } else { Vec::new() }
}
