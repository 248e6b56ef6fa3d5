//! The connection to the database breaks at each message of an attempt, in each way in which one can. Nobody is told of
//! a success that was not committed, nothing is accepted twice, and the service is well again by itself.

use crate::harness::history::{self, Asked, CodeId, History, Outage};
use crate::harness::is_long;
use crate::harness::postgres::PostgresServer;
use crate::harness::postgres_proxy::{Fault, Harm, Proxy, Way};
use crate::harness::service::Service;
use crate::http::client::{Answer, within_patience};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// A group of the store is given up after 5 s. The rest is for what is done before the late one comes.
const LONGER_THAN_THE_DEADLINE: Duration = Duration::from_secs(8);
/// For an answer: that, and an attempt to connect, on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

/// What an attempt was answered at first, and then, once it was answered anything but 503.
type Told = (u16, u16);

struct Site {
    service: Service,
    proxy: Proxy,
    history: History,
    accounts: AtomicUsize,
}

impl Site {
    /// `None` where there is no PostgreSQL.
    async fn new() -> Option<Self> {
        let server = PostgresServer::shared()?;
        let proxy = Proxy::start(server.port).await;
        let service = Service::start_with(&server.database().section_over(proxy.port)).await;
        Some(Self { service, proxy, history: History::new(), accounts: AtomicUsize::new(0) })
    }

    /// How many messages an attempt takes on each way. A right code and a wrong one take the same.
    async fn conversation(&self) -> [usize; 2] {
        self.service.provision_device("alice").await;
        self.service.fail("alice", 1).await;
        let wrong = self.proxy.count(self.service.fail("alice", 1)).await;
        let right = self.proxy.count(async {
            assert_eq!(self.service.verify("alice", &self.service.code(0)).await, 204);
        });
        assert_eq!(right.await, wrong);
        assert!(wrong.iter().all(|messages| *messages > 4), "{wrong:?}");
        wrong
    }

    /// Everything that is asked about an account goes into the history.
    async fn ask(&self, asked: Asked, subject: &str, code: &str) -> Answer {
        let started = self.history.now();
        let answer = self.service.answer(subject, code).await;
        let told = history::Answer::of(answer.status, answer.header("retry-after").is_some());
        self.history.note(asked, 0, started, told);
        answer
    }

    /// The judge's word on all of it. Something is out of order all the time.
    fn assert_lawful(&self) {
        let always = Outage { target: 0, from: Duration::ZERO, until: self.history.now() };
        history::assert_lawful(&self.history.attempts(), &[always], "over broken connections");
    }

    /// The answer during the fault.
    async fn answer_at(&self, fault: Fault, asked: Asked, subject: &str, code: &str) -> Answer {
        self.proxy.strike(fault);
        let since = Instant::now();
        let answer = self.ask(asked, subject, code).await;
        assert!(since.elapsed() < LONGEST, "{fault:?}: {:?}", since.elapsed());
        assert!(self.proxy.has_struck(), "{fault:?}: no such message");
        if answer.status == 503 {
            assert_eq!(answer.code(), "unavailable", "{fault:?}");
            assert!(answer.header("retry-after").is_some(), "{fault:?}");
        }
        answer
    }

    /// Asks until it is answered anything but 503: the first answer and the last one.
    async fn until_answered<F: Future<Output = u16>>(
        &self,
        fault: Fault,
        mut ask: impl FnMut() -> F,
    ) -> Told {
        let started = Instant::now();
        let first = ask().await;
        let mut last = first;
        while last == 503 {
            assert!(started.elapsed() < LONGEST, "{fault:?}: does not recover");
            sleep(Duration::from_millis(10)).await;
            last = ask().await;
        }
        (first, last)
    }

    /// Both connections are of use, and nothing is under way that is late.
    async fn until_calm(&self, fault: Fault) {
        let url = self.service.management_url("/health/readiness");
        let readiness = || async { self.service.client.get(&url).send().await.unwrap().status().as_u16() };
        assert_eq!(self.until_answered(fault, readiness).await.1, 200);
        let read = || self.service.verify("nobody", "123456");
        assert_eq!(self.until_answered(fault, read).await.1, 404);
        within_patience("the end of what was late", self.proxy.is_over()).await;
    }

