//! Bodies that end too early, too late or never, or are not what their headers say: on the real service and its
//! own limits of time and size. None of them touches the account.

use crate::harness::service::{Service, VERIFY};
use crate::harness::wire::{JSON, request};
use crate::http::client::{Answer, Client};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, interval, timeout};

/// A service with a device of alice's, and a right body.
async fn with_device() -> (Service, String) {
    let service = Service::start().await;
    service.provision_device("alice").await;
    let good = json!({ "otp": service.code(0) }).to_string();
    (service, good)
}

/// The head of a verify request of alice's with these lines and no length.
fn head(service: &Service, headers: &[&str]) -> String {
    let whole = String::from_utf8(service.verify_request("alice", headers, "")).unwrap();
    whole.replace("Content-Length: 0\r\n", "")
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

#[tokio::test]
async fn json_that_is_cut_off_or_goes_on_or_is_only_similar_is_malformed_42() {
    let (service, good) = with_device().await;
    let before = service.versions("alice").await;
    let code = service.code(0);
    let whole = format!("{{\"otp\":\"{code}\",\"types\":[\"device-totp\"],\"x\":{{\"y\":[1,null]}}}}");
    let mut bodies: Vec<String> = (1..whole.len()).map(|end| whole[..end].to_owned()).collect();
    let wrong_value = [
        "NaN",
        "Infinity",
        "undefined",
        "True",
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        "'x'",
        "`x`",
        "nul",
        "\"\t\"",
    ];
    bodies.extend(wrong_value.map(|value| format!("{{\"otp\":\"{code}\",\"x\":{value}}}")));
    for tail in ["}", "{}", ",", "x", "\0", "\u{a0}", "// comment", "\n{\"otp\":\"000000\"}", "\u{1e}"] {
        bodies.push(format!("{good}{tail}"));
    }
    for lead in ["\u{feff}", "\0", "\u{a0}", "\u{c}", ")]}',\n", "otp=", "data: ", "1 "] {
        bodies.push(format!("{lead}{good}"));
    }
    bodies.push(format!("{{otp:\"{code}\"}}"));
    bodies.push(format!("{{\"otp\"=\"{code}\"}}"));
    bodies.push(format!("{{\"otp\":\"{code}\";}}"));
    bodies.push(format!("{{,\"otp\":\"{code}\"}}"));
    let mut client = service.connect().await;
    for body in &bodies {
        let answer = client.request(service.verify_request("alice", &[JSON], body)).await;
        assert_eq!(refusal(&answer), (422, "malformed-json".to_owned()), "{body:?}");
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.post("alice", format!(" \t\r\n{good}\n ")).await.status, 204);
}

#[tokio::test]
async fn a_body_without_a_bottom_or_an_end_is_refused_and_bounded_48() {
    let (service, good) = with_device().await;
    let code = service.code(0);
    let inner = 16 * 1024 - 64;
    for (open, close) in [("[", ""), ("[", "]"), ("{\"a\":", ""), ("[{\"a\":", "")] {
        let depth = inner / (open.len() + close.len());
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        for body in [format!("{{\"otp\":\"{code}\",\"x\":{deep}}}"), deep] {
            let answer = service.post("alice", body).await;
            assert_eq!(refusal(&answer), (422, "malformed-json".to_owned()), "{open} {depth} times");
        }
    }
    for length in ["16385", "4294967296", "10000000000", "18446744073709551613"] {
        let announced = head(&service, &[JSON, &format!("Content-Length: {length}")]);
        assert_eq!(refusal(&service.send(announced).await), (413, "body-too-large".to_owned()), "{length}");
    }
    // Chunks for ever: it is told to stop, and not listened to for long.
    for piece in [" ".repeat(4_096), "1".to_owned()] {
        let mut client = service.connect().await;
        client.send(head(&service, &[JSON, "Transfer-Encoding: chunked"]) + &chunk("{\"otp\":\"")).await;
        let answer = flood(&mut client, chunk(&piece).repeat(4_096 / piece.len())).await;
        assert_eq!(refusal(&answer), (413, "body-too-large".to_owned()));
    }
    assert_eq!(service.failures("alice").await, 0);
    assert_eq!(service.post("alice", good).await.status, 204);
}

/// Sends the same again until there is an answer.
async fn flood(client: &mut Client, piece: String) -> Answer {
    const MOST: usize = 64 << 20;
    let mut sent = 0;
    while timeout(Duration::ZERO, client.stream.readable()).await.is_err() {
        assert!(sent < MOST, "{sent} bytes and no answer");
        if timeout(Duration::from_secs(5), client.try_send(&piece)).await.is_err() {
            break;
        }
        sent += piece.len();
    }
    client.answer().await
}

/// With the ten seconds that everybody has, and all at once.
#[tokio::test]
async fn a_body_that_does_not_come_ends_after_ten_seconds_50() {
    let (service, good) = with_device().await;
    let start = &good[..4];
    let announced = head(&service, &[JSON, &format!("Content-Length: {}", good.len())]);
    let chunked = head(&service, &[JSON, "Transfer-Encoding: chunked"]);
    let never = [announced.clone(), format!("{announced}{start}"), format!("{chunked}{}", chunk(start))];
    let mut clients = Vec::new();
    for sent in never {
        let mut client = service.connect().await;
        client.send(sent).await;
        clients.push(client);
    }
    let mut dribbling = service.connect().await;
    dribbling.send(head(&service, &[JSON, "Content-Length: 1000"])).await;

    let started = Instant::now();
    let mut seconds = interval(Duration::from_secs(1));
    while timeout(Duration::ZERO, dribbling.stream.readable()).await.is_err() {
        seconds.tick().await;
        assert!(started.elapsed() < Duration::from_secs(15), "a byte a second is not stopped");
        dribbling.try_send("{").await;
    }
    clients.push(dribbling);
    for mut client in clients {
        let answer = client.answer().await;
        assert_eq!(refusal(&answer), (408, "request-timeout".to_owned()));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
    assert!((9..15).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert_eq!(service.failures("alice").await, 0);
    assert_eq!(service.post("alice", good).await.status, 204, "nothing was spent");
}

#[tokio::test]
async fn what_ends_before_or_after_its_announced_length_is_no_body_51() {
    let (service, good) = with_device().await;
    let before = service.versions("alice").await;
    let length = good.len();
    for (framing, body) in [
        (format!("Content-Length: {}", length + 1), good.clone()),
        (format!("Content-Length: {length}"), good[..length - 1].to_owned()),
        ("Transfer-Encoding: chunked".to_owned(), chunk(&good)),
        ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{good}", length + 8)),
    ] {
        let mut client = service.connect().await;
        client.send(head(&service, &[JSON, &framing]) + &body).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(refusal(&client.answer().await), (400, "bad-request".to_owned()), "{framing}");
        assert!(client.is_closed().await);
    }
    // Cut short by its own header: what is left over is no request.
    let mut client = service.connect().await;
    client.send(head(&service, &[JSON, &format!("Content-Length: {}", length - 1)]) + &good).await;
    assert_eq!(refusal(&client.answer().await), (422, "malformed-json".to_owned()));
    client.stream.shutdown().await.unwrap();
    assert_eq!(refusal(&client.answer().await), (400, "bad-request".to_owned()));
    assert!(client.is_closed().await);
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.post("alice", good).await.status, 204);
}

#[tokio::test]
async fn a_charset_other_than_utf_8_is_415_52() {
    let (service, good) = with_device().await;
    let before = service.versions("alice").await;
    for charset in
        ["utf-16", "iso-8859-1", "utf-7", "us-ascii", "UTF-32", "\"utf-16le\"", "utf-8, utf-16", ""]
    {
        let content_type = format!("Content-Type: application/json; charset={charset}");
        let answer = service.send(service.verify_request("alice", &[&content_type], &good)).await;
        assert_eq!(refusal(&answer), (415, "unsupported-media-type".to_owned()), "{charset}");
    }
    assert_eq!(service.versions("alice").await, before);
    for parameters in [";charset=UTF-8", "; charset=\"utf-8\"", " ;Charset=Utf-8", "; charset=utf-8; v=1"] {
        let content_type = format!("Content-Type: application/json{parameters}");
        let good = json!({ "otp": service.code(0) }).to_string();
        let answer = service.send(service.verify_request("alice", &[&content_type], &good)).await;
        assert_eq!(answer.status, 204, "{parameters}");
        service.clock.advance(30);
    }
}

#[tokio::test]
async fn text_that_is_no_unicode_is_malformed_wherever_it_stands_54() {
    let (service, good) = with_device().await;
    let code = service.code(0);
    let before = service.versions("alice").await;
    let text = |bytes: &[u8]| bytes.to_vec();
    // No start, no rest, overlong, half of a pair, beyond the last character.
    let broken = [
        text(b"\x80"),
        text(b"\xc3"),
        text(b"\xc0\xb1"),
        text(b"\xe0\x80\xb1"),
        text(b"\xed\xa0\x80"),
        text(b"\xf4\x90\x80\x80"),
        text(b"\xff\xfe"),
        text(b"\\ud800"),
        text(b"\\udc00\\ud800"),
        text(b"\\ud83d\\u0041"),
        text(b"\\u12"),
        text(b"\\x31"),
    ];
    for broken in &broken {
        let within = |start: String, end: &str| [start.as_bytes(), broken, end.as_bytes()].concat();
        for body in [
            within(format!("{{\"otp\":\"{code}"), "\"}"),
            within(format!("{{\"otp\":\"{code}\",\"types\":[\"login"), "\"]}"),
            within(format!("{{\"otp\":\"{code}\",\"x\":\""), "\"}"),
            within(format!("{{\"otp\":\"{code}\",\""), "\":1}"),
        ] {
            let answer = service.post("alice", &body).await;
            let shown = String::from_utf8_lossy(&body);
            assert_eq!(refusal(&answer), (422, "malformed-json".to_owned()), "{shown}");
        }
    }
    for units in [good.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>(), [0; 9].to_vec()] {
        assert_eq!(refusal(&service.post("alice", &units).await), (422, "malformed-json".to_owned()));
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.post("alice", good).await.status, 204);
}

/// Ten megabytes that would become ten gigabytes: the header decides, and the size is not even looked at.
#[tokio::test]
async fn a_compressed_body_is_refused_by_its_header_and_not_inflated_55() {
    let (service, good) = with_device().await;
    let before = service.versions("alice").await;
    // RFC 1952: a gzip header, then a DEFLATE stream of zeros, which repeats.
    let bomb = [&b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xec\xc1\x01\x01"[..], &vec![0; 10 << 20]].concat();
    for coding in ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "gzip,"]
    {
        let header = format!("Content-Encoding: {coding}");
        let small = service.send(service.verify_request("alice", &[JSON, &header], &good)).await;
        assert_eq!(refusal(&small), (415, "unsupported-media-type".to_owned()), "{coding}");
        assert_eq!(small.error()["source"]["header"], "Content-Encoding");
    }
    for framing in [format!("Content-Length: {}", bomb.len()), "Transfer-Encoding: chunked".to_owned()] {
        let mut client = service.connect().await;
        client.send(head(&service, &[JSON, "Content-Encoding: gzip", &framing])).await;
        if framing.ends_with("chunked") {
            client.try_send(format!("{:x}\r\n", bomb.len())).await;
        }
        client.try_send(&bomb).await;
        assert_eq!(refusal(&client.answer().await), (415, "unsupported-media-type".to_owned()));
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.post("alice", good).await.status, 204);
}

#[tokio::test]
async fn what_the_type_says_counts_and_not_what_the_body_looks_like_56_57() {
    let (service, good) = with_device().await;
    let code = service.code(0);
    let before = service.versions("alice").await;
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"otp\"\r\nContent-Type: application/json\r\n\r\n{code}\r\n--x--\r\n"
    );
    let form = format!("otp={code}");
    for (content_type, body) in [
        ("multipart/form-data; boundary=x", multipart.as_str()),
        ("application/x-www-form-urlencoded", &form),
        ("application/x-www-form-urlencoded", &good),
        ("text/plain", &good),
        ("text/json", &good),
        ("application/ld+json", &good),
        ("application/json-patch+json", &good),
        ("application/*", &good),
        ("*/*", &good),
        ("application/json, text/plain", &good),
        ("text/plain", ""),
    ] {
        let header = format!("Content-Type: {content_type}");
        let answer = service.send(service.verify_request("alice", &[&header], body)).await;
        assert_eq!(refusal(&answer), (415, "unsupported-media-type".to_owned()), "{content_type}");
    }
    let untyped = service.send(service.verify_request("alice", &[], &good)).await;
    assert_eq!(refusal(&untyped), (415, "unsupported-media-type".to_owned()));
    let chunked = head(&service, &["Transfer-Encoding: chunked"]) + &chunk(&good) + "0\r\n\r\n";
    assert_eq!(refusal(&service.send(chunked).await), (415, "unsupported-media-type".to_owned()));
    let nothing = service.send(service.verify_request("alice", &[], "")).await;
    assert_eq!(refusal(&nothing), (422, "malformed-json".to_owned()), "no body, no type");
    assert_eq!(service.versions("alice").await, before);
    let json_api = service.verify_request("alice", &["Content-Type: application/vnd.api+json"], &good);
    assert_eq!(service.send(json_api).await.status, 204);
}

#[tokio::test]
async fn no_body_is_asked_for_that_would_be_refused_unread_59() {
    let (service, good) = with_device().await;
    let length = format!("Content-Length: {}", good.len());
    let expect = "Expect: 100-continue";
    for (status, headers) in [
        (406, &[JSON, "Accept: text/html", &length, expect][..]),
        (415, &["Content-Type: text/plain", &length, expect]),
        (415, &[JSON, "Content-Encoding: gzip", &length, expect]),
        (413, &[JSON, "Content-Length: 16385", expect]),
    ] {
        let mut client = service.connect().await;
        assert_eq!(client.request(head(&service, headers)).await.status, status, "{headers:?}");
        assert!(client.is_closed().await, "the body may or may not come");
    }
    let narrow = service.token_with("alice", &json!({ "scope": "openid" }));
    let authorization = format!("Authorization: Bearer {narrow}");
    let asked = request(&format!("POST {VERIFY}"), &[JSON, &authorization, expect], good.as_bytes());
    assert_eq!(service.send(&asked[..asked.len() - good.len()]).await.status, 403);
}

#[tokio::test]
async fn who_asks_first_need_not_wait_for_the_answer_60() {
    let (service, _) = with_device().await;
    for expect in ["100-continue", "100-Continue"] {
        let good = json!({ "otp": service.code(0) }).to_string();
        let whole = service.verify_request("alice", &[JSON, &format!("Expect: {expect}")], &good);
        let mut client = service.connect().await;
        let mut answer = client.request(whole).await;
        if answer.status == 100 {
            answer = client.answer().await;
        }
        assert_eq!(answer.status, 204, "{expect}");
        let again = client.request(service.verify_request("alice", &[JSON], &good)).await;
        assert_eq!(again.status, 404, "the connection goes on, and the code is spent once");
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0);
}
