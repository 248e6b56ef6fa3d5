//! An engine on the simulated database, with the real queues in front of it: a group is loaded, decided on and swapped as
//! PostgreSQL's writer does it (`store/postgres/writer.rs`), and each step of it may fail.

use super::database::{Database, Lapse, Progress};
use super::schedule::Schedule;
use einmal::metrics::{Batches, Counter};
use einmal::store::batch::{self, Intake, Pending, Queue, settle_all};
use einmal::store::{
    Attempt, Fence, Inspection, SealedAccount, Store, StoreError, StoreFuture, Swap, SwapOutcome, TakenFuture,
};
use einmal_core::account::AccountId;
use std::sync::{Arc, Mutex};
use tokio::task::AbortHandle;

/// Workers on one queue.
const CONNECTIONS: usize = 2;

struct Tried {
    attempt: Box<dyn Attempt>,
    outcome: Option<Result<Option<SwapOutcome>, StoreError>>,
    failures: Counter,
}

enum Request {
    Attempt(Tried),
    Load(Pending<Vec<AccountId>, Vec<Option<SealedAccount>>>),
    Swap(Pending<Vec<Swap>, Vec<SwapOutcome>>),
}

impl batch::Request for Request {
    fn weight(&self) -> usize {
        1
    }

    fn settle(self, failure: Option<&StoreError>) {
        match self {
            Self::Attempt(Tried { attempt, outcome, failures }) => {
                let untried = || Err(unavailable("the attempt was not carried out"));
                let outcome = failure.map_or_else(|| outcome.unwrap_or_else(untried), |one| Err(one.clone()));
                if outcome.is_err() {
                    failures.inc();
                }
                attempt.settle(outcome);
            }
            Self::Load(pending) => pending.settle(failure),
            Self::Swap(pending) => pending.settle(failure),
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

/// A store of one replica.
pub(crate) struct SimulatedStore {
    intake: Intake<Request>,
    database: Arc<Mutex<Database>>,
}

impl SimulatedStore {
    /// With its workers, which end when they are told to: that is a crash.
    pub(crate) fn begin(
        database: &Arc<Mutex<Database>>,
        schedule: &Arc<Schedule>,
    ) -> (Self, Vec<AbortHandle>) {
        let (intake, queue) = batch::queue(Batches::default());
        let queue = Arc::new(tokio::sync::Mutex::new(queue));
        let worker = |_| {
            let (database, schedule, queue) =
                (Arc::clone(database), Arc::clone(schedule), Arc::clone(&queue));
            let server = database.lock().unwrap().primary();
            tokio::spawn(Worker { database, schedule, queue, server }.serve()).abort_handle()
        };
        let workers = (0..CONNECTIONS).map(worker).collect();
        (Self { intake, database: Arc::clone(database) }, workers)
    }
}

/// One connection, to the server that was the primary when it was made.
struct Worker {
    database: Arc<Mutex<Database>>,
    schedule: Arc<Schedule>,
    queue: Arc<tokio::sync::Mutex<Queue<Request>>>,
    server: usize,
}

impl Worker {
    async fn serve(mut self) {
        let mut group = Vec::new();
        loop {
            if !self.queue.lock().await.next_group(&mut group).await {
                return;
            }
            let failure = self.carry_out(&mut group).await.err();
            if failure.is_some() {
                self.server = self.database.lock().unwrap().primary();
            }
            settle_all(&mut group, failure.as_ref());
        }
    }

    async fn carry_out(&self, group: &mut [Request]) -> Result<(), StoreError> {
        self.schedule.step().await;
        if self.schedule.happens(|odds| odds.refused) {
            self.database.lock().unwrap().figures.refused_groups += 1;
            return Err(unavailable("refused"));
        }
        let swaps = self.decide(group);
        self.schedule.step().await;
        if swaps.is_empty() {
            return Ok(());
        }
        let outcomes = self.write(&swaps).await?;
        assign(group, outcomes);
        Ok(())
    }

    /// Loads what the group is about, and lets each attempt decide.
    fn decide(&self, group: &mut [Request]) -> Vec<Swap> {
        let database = self.database.lock().unwrap();
        let load = |id: &AccountId| {
            let is_behind = self.schedule.happens(|odds| odds.behind);
            database.load(self.server, id, is_behind)
        };
        let mut swaps = Vec::new();
        for request in group {
            match request {
                Request::Attempt(tried) => {
                    let stored = load(tried.attempt.id());
                    let swap = tried.attempt.decide(stored);
                    tried.outcome = Some(Ok(swap.as_ref().map(|_| SwapOutcome::Conflict)));
                    swaps.extend(swap);
                }
                Request::Load(pending) => {
                    pending.outcome = Some(Ok(pending.input.iter().map(load).collect()));
                }
                Request::Swap(pending) => swaps.extend(pending.input.iter().cloned()),
            }
        }
        swaps
    }

    /// Writes, and waits until the standby has it.
    async fn write(&self, swaps: &[Swap]) -> Result<Vec<SwapOutcome>, StoreError> {
        if self.schedule.happens(|odds| odds.late) {
            self.write_later(swaps.to_vec());
            return Err(unavailable("the statement was given up"));
        }
        let (outcomes, place) = self.database.lock().unwrap().swap(self.server, swaps);
        let acknowledged = self.wait_for_standby(place).await;
        let database = self.database.lock().unwrap();
        if acknowledged.is_err() && database.has(Lapse::ReadsBack) && database.has_all(self.server, swaps) {
            return Ok(outcomes);
        }
        acknowledged.map(|()| outcomes)
    }

    /// It is still on its way when who sent it has given up.
    fn write_later(&self, swaps: Vec<Swap>) {
        let (database, schedule, server) =
            (Arc::clone(&self.database), Arc::clone(&self.schedule), self.server);
        database.lock().unwrap().figures.late_writes += 1;
        tokio::spawn(async move {
            schedule.pause(3_000).await;
            database.lock().unwrap().swap(server, &swaps);
        });
    }

    async fn wait_for_standby(&self, place: u64) -> Result<(), StoreError> {
        loop {
            self.schedule.step().await;
            let (most, is_given_up) =
                ([0, 0, 1, 4][self.schedule.index(4)], self.schedule.happens(|odds| odds.given_up));
            let mut database = self.database.lock().unwrap();
            match database.progress(self.server, place) {
                Progress::Acknowledged => break,
                Progress::Deposed => return Err(unavailable("this is no primary any more")),
                Progress::Waits if is_given_up => {
                    database.figures.given_up += 1;
                    return Err(unavailable("the standby does not answer"));
                }
                Progress::Waits => database.replicate(self.server, most),
            }
        }
        if self.schedule.happens(|odds| odds.unheard) {
            self.database.lock().unwrap().figures.unheard += 1;
            return Err(unavailable("the answer was lost"));
        }
        Ok(())
    }
}

/// In the order in which they were decided on.
fn assign(group: &mut [Request], outcomes: Vec<SwapOutcome>) {
    let mut outcomes = outcomes.into_iter();
    for request in group {
        match request {
            Request::Attempt(Tried { outcome: Some(Ok(swapped @ Some(_))), .. }) => {
                *swapped = outcomes.next();
            }
            Request::Swap(pending) => {
                pending.outcome = Some(Ok(outcomes.by_ref().take(pending.input.len()).collect()));
            }
            Request::Attempt(_) | Request::Load(_) => {}
        }
    }
}

/// What no replica of a simulated world asks for, and the property, which is written when nothing goes wrong yet.
macro_rules! the_rest_of_a_store {
    ($database:ident) => {
        fn delete(&self, _: AccountId) -> StoreFuture<'_, bool> {
            unreachable!()
        }

        fn scan(&self, _: Option<AccountId>, _: usize) -> StoreFuture<'_, Vec<(AccountId, SealedAccount)>> {
            unreachable!()
        }

        fn ids(&self, _: Option<AccountId>, _: usize) -> StoreFuture<'_, Vec<AccountId>> {
            unreachable!()
        }

        fn check(&self) -> StoreFuture<'_, Inspection> {
            unreachable!()
        }

