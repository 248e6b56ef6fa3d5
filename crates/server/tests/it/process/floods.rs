//! Floods of clients that are slow, idle or hostile, at the program as it is shipped: its memory stays under a bound, who
//! behaves is served meanwhile, and when the flood is over all is as before. What one connection may do, `http/` shows.

mod site;

use crate::harness::issuer::{KEYS, SigningKey};
use crate::harness::mail_server::{GREETING, MailServer, Reply};
use crate::harness::wire::{JSON, request};
use crate::http::frames::{CANCEL, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, field, frame, reset};
use serde_json::json;
use site::{Site, VERIFY};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

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

/// Case 74 at its full size: whatever refuses them keeps a pace, and so all are sent to the end.
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
    let (forged, sent) = (Arc::new(forged), Arc::new(AtomicUsize::new(0)));
    let (began, before) = (Instant::now(), site.installation.issuer.count(KEYS));
    let flood = async |site: &Site| {
        let (forged, sent) = (Arc::clone(&forged), Arc::clone(&sent));
        site.clients(1_000, move |mut stream, _| {
            let (forged, sent) = (Arc::clone(&forged), Arc::clone(&sent));
            async move {
                let mut answer = [0; 4_096];
                loop {
                    let request = &forged[sent.fetch_add(1, Ordering::Relaxed) % forged.len()];
                    if stream.write_all(request).await.is_err() {
                        return;
                    }
                    let Ok(length @ 1..) = stream.read(&mut answer).await else { return };
                    assert!(answer[..length].starts_with(b"HTTP/1.1 401 "));
                }
            }
        })
        .await
    };
    let site = site.withstands("10,000 unknown keys from 1,000 clients", &flood).await;
    let rest = flood(&site).await;
    let deadline = Instant::now() + Duration::from_mins(1);
    while sent.load(Ordering::Relaxed) < forged.len() + 1_000 {
        assert!(Instant::now() < deadline, "{sent:?}");
        sleep(Duration::from_millis(20)).await;
    }
    drop(rest);
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
