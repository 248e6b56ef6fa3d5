//! Floods of clients that are slow, idle or hostile, at the program as it is shipped: its memory stays under a bound, who
//! behaves is served meanwhile, and when the flood is over all is as before. What one connection may do, `http/` shows.

use crate::harness::crowd::{Crowd, Target};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving};
use crate::harness::issuer::{KEYS, SigningKey};
use crate::harness::mail_server::{GREETING, MailServer, Reply};
use crate::harness::wire::{JSON, request};
use crate::harness::{is_long, tell};
use crate::http::frames::{CANCEL, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, field, frame, reset};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// What the process has of memory at most, in MiB, whatever comes: 40 to 60 when nothing does.
const BOUND: u64 = 256;
/// While the flood lasts, within so many times what it takes when it is quiet, or within the floor, whichever is more:
/// the clients of the flood have the same two cores.
const SLOWER: u32 = 3;
const FLOOR: Duration = Duration::from_millis(250);
const VERIFY: &str = "POST /user/2025-1/user/otp/verify";
/// Of those who behave; each has a new code every 30 s.
const ACCOUNTS: usize = 4_000;

static WELL_BEHAVED: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

struct Site {
    installation: Installation,
    serving: Serving,
    crowd: Arc<Crowd>,
    next: usize,
    tokens: Vec<String>,
}

