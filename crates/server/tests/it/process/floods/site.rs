//! A service under a flood: one that behaves is served by it before and meanwhile, its memory is looked at, and it
//! recovers by itself.

use crate::harness::crowd::{Crowd, Target};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving};
use crate::harness::{is_long, tell};
use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// What the process has of memory at most, in MiB, whatever comes: 40 to 60 when nothing does.
const BOUND: u64 = 256;
/// While the flood lasts, within so many times what it takes when it is quiet, or within the floor, whichever is more.
const SLOWER: u32 = 3;
const FLOOR: Duration = Duration::from_millis(25);
pub(super) const VERIFY: &str = "POST /user/2025-1/user/otp/verify";
/// Of those who behave; each has a new code every 30 s.
const ACCOUNTS: usize = 4_000;

static WELL_BEHAVED: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

/// Where the clients of a flood run: behind the service and those who behave, for theirs would be other machines.
static FLOODING: LazyLock<Runtime> = LazyLock::new(|| {
    let behind = || {
        nice(5).unwrap();
    };
    Builder::new_multi_thread().worker_threads(2).on_thread_start(behind).enable_all().build().unwrap()
});

pub(super) struct Site {
    pub(super) installation: Installation,
    serving: Serving,
    crowd: Arc<Crowd>,
    next: usize,
    pub(super) tokens: Vec<String>,
}

impl Site {
    pub(super) async fn new(settings: &str) -> Self {
        raise_descriptors();
        let installation = Installation::with(&format!("drain = \"0s\"\n{settings}")).await;
        let tokens = installation.accounts("user", ACCOUNTS);
        let serving = installation.serve().await;
        let crowd = Crowd::of(tokens.clone());
        Self { installation, serving, crowd, next: 0, tokens }
    }

    fn target(&self) -> Target {
        Target { address: self.serving.address, number: 0 }
    }

    /// Right codes, one after the other: all are accepted. The slowest but for one in a hundred. On a thread of its
    /// own: on those of the flood's clients it would be these that are waited for.
    async fn well_behaved(&mut self, count: usize) -> Duration {
        let (crowd, target, first) = (Arc::clone(&self.crowd), self.target(), self.next);
        self.next = (first + count) % ACCOUNTS;
        let asking = async move {
            let mut took = Vec::new();
            for number in (first..).take(count) {
                let code = loop {
                    if let Some(code) = crowd.next_code(number % ACCOUNTS) {
                        break code;
                    }
                    sleep(Duration::from_millis(1)).await;
                };
                let asked = Instant::now();
                assert_eq!(crowd.verify(target, code).await, Answer::Accepted);
                took.push(asked.elapsed());
            }
            took
        };
        let mut took = WELL_BEHAVED.spawn(asking).await.expect("all are accepted");
        took.sort();
        took[took.len() - 1 - took.len() / 100]
    }

    /// In MiB: now, and at most so far.
    fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.serving.program.id())).unwrap();
        let of = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (of("VmRSS:") >> 10, of("VmHWM:") >> 10)
    }

    /// The whole of it: quiet, under the flood, and after it. `flood` returns when it is in force.
    pub(super) async fn withstands(mut self, what: &str, flood: impl AsyncFn(&Self) -> JoinSet<()>) -> Self {
        let (rounds, count) = if is_long() { (5, 300) } else { (1, 60) };
        let (mut quiet, mut during) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            quiet.push(self.well_behaved(count).await);
            let flood = flood(&self).await;
            // While all of it begins at once, it is another one.
            self.well_behaved(count / 2).await;
            during.push(self.well_behaved(count).await);
            drop(flood);
            self.has_recovered().await;
        }
        quiet.sort();
        during.sort();
        let (quiet, during) = (quiet[rounds / 2], during[rounds / 2]);
        let (now, most) = self.memory();
        tell(&format!(
            "{what}: {most} MiB at most, {now} after it; p99 {during:.1?}, when quiet {quiet:.1?}"
        ));
        assert!(most < BOUND, "{what}: {most} MiB");
        assert!(
            !is_long() || during < (quiet * SLOWER).max(FLOOR),
            "{what}: {during:?}, when quiet {quiet:?}"
        );
        self.crowd.assert_lawful(what);
        self
    }

    /// Nothing of the flood is left: its connections have gone by themselves, and what they asked for is done.
    async fn has_recovered(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let descriptors =
                fs::read_dir(format!("/proc/{}/fd", self.serving.program.id())).unwrap().count();
            let hashing = self.serving.being_hashed().await;
            if descriptors < 100 && hashing == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{descriptors} descriptors are left, {hashing} PINs");
            sleep(Duration::from_millis(20)).await;
        }
        self.well_behaved(5).await;
        assert_eq!(self.serving.readiness().await.status(), 200);
    }

    /// So many clients that each do this over and over.
    pub(super) async fn clients<F: Future<Output = ()> + Send>(
        &self,
        count: usize,
        client: impl Fn(TcpStream, usize) -> F + Clone + Send + 'static,
    ) -> JoinSet<()> {
        let mut running = JoinSet::new();
        let connected = Arc::new(Semaphore::new(0));
        for number in 0..count {
            let (address, client, connected) = (self.serving.address, client.clone(), Arc::clone(&connected));
            let endlessly = async move {
                loop {
                    let Ok(stream) = TcpStream::connect(address).await else { continue };
                    connected.add_permits(1);
                    client(stream, number).await;
                    // It was thrown out, and comes again, but not as fast as it can.
                    sleep(Duration::from_millis(10)).await;
                }
            };
            running.spawn_on(endlessly, FLOODING.handle());
        }
        let all = connected.acquire_many(u32::try_from(count).unwrap());
        drop(timeout(Duration::from_secs(20), all).await.expect("they connect").unwrap());
        running
    }
}

/// Both ends of all connections are ours or our child's.
fn raise_descriptors() {
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
}
