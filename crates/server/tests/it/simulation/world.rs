//! A simulated world: replicas with the real loop, turns and seals over one database that fails, clients who try codes,
//! and somebody who lets primaries fail over, replicas crash and clocks leap. Of one seed there is one history.

use super::client;
use super::database::{Database, Lapse};
use super::engine::{SimulatedStore, StepByStep};
use super::figures::Figures;
use super::marks::Marks;
use super::schedule::{Schedule, SeededEntropy};
use super::user::User;
use crate::harness::clock::NOW;
use crate::harness::history::{Answer, Asked, Attempt, History};
use einmal::accounts::{Accounts, Keyring};
use einmal::store::Store;
use einmal_core::Timestamp;
use einmal_core::otp::Code;
use einmal_core::policy::Policy;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::AbortHandle;
use tokio::time::sleep;

pub(crate) const REPLICAS: usize = 3;
pub(crate) const USERS: usize = 2;
const CLIENTS: usize = 6;
const EVENTS: usize = 12;
/// Milliseconds.
const LONGEST_AMBUSH: u64 = 3_000;
/// Longer than any wait.
const REST: u64 = 4 * 3_600;

/// What came of a world.
pub(crate) struct Outcome {
    pub(crate) attempts: Vec<Attempt>,
    /// What cannot be.
    pub(crate) violations: Vec<String>,
    pub(crate) figures: Figures,
}

struct Replica {
    accounts: Accounts,
    workers: Vec<AbortHandle>,
}

/// A code that the service made.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) user: usize,
    pub(crate) code: Code,
}

pub(crate) struct World {
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) entropy: Arc<SeededEntropy>,
    database: Arc<Mutex<Database>>,
    keyring: String,
    replicas: Vec<Mutex<Replica>>,
    /// By how many seconds the clock of a replica is off.
    leaps: Vec<AtomicI64>,
    pub(crate) users: Vec<User>,
    pub(crate) issued: Mutex<Vec<Issued>>,
    pub(crate) history: History,
    pub(crate) marks: Marks,
    pub(crate) policy: Arc<Policy>,
    /// Clocks are right, and no codes are made: then waits can be judged by the time, too.
    pub(crate) is_plain: bool,
    /// Between two requests of a client, at most.
    pub(crate) haste: u64,
    /// Of a hundred requests.
    pub(crate) wrong: u64,
    /// All want the same account.
    is_crowded: bool,
    lapse: Option<Lapse>,
    crashes: AtomicU64,
    /// Of replicas that are no more.
    conflicts: AtomicU64,
}

/// Lives through the world of this seed.
pub(crate) fn live(seed: u64, lapse: Option<Lapse>) -> Outcome {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::begin(seed, lapse).await);
        let mut others: Vec<_> =
            (0..CLIENTS).map(|_| tokio::spawn(client::try_codes(Arc::clone(&world)))).collect();
        others.push(tokio::spawn(Arc::clone(&world).do_harm()));
        if !world.is_plain {
            others.extend(
                (0..REPLICAS).map(|one| tokio::spawn(client::ask_for_mails(Arc::clone(&world), one))),
            );
        }
        for other in others {
            other.await.unwrap();
        }
        world.rest().await;
        let healed = client::is_well(&world).await;
        world.judged(healed)
    })
}