    /// A right code after one wrong one.
    async fn right_code(&self, fault: Fault, subject: &str) -> Told {
        let service = &self.service;
        service.provision_device(subject).await;
        service.fail(subject, 1).await;
        let account = self.accounts.fetch_add(1, Ordering::Relaxed);
        let right = |step| Asked::Right(CodeId { account, step });
        let (code, next) = (service.code(0), service.code(1));
        let first = self.answer_at(fault, right(0), subject, &code).await.status;
        let verify = |step, code| async move { self.ask(right(step), subject, code).await.status };
        let (_, second) = self.until_answered(fault, || verify(0, &code)).await;
        assert!(
            matches!((first, second), (204, 404) | (503, 204 | 404)),
            "{fault:?}: {first} and then {second}"
        );
        // A write that comes late must not undo this one. It may be this one that meets a silent connection.
        let next_told = self.until_answered(fault, || verify(1, &next)).await;
        assert!(matches!(next_told, (204, _) | (503, 204 | 404)), "{fault:?}: {next_told:?}");
        self.until_calm(fault).await;
        for (step, code) in [(0, &code), (1, &next)] {
            assert_eq!(verify(step, code).await, 404, "{fault:?}: it is spent");
        }
        assert_eq!(service.failures(subject).await, 0, "{fault:?}: these are replays");
        (first, second)
    }

    async fn wrong_code(&self, fault: Fault, subject: &str) {
        let service = &self.service;
        service.provision_device(subject).await;
        service.fail(subject, 1).await;
        let account = self.accounts.fetch_add(1, Ordering::Relaxed);
        let (wrong, code) = (Asked::Wrong { account }, service.wrong_code(7));
        let status = self.answer_at(fault, wrong, subject, &code).await.status;
        self.until_calm(fault).await;
        let counted = service.failures(subject).await;
        assert!(
            matches!((status, counted), (404, 2) | (503, 1 | 2)),
            "{fault:?}: {status}, {counted} counted"
        );
        assert_eq!(service.verify(subject, &service.code(0)).await, 204, "{fault:?}");
    }
}

/// Every message of an attempt, before and after it has passed, each with a service of its own.
async fn at_each_message(harms: &'static [Harm], also_wrong: bool, also_after: bool) {
    let Some(site) = Site::new().await else { return };
    let lengths = site.conversation().await;
    let mut places = JoinSet::new();
    for (way, length) in [Way::ToServer, Way::ToClient].into_iter().zip(lengths) {
        for message in 1..=length {
            for is_after in if also_after { &[false, true][..] } else { &[false] } {
                // One after the other: connecting has a deadline, too.
                let site = Site::new().await.unwrap();
                places.spawn(async move {
                    let mut told = Vec::new();
                    for (number, harm) in harms.iter().enumerate() {
                        let fault = Fault { way, message, is_after: *is_after, harm: *harm };
                        told.push(site.right_code(fault, &format!("alice-{number}")).await);
                        if also_wrong {
                            site.wrong_code(fault, &format!("bob-{number}")).await;
                        }
                    }
                    site.assert_lawful();
                    told
                });
            }
        }
    }
    let told: BTreeSet<Told> = places.join_all().await.into_iter().flatten().collect();
    // Before the commit, and between it and its answer; and when all has arrived.
    assert_eq!(told.contains(&(204, 404)), also_after);
    assert!(told.is_superset(&BTreeSet::from([(503, 204), (503, 404)])), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_is_cut_at_any_message_lets_no_code_be_accepted_twice() {
    at_each_message(&[Harm::Cut, Harm::Reset], true, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_falls_silent_or_late_at_any_message_lets_no_code_be_accepted_twice() {
    let harms = &[Harm::Silence, Harm::Delay(LONGER_THAN_THE_DEADLINE)];
    at_each_message(harms, is_long(), is_long()).await;
}