impl Site {
    async fn new(settings: &str) -> Self {
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
    async fn withstands(mut self, what: &str, flood: impl AsyncFn(&Self) -> JoinSet<()>) -> Self {
        let (rounds, count) = if is_long() { (3, 200) } else { (1, 60) };
        let (mut quiet, mut during) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            quiet.push(self.well_behaved(count).await);
            let flood = flood(&self).await;
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

    /// Nothing of the flood is left: its connections have gone by themselves.
    async fn has_recovered(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let descriptors =
                fs::read_dir(format!("/proc/{}/fd", self.serving.program.id())).unwrap().count();
            if descriptors < 100 {
                break;
            }
            assert!(Instant::now() < deadline, "{descriptors} descriptors are left");
            sleep(Duration::from_millis(20)).await;
        }
        self.well_behaved(5).await;
        assert_eq!(self.serving.readiness().await.status(), 200);
    }

    /// So many clients that each do this over and over.
    async fn clients<F: Future<Output = ()> + Send>(
        &self,
        count: usize,
        client: impl Fn(TcpStream, usize) -> F + Clone + Send + 'static,
    ) -> JoinSet<()> {
        let mut running = JoinSet::new();
        let connected = Arc::new(Semaphore::new(0));
        for number in 0..count {
            let (address, client, connected) = (self.serving.address, client.clone(), Arc::clone(&connected));
            running.spawn(async move {
                loop {
                    let Ok(stream) = TcpStream::connect(address).await else { continue };
                    connected.add_permits(1);
                    client(stream, number).await;
                    // It was thrown out, and comes again, but not as fast as it can.
                    sleep(Duration::from_millis(10)).await;
                }
            });
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

/// Sends what there is to send, and then a byte a second, until the other side has had enough.
async fn dribble(mut stream: TcpStream, begin: Vec<u8>) {
    if stream.write_all(&begin).await.is_err() {
        return;
    }
    let mut answer = [0; 1_024];
    loop {
        match timeout(Duration::from_secs(1), stream.read(&mut answer)).await {
            Err(_) if stream.write_all(b"x").await.is_ok() => {}
            _ => return,
        }
    }
}

/// Takes whatever comes.
async fn until_closed(stream: &mut TcpStream) {
    let mut answer = [0; 4_096];
    while stream.read(&mut answer).await.is_ok_and(|length| length > 0) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_heads_and_bodies_of_a_byte_a_second_cost_the_others_nothing_50() {
    let site = Site::new("").await;
    let token = site.tokens[0].clone();
    let begin = move |number: usize| {
        let head = format!("{VERIFY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{JSON}\r\n");
        let rest = if number.is_multiple_of(2) { "X: " } else { "Content-Length: 1000\r\n\r\n{" };
        format!("{head}{rest}").into_bytes()
    };
    site.withstands("1,000 slow heads and bodies", async move |site| {
        let begin = begin.clone();
        site.clients(1_000, move |stream, number| dribble(stream, begin(number))).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_heads_of_64_kib_that_never_end_cost_the_others_nothing() {
    let site = Site::new("").await;
    site.withstands("500 heads of nearly 64 KiB", async |site| {
        let line = |number: usize| format!("X-{number}: {}\r\n", "y".repeat(4_000));
        let lines: String = (0..15).map(line).collect();
        let head = Arc::new(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}"));
        site.clients(500, move |stream, _| dribble(stream, head.as_bytes().to_vec())).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_long_polls_cost_the_others_nothing_124() {
    let site = Site::new("").await;
    let polls: Vec<_> = (0..1_000)
        .map(|number| {
            let scope = json!({ "scope": "user:users.pin:check" });
            let token = site.installation.token_with(&format!("user-{number}"), &scope);
            let headers = [&format!("Authorization: Bearer {token}")[..]];
            request("GET /user/2025-1/user/pin?timeout=8", &headers, b"")
        })
        .collect();
    let polls = Arc::new(polls);
    site.withstands("1,000 long polls", async move |site| {
        let polls = Arc::clone(&polls);
        site.clients(1_000, move |mut stream, number| {
            let polls = Arc::clone(&polls);
            async move {
                let mut answer = [0; 4_096];
                while stream.write_all(&polls[number]).await.is_ok() {
                    if !stream.read(&mut answer).await.is_ok_and(|length| length > 0) {
                        return;
                    }
                }
            }
        })
        .await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_resets_over_http_2_cost_the_others_nothing() {
    let site = Site::new("").await;
    let fields: Vec<u8> =
        [(":method", "GET"), (":scheme", "http"), (":path", "/user/2025-1/user/pin"), (":authority", "a")]
            .iter()
            .flat_map(|(name, value)| field(name, value))
            .collect();
    let open = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields);
    let streams = (1..2_001).step_by(2).flat_map(|stream| [open(stream), reset(stream, CANCEL)].concat());
    let flood: Vec<u8> = PREFACE.iter().copied().chain(frame(SETTINGS, 0, 0, &[])).chain(streams).collect();
    let flood = Arc::new(flood);
    site.withstands("50 clients that reset 1,000 streams each, again and again", async move |site| {
        let flood = Arc::clone(&flood);
        site.clients(50, move |mut stream, _| {
            let flood = Arc::clone(&flood);
            async move {
                if stream.write_all(&flood).await.is_ok() {
                    until_closed(&mut stream).await;
                }
            }
        })
        .await
    })
    .await;
}

/// Case 74 at its full size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tokens_with_unknown_keys_cost_the_others_nothing_and_the_issuer_one_question_74() {
    let site = Site::new("").await;
    let claims = json!({ "iss": site.installation.issuer.url(), "aud": "einmal", "sub": "user-0", "exp": 9_999_999_999_u64,
        "scope": "user:otp:verify" });
    let forged: Vec<_> = (0..10_000)
        .map(|number: usize| {
            let kid = format!("key-{number}");
            let token = SigningKey::new("EdDSA", Some(&kid)).token(&claims);
            request(VERIFY, &[JSON, &format!("Authorization: Bearer {token}")], b"{\"otp\":\"123456\"}")
        })
        .collect();
    let forged = Arc::new(forged);
    let (began, before) = (Instant::now(), site.installation.issuer.count(KEYS));
    let withstood = site.withstands("10,000 unknown keys from 64 clients", async |site| {
        let forged = Arc::clone(&forged);
        site.clients(64, move |mut stream, number| {
            let forged = Arc::clone(&forged);
            async move {
                let mut answer = [0; 4_096];
                for request in forged.iter().skip(number).step_by(64) {
                    if stream.write_all(request).await.is_err() {
                        return;
                    }
                    let Ok(length @ 1..) = stream.read(&mut answer).await else { return };
                    assert!(answer[..length].starts_with(b"HTTP/1.1 401 "));
                }
            }
        })
        .await
    });
    let site = withstood.await;
    let (fetches, most) = (site.installation.issuer.count(KEYS) - before, 1 + began.elapsed().as_secs() / 30);
    assert!(fetches as u64 <= most, "{fetches} fetches in {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_pins_at_once_cost_bounded_memory_and_the_others_little_172() {
    const GUESSED: usize = 500;
    let site = Site::new("").await;
    site.installation.import_pins("pin", GUESSED, "8299");
    let requests: Vec<_> = (0..GUESSED)
        .map(|number| {
            let token = site.installation.token(&format!("pin-{number}"));
            let headers = [JSON, &format!("Authorization: Bearer {token}")[..]];
            request("POST /user/2025-1/user/otp", &headers, b"{\"pin\":\"8299\"}")
        })
        .collect();
    let requests = Arc::new(requests);
    site.withstands("500 PINs at once", async move |site| {
        let requests = Arc::clone(&requests);
        site.clients(GUESSED, move |mut stream, number| {
            let requests = Arc::clone(&requests);
            async move {
                let mut answer = [0; 4_096];
                while stream.write_all(&requests[number]).await.is_ok() {
                    let Ok(length @ 1..) = stream.read(&mut answer).await else { return };
                    let told = &answer[9..length.min(12)];
                    assert!(told == b"201" || told == b"503", "{}", String::from_utf8_lossy(&answer));
                }
            }
        })
        .await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_mails_to_a_server_that_hangs_cost_the_others_nothing_133() {
    const MAILED: usize = 300;
    let server = MailServer::start().await;
    server.reply(GREETING, Reply::Silence);
    let site = Site::new(&server.settings()).await;
    let requests: Vec<_> = (0..MAILED)
        .map(|number| {
            let claims = json!({ "email": format!("user-{number}@example.com"), "email_verified": true,
                "scope": "user:otp:create user:otp:verify" });
            let token = site.installation.token_with(&format!("user-{number}"), &claims);
            let headers = [JSON, &format!("Authorization: Bearer {token}")[..]];
            request("POST /user/2025-1/user/otp/sendmail", &headers, b"")
        })
        .collect();
    let requests = Arc::new(requests);
    site.withstands("300 mails while their server hangs", async move |site| {
        let requests = Arc::clone(&requests);
        site.clients(MAILED, move |mut stream, number| {
            let requests = Arc::clone(&requests);
            async move {
                let mut answer = [0; 4_096];
                while stream.write_all(&requests[number]).await.is_ok() {
                    if !stream.read(&mut answer).await.is_ok_and(|length| length > 0) {
                        return;
                    }
                }
            }
        })
        .await
    })
    .await;
}