impl World {
    async fn begin(seed: u64, lapse: Option<Lapse>) -> Self {
        let schedule = Arc::new(Schedule::new(seed));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let database = Arc::new(Mutex::new(Database::new(lapse)));
        let keyring = Keyring::generate(&*entropy).unwrap().to_string();
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            replicas.push(Mutex::new(Replica::begin(&database, &schedule, &entropy, &keyring).await));
        }
        let users: Vec<_> = (0..USERS).map(|number| User::new(number, &entropy)).collect();
        let accounts: Vec<_> = users.iter().map(|user| (&user.id, user.account())).collect();
        let first = replicas[0].lock().unwrap().accounts.clone();
        first.insert(accounts.iter().map(|(id, account)| (*id, account))).await.unwrap();
        // Whatever lapses come, there is something to begin with.
        database.lock().unwrap().replicate(0, USERS);
        let (is_plain, is_crowded) = (schedule.below(2) == 0, schedule.below(2) == 0);
        let (haste, wrong) = ([300, 6_000, 40_000][schedule.index(3)], [0, 4, 20][schedule.index(3)]);
        schedule.go_wrong();
        Self {
            schedule,
            entropy,
            database,
            keyring,
            replicas,
            leaps: (0..REPLICAS).map(|_| AtomicI64::new(0)).collect(),
            users,
            issued: Mutex::default(),
            history: History::new(),
            marks: Marks::default(),
            policy: Arc::default(),
            is_plain,
            haste,
            wrong,
            is_crowded,
            lapse,
            crashes: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
        }
    }

    pub(crate) fn accounts(&self, replica: usize) -> Accounts {
        self.replicas[replica].lock().unwrap().accounts.clone()
    }

    /// By a replica's clock.
    pub(crate) fn now(&self, replica: usize) -> Timestamp {
        let right = NOW + self.history.now().as_secs();
        Timestamp::from_seconds(right.saturating_add_signed(self.leaps[replica].load(Ordering::SeqCst)))
    }

    /// Whose code is tried next.
    pub(crate) fn next_user(&self) -> usize {
        if self.is_crowded { 0 } else { self.schedule.index(USERS) }
    }

    pub(crate) fn commits_repeats(&self) -> bool {
        self.lapse != Some(Lapse::RepeatsWithoutACommit)
    }

    /// A code that has been made, unless it is one that was made before.
    pub(crate) fn note_issued(&self, user: usize, code: &Code) {
        let mut issued = self.issued.lock().unwrap();
        if !issued.iter().any(|one| one.user == user && one.code.as_str() == code.as_str()) {
            issued.push(Issued { user, code: code.clone() });
        }
    }

    async fn do_harm(self: Arc<Self>) {
        for _ in 0..self.schedule.index(EVENTS + 1) {
            self.schedule.pause(self.haste).await;
            match self.schedule.below(3) {
                0 => self.fail_over().await,
                1 => self.crash(self.schedule.index(REPLICAS)).await,
                _ if self.is_plain => {}
                _ => self.leap(self.schedule.index(REPLICAS)),
            }
        }
    }

    /// Most often when something is lost by it.
    async fn fail_over(&self) {
        for _ in 0..self.schedule.below(2) * LONGEST_AMBUSH {
            if self.database.lock().unwrap().may_lose() {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.database.lock().unwrap().fail_over();
    }

    /// Whatever was in it is gone, and a new one takes its place.
    async fn crash(&self, replica: usize) {
        let next = Replica::begin(&self.database, &self.schedule, &self.entropy, &self.keyring).await;
        let gone = std::mem::replace(&mut *self.replicas[replica].lock().unwrap(), next);
        gone.workers.iter().for_each(AbortHandle::abort);
        self.conflicts.fetch_add(gone.accounts.metrics().updates.conflicts.get(), Ordering::SeqCst);
        self.crashes.fetch_add(1, Ordering::SeqCst);
    }

    fn leap(&self, replica: usize) {
        let by = [-300, -90, -30, -20, 0, 20, 30, 90, 300][self.schedule.index(9)];
        self.leaps[replica].store(by, Ordering::SeqCst);
        self.database.lock().unwrap().figures.leaps += 1;
    }

    /// Nothing goes wrong any more, whatever is on its way arrives, and all waits are over.
    async fn rest(&self) {
        self.schedule.stop_going_wrong();
        self.leaps.iter().for_each(|leap| leap.store(0, Ordering::SeqCst));
        sleep(Duration::from_secs(REST)).await;
    }

    fn judged(&self, healed: Result<(), String>) -> Outcome {
        let attempts = self.history.attempts();
        let mut violations = super::verdict::violations(&attempts, self.is_plain);
        violations.extend(self.marks.violations());
        violations.extend(healed.err());
        let figures = self.figures(&attempts);
        Outcome { attempts, violations, figures }
    }

    fn figures(&self, attempts: &[Attempt]) -> Figures {
        let count =
            |is_one: &dyn Fn(&Attempt) -> bool| attempts.iter().filter(|one| is_one(one)).count() as u64;
        let mut figures = self.database.lock().unwrap().figures;
        figures.attempts = attempts.len() as u64;
        figures.accepted = count(&|one| one.answer == Answer::Accepted);
        figures.refused = count(&|one| one.answer == Answer::Refused);
        figures.throttled = count(&|one| one.answer == Answer::Throttled);
        figures.unknown = count(&|one| one.answer.is_unknown());
        figures.repeated = count(&|one| {
            let is_code = !matches!(one.asked, Asked::Wrong { .. });
            let is_spent = |other: &Attempt| {
                other.asked == one.asked && other.answer == Answer::Accepted && other.ended < one.started
            };
            is_code && attempts.iter().any(is_spent)
        });
        let living = |one: &Mutex<Replica>| one.lock().unwrap().accounts.metrics().updates.conflicts.get();
        figures.conflicts =
            self.conflicts.load(Ordering::SeqCst) + self.replicas.iter().map(living).sum::<u64>();
        figures.crashes = self.crashes.load(Ordering::SeqCst);
        figures
    }
}

impl Replica {
    async fn begin(
        database: &Arc<Mutex<Database>>,
        schedule: &Arc<Schedule>,
        entropy: &Arc<SeededEntropy>,
        keyring: &str,
    ) -> Self {
        let (store, workers) = SimulatedStore::begin(database, schedule);
        let store: Arc<dyn Store> =
            if schedule.below(4) == 0 { Arc::new(StepByStep(store)) } else { Arc::new(store) };
        let keyring = Keyring::parse(keyring).unwrap();
        let accounts = Accounts::open(store, keyring, Arc::clone(entropy) as _).await.unwrap();
        Self { accounts, workers }
    }
}