        fn property(&self, _: &'static str) -> StoreFuture<'_, Option<Vec<u8>>> {
            let property = self.$database().lock().unwrap().property.clone();
            Box::pin(async move { Ok(property) })
        }

        fn swap_property(
            &self,
            _: &'static str,
            _: Option<Vec<u8>>,
            value: Vec<u8>,
        ) -> StoreFuture<'_, SwapOutcome> {
            self.$database().lock().unwrap().property = Some(value);
            Box::pin(async { Ok(SwapOutcome::Swapped) })
        }

        fn swap_fence(&self, _: Option<Fence>, _: Option<Fence>) -> StoreFuture<'_, SwapOutcome> {
            unreachable!()
        }

        fn probe(&self) -> StoreFuture<'_, ()> {
            unreachable!()
        }
    };
}

impl SimulatedStore {
    fn database(&self) -> &Mutex<Database> {
        &self.database
    }
}

impl Store for SimulatedStore {
    fn load_many(&self, ids: Vec<AccountId>) -> StoreFuture<'_, Vec<Option<SealedAccount>>> {
        Box::pin(self.intake.ask(ids, Request::Load))
    }

    fn swap_many(&self, swaps: Vec<Swap>) -> StoreFuture<'_, Vec<SwapOutcome>> {
        Box::pin(self.intake.ask(swaps, Request::Swap))
    }

    fn attempt(&self, attempt: Box<dyn Attempt>) -> TakenFuture<'_> {
        let request = |failures| Request::Attempt(Tried { attempt, outcome: None, failures });
        Box::pin(self.intake.put(request))
    }

    the_rest_of_a_store!(database);
}

/// The same without groups of attempts: an attempt is what the trait says that it means.
pub(crate) struct StepByStep(pub(crate) SimulatedStore);

impl StepByStep {
    fn database(&self) -> &Mutex<Database> {
        &self.0.database
    }
}

impl Store for StepByStep {
    fn load_many(&self, ids: Vec<AccountId>) -> StoreFuture<'_, Vec<Option<SealedAccount>>> {
        self.0.load_many(ids)
    }

    fn swap_many(&self, swaps: Vec<Swap>) -> StoreFuture<'_, Vec<SwapOutcome>> {
        self.0.swap_many(swaps)
    }

    the_rest_of_a_store!(database);
}
