//! One try of a code at a replica, through the loop that serves requests, and what it is written down as.

use super::marks::Mark;
use super::user::PERIOD;
use super::world::{REPLICAS, World};
use crate::harness::history::{Answer, Asked, CodeId};
use einmal::accounts::{Deed, Offered, Outcome, Proof, UpdateError};
use einmal_core::account::{Account, Keyed, KeyedRequest, OtpType, OtpTypes, Refusal, Verdict, Verification};
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use einmal_core::{Entropy, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than whatever is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Codes that the service made are each an account of their own to the judge: none of them makes another one spent.
const ISSUED: usize = 1_000;

#[derive(Clone, Copy)]
pub(crate) enum What {
    Step(u64),
    Issued(usize),
    Wrong,
}

/// A code, and what the client knows of it.
#[derive(Clone)]
pub(crate) struct Try {
    pub(crate) user: usize,
    pub(crate) code: Code,
    pub(crate) what: What,
}

impl Try {
    pub(crate) fn of_step(world: &World, user: usize, step: u64) -> Self {
        Self { user, code: world.users[user].code(step), what: What::Step(step) }
    }

    /// Right is a code that the replica's clock is in the middle of, whatever it has learned of the user's clock.
    fn asked(&self, world: &World, replica: usize) -> Asked {
        let account = self.user;
        match self.what {
            What::Step(step) if world.now(replica).seconds() / PERIOD == step => {
                Asked::Right(CodeId { account, step })
            }
            What::Step(step) => Asked::Stale(CodeId { account, step }),
            What::Issued(number) => Asked::Stale(CodeId { account: ISSUED + number, step: 0 }),
            What::Wrong => Asked::Wrong { account },
        }
    }

    /// Under one key, at this replica or at any, until there is an answer or no patience any more. A try of unknown outcome is
    /// written down by itself: what it did stays done, whatever the next one is told.
    pub(crate) async fn verify(&self, world: &World, replica: Option<usize>, tries: usize) -> Answer {
        let key = (tries > 1).then(|| self.key(world));
        let first_started = world.history.now();
        let mut answer = Answer::Broken;
        for _ in 0..tries {
            let target = replica.unwrap_or_else(|| world.schedule.index(REPLICAS));
            let (asked, started) = (self.asked(world, target), world.history.now());
            answer = self.request(world, target, key).await;
            // What it is a success for may have been done by an earlier try.
            let started = if answer == Answer::Accepted { first_started } else { started };
            world.history.note(asked, target, started, answer);
            if !answer.is_unknown() {
                break;
            }
            world.schedule.step().await;
        }
        answer
    }

    fn key(&self, world: &World) -> KeyedRequest {
        let mut key = [0; 16];
        world.entropy.fill(&mut key).unwrap();
        KeyedRequest { key, body: [u8::try_from(self.user).unwrap(); 16] }
    }

    async fn request(&self, world: &World, replica: usize, key: Option<KeyedRequest>) -> Answer {
        let (started, now) = (world.history.now(), world.now(replica));
        let (code, policy, commits_repeats) =
            (self.code.clone(), Arc::clone(&world.policy), world.commits_repeats());
        let decide = move |account: &mut Account| {
            let keyed = account.verify_keyed(key.as_ref(), &code, OtpTypes::ALL, now, &policy);
            Looked { keyed, mark: Mark::of(account), commits_repeats }
        };
        let accounts = world.accounts(replica);
        let looked = match within(world, accounts.update(world.users[self.user].id.clone(), decide)).await {
            Ok(looked) => looked,
            Err(answer) => return answer,
        };
        let verdict = match looked.map(|looked| (looked.keyed, looked.mark)) {
            None => return Answer::Other(410),
            Some((Keyed::Repeated, _)) => return Answer::Accepted,
            Some((Keyed::KeyReused, _)) => return Answer::Other(409),
            Some((Keyed::First(verdict), mark)) => {
                if takes_further(&verdict) {
                    world.marks.note(self.user, started, &world.history, mark);
                }
                verdict
            }
        };
        match verdict.verification {
            Verification::Accepted => Answer::Accepted,
            Verification::Refused(_) => Answer::Refused,
            Verification::Throttled(_) => Answer::Throttled,
        }
    }

    /// Spends it as the proof for something else: for a new code, or for nothing.
    pub(crate) async fn prove(&self, world: &World, replica: usize, made: Option<Code>) -> Answer {
        let (started, now) = (world.history.now(), world.now(replica));
        let asked = self.asked(world, replica);
        if let Some(made) = &made {
            world.note_issued(self.user, made);
        }
        let offered = Offered { otp: Some(Some(self.code.clone())), ..Offered::default() };
        let deed = Make { code: made, now, policy: Arc::clone(&world.policy) };
        let (accounts, id) = (world.accounts(replica), world.users[self.user].id.clone());
        let answer =
            match within(world, accounts.prove(id, offered, now, Arc::clone(&world.policy), deed)).await {
                Err(answer) => answer,
                Ok(Proof::Right(mark)) => {
                    if matches!(self.what, What::Step(_)) {
                        world.marks.note(self.user, started, &world.history, mark);
                    }
                    Answer::Accepted
                }
                Ok(Proof::Wrong) => Answer::Refused,
                Ok(Proof::Throttled(_)) => Answer::Throttled,
                Ok(Proof::Repeated(_) | Proof::KeyReused | Proof::Barred) => Answer::Other(409),
            };
        world.history.note(asked, replica, started, answer);
        answer
    }
}

/// Whether it is the secret's own progress that was written.
fn takes_further(verdict: &Verdict) -> bool {
    match verdict.verification {
        Verification::Accepted => verdict.accepted_as == Some(OtpType::DeviceTotp),
        Verification::Refused(refusal) => refusal == Refusal::Wrong,
        Verification::Throttled(_) => false,
    }
}

/// An error is what the client is told, or thinks.
async fn within<T>(
    world: &World,
    request: impl Future<Output = Result<T, UpdateError>>,
) -> Result<T, Answer> {
    let is_impatient = world.schedule.happens(|odds| odds.impatient);
    let patience = if is_impatient { Duration::from_millis(1 + world.schedule.below(100)) } else { PATIENCE };
    match timeout(patience, request).await {
        Ok(Ok(done)) => Ok(done),
        // Its replica has crashed.
        Err(_) | Ok(Err(UpdateError::Panicked)) => Err(Answer::Broken),
        Ok(Err(UpdateError::Contended | UpdateError::Store(_))) => Err(Answer::Unavailable),
        Ok(Err(_)) => Err(Answer::Other(500)),
    }
}

/// What `VerifyOTP` decides, and how far the account is after it.
struct Looked {
    keyed: Keyed<Verdict>,
    mark: Mark,
    commits_repeats: bool,
}

impl Looked {
    fn is_told_as_it_was(&self) -> bool {
        self.keyed == Keyed::Repeated && !self.commits_repeats
    }
}

impl Outcome for Looked {
    fn is_evaluated(&self) -> bool {
        self.keyed.is_evaluated() && !self.is_told_as_it_was()
    }

    fn is_repeated(&self) -> bool {
        self.keyed.is_repeated() && !self.is_told_as_it_was()
    }
}

/// Makes a code on the strength of another.
struct Make {
    code: Option<Code>,
    now: Timestamp,
    policy: Arc<Policy>,
}

impl Deed for Make {
    type Done = Mark;

    fn run(&self, account: &mut Account) -> Mark {
        if let Some(code) = &self.code {
            account.issue_account_code(code.clone(), self.now, &self.policy);
        }
        Mark::of(account)
    }
}
