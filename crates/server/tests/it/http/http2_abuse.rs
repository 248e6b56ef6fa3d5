//! What a client of HTTP/2 should not do: it costs the client its stream or its connection, and others nothing.

use super::frames::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, Frames, HEADERS, PING,
    PROTOCOL_ERROR, field, frame, remembered_field, reset,
};
use super::server::{PROBE, Server, probe};
use super::streams::{JSON, Streams, request};
use crate::harness::service::{Service, VERIFY};
use einmal::http::{Limits, Pace};
use einmal::metrics::Counter;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval};

const OTP: &str = "{\"otp\":\"1\"}";
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);
/// RFC 7541 appendix A.
const STATUS_204: u8 = 0x89;
const STATUS_404: u8 = 0x8d;

/// The fields of the probe's request, with these in place of or besides the usual ones.
fn fields(changes: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PROBE),
        (":authority", "a"),
        ("authorization", "Bearer good"),
        ("content-type", "application/json"),
    ];
    let is_replaced = |name: &str| changes.iter().any(|(other, _)| *other == name);
    let mut all: Vec<_> = usual.iter().filter(|(name, _)| !is_replaced(name)).chain(changes).collect();
    all.sort_by_key(|(name, _)| !name.starts_with(':'));
    all.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn head(stream: u32, flags: u8, fields: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, fields)
}

fn posted(stream: u32, changes: &[(&str, &str)], body: &str) -> Vec<u8> {
    [head(stream, 0, &fields(changes)), frame(DATA, END_STREAM, stream, body.as_bytes())].concat()
}

async fn assert_goes_on(server: &Server) {
    assert_eq!(server.connect().await.request(probe(OTP)).await.status, 204);
}

#[tokio::test]
async fn what_is_malformed_is_an_error_of_its_stream_197() {
    let server = Server::start().await;
    let mut client = Frames::connect(server.address).await;
    let malformed: [&[(&str, &str)]; 21] = [
        &[("connection", "close")],
        &[("connection", "keep-alive")],
        &[("keep-alive", "timeout=5")],
        &[("proxy-connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "h2c")],
        &[("te", "gzip")],
        &[("Content-Length", "11")],
        &[("X-Upper", "y")],
        &[("x y", "z")],
        &[("x", "a\r\nb: c")],
        &[("x", "a\nb")],
        &[("x", "a\0b")],
        &[("content-length", "5")],
        &[("content-length", "12")],
        &[("content-length", "+11")],
        &[("content-length", "11"), ("content-length", "12")],
        &[(":method", "")],
        &[(":path", "")],
        &[(":status", "200")],
        &[(":unknown", "a")],
    ];
    for (stream, changes) in (1..).step_by(2).zip(malformed) {
        client.send(posted(stream, changes, OTP)).await;
        match client.end_of(stream).await {
            End::Reset(code) => assert_eq!(code, PROTOCOL_ERROR, "{changes:?}"),
            // What the library cannot decode at all ends the connection: the state of compression is lost.
            End::GoAway(code) => {
                assert!(code != 0, "{changes:?}");
                client = Frames::connect(server.address).await;
            }
            end => panic!("{end:?} for {changes:?}"),
        }
    }
    assert_eq!(server.calls(), 0);
    client.send(posted(101, &[("te", "trailers")], OTP)).await;
    assert_eq!(client.end_of(101).await, End::Answer(STATUS_204), "the connection goes on");
}

#[tokio::test]
async fn a_request_without_one_valid_authority_is_refused_over_http_2() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    for (authority, host) in [("a", Some("b")), ("user@a", None), ("a", Some("a b"))] {
        let mut wrong = request("POST", PROBE, &[JSON]);
        *wrong.uri_mut() = format!("http://{authority}{PROBE}").parse().unwrap();
        if let Some(host) = host {
            wrong.headers_mut().insert("host", host.parse().unwrap());
        }
        let answer = client.request(wrong, OTP).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"), "{authority} {host:?}");
    }
    let mut head_request = request("HEAD", "/user/2025-1/read", &[]);
    *head_request.uri_mut() = "http://user@a/user/2025-1/read".parse().unwrap();
    let answer = client.request(head_request, "").await;
    assert_eq!((answer.status, answer.body.len()), (400, 0), "an answer to HEAD has no body");
    let mut frames = Frames::connect(server.address).await;
    let without: Vec<u8> = [(":method", "POST"), (":scheme", "http"), (":path", PROBE)]
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect();
    frames.send(head(1, END_STREAM, &without)).await;
    assert_eq!(frames.end_of(1).await, End::Answer(0x8c), "400");
    assert_eq!(server.calls(), 0);
    for host in ["a", "A"] {
        let mut right = request("POST", PROBE, &[JSON]);
        *right.uri_mut() = format!("http://{host}{PROBE}").parse().unwrap();
        right.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(client.request(right, OTP).await.status, 204);
    }
}

#[tokio::test]
async fn a_head_has_a_hundred_lines_and_64_kib_over_http_2() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    let with_lines = |lines: usize| {
        let mut request = request("POST", PROBE, &[JSON]);
        while request.headers().len() < lines {
            request.headers_mut().append("x", "y".parse().unwrap());
        }
        request
    };
    assert_eq!(client.request(with_lines(100), OTP).await.status, 204);
    assert_eq!(client.request(with_lines(101), OTP).await.code(), "headers-too-large");
    let with_bytes = |bytes: usize| {
        let value = "y".repeat(bytes);
        request("POST", PROBE, &[JSON, ("x", &value)])
    };
    assert_eq!(client.request(with_bytes(60 * 1024), OTP).await.status, 204);
    let answer = client.request(with_bytes(66 * 1024), OTP).await;
    assert_eq!((answer.status, answer.code().as_str()), (431, "headers-too-large"));
    assert_eq!(client.try_request(with_bytes(200 * 1024), OTP).await.unwrap().status, 431);
    let path = format!("/{}", "a".repeat(60 * 1024));
    let long = ("x", "y".repeat(6 * 1024));
    let too_long = request("GET", &path, &[(long.0, &long.1)]);
    assert_eq!(client.request(too_long, "").await.code(), "uri-too-long");
    assert_eq!(client.probe(OTP).await, 204, "the connection goes on");
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let server = Server::start().await;
    // Reset before they are seen, CVE-2023-44487.
    let mut client = Frames::connect(server.address).await;
    let flood: Vec<u8> =
        (1..4_001).step_by(2).flat_map(|stream| [open(stream), reset(stream, CANCEL)].concat()).collect();
    client.try_send(flood).await;
    assert_eq!(client.end_of(9_999).await, End::GoAway(ENHANCE_YOUR_CALM));

    // And when each has begun to be worked on.
    let mut client = Frames::connect(server.address).await;
    let before = server.calls();
    begin_and_give_up(&server, &mut client).await;
    assert_eq!(client.end_of(9_999).await, End::GoAway(ENHANCE_YOUR_CALM));
    let begun = server.calls() - before;
    assert!((100..200).contains(&begun), "{begun}");
    assert_goes_on(&server).await;
}

/// Streams are opened and begun on, and reset, until the client is thrown out.
async fn begin_and_give_up(server: &Server, client: &mut Frames) {
    let before = server.calls();
    let mut streams = (1..).step_by(2);
    for begun in 1..2_000 {
        let stream = streams.next().unwrap();
        if !client.try_send(open(stream)).await {
            return;
        }
        let deadline = Instant::now() + SHORT;
        while server.calls() < before + begun {
            if Instant::now() > deadline {
                return;
            }
            tokio::task::yield_now().await;
        }
        client.try_send(reset(stream, CANCEL)).await;
    }
}

/// Of what is worked on for as long as nobody opens the gate.
fn open(stream: u32) -> Vec<u8> {
    head(stream, END_STREAM, &fields(&[(":method", "GET"), (":path", "/user/2025-1/wait")]))
}

/// Who reconnects when it is thrown out does so less often. Each takes a turn or two, however much it has left behind.
#[tokio::test]
async fn where_many_are_thrown_out_each_hears_of_it_in_its_turn() {
    let held = Counter::default();
    let floods = Arc::new(Pace::of_connections(held.clone()));
    let limits = Limits { floods: Arc::clone(&floods), ..Limits::default() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let exhaust = || (0..2_000).for_each(|_| drop(floods.refuse()));
    let given_up = |stream| [open(stream), reset(stream, CANCEL)].concat();
    let reset_unseen = (1..101).step_by(2).flat_map(given_up).collect();
    let opened: Vec<u8> = (51..251).step_by(2).flat_map(open).collect();
    let both = [(1..41).step_by(2).flat_map(given_up).collect(), opened, reset(249, CANCEL)].concat();
    for flood in [reset_unseen, both] {
        exhaust();
        let (began, before) = (Instant::now(), held.get());
        let mut client = Frames::connect(server.address).await;
        client.try_send(flood).await;
        assert_goes_on(&server).await;
        assert_eq!(client.end_of(9_999).await, End::GoAway(ENHANCE_YOUR_CALM));
        assert!(began.elapsed() > Duration::from_millis(400));
        assert!((1..=2).contains(&(held.get() - before)));
    }
    exhaust();
    let before = held.get();
    let mut client = Frames::connect(server.address).await;
    begin_and_give_up(&server, &mut client).await;
    assert_eq!(client.end_of(9_999).await, End::GoAway(ENHANCE_YOUR_CALM));
    assert_eq!(held.get(), before + 1);
}

/// As those do whose connection ends with it.
#[tokio::test]
async fn what_is_no_request_over_http_2_is_refused_in_its_turn_and_the_connection_goes_on() {
    let limits = Limits::default();
    let refusals = Arc::clone(&limits.refusals);
    let server = Server::start_with(limits, Duration::ZERO).await;
    (0..2_000).for_each(|_| drop(refusals.refuse()));
    let began = Instant::now();
    let (client, _) = Streams::connect(server.address).await;
    let answer = client.request(request("POST", PROBE, &[JSON, ("host", "b")]), OTP).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad-request"));
    assert!(began.elapsed() > Duration::from_millis(400));
    assert_eq!(client.probe(OTP).await, 204);
}

#[tokio::test]
async fn whoever_waits_for_answers_may_give_up_some_requests() {
    let server = Server::start().await;
    let (client, _) = Streams::connect(server.address).await;
    for _ in 0..300 {
        let (response, mut sending) = client.begin(request("POST", PROBE, &[JSON]), true).await;
        assert_eq!(client.probe(OTP).await, 204);
        sending.send_reset(h2::Reason::CANCEL);
        drop(response);
    }
    assert_eq!(client.probe(OTP).await, 204);
}

#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let server = Server::start().await;
    let mut client = Frames::connect(server.address).await;
    client.send(frame(HEADERS, END_STREAM, 1, &fields(&[]))).await;
    for _ in 0..10_000 {
        if !client.try_send(frame(CONTINUATION, 0, 1, &field("x", "y"))).await {
            break;
        }
    }
    assert_eq!(client.end_of(9_999).await, End::GoAway(ENHANCE_YOUR_CALM));
    assert_eq!(server.calls(), 0);
    assert_goes_on(&server).await;
}

#[tokio::test]
async fn a_flood_of_empty_frames_ends_the_connection() {
    let server = Server::start().await;
    let mut client = Frames::connect(server.address).await;
    client.send(head(1, 0, &fields(&[]))).await;
    for _ in 0..100 {
        if !client.try_send(frame(DATA, 0, 1, b"").repeat(1_000)).await {
            break;
        }
    }
    assert_eq!(client.end_of(9_999).await, End::GoAway(ENHANCE_YOUR_CALM));
    assert_goes_on(&server).await;
}

#[tokio::test]
async fn a_client_that_pings_and_does_not_read_is_cut_off() {
    let limits = Limits { write_stall: SHORT, connections: 1, ..Limits::default() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let mut deaf = Frames::connect(server.address).await;
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(10_000);
    // Until nothing gets through any more, in either direction.
    while tokio::time::timeout(SHORT, deaf.try_send(&pings)).await == Ok(true) {}
    assert_goes_on(&server).await;
    drop(deaf);
}

#[tokio::test]
async fn a_frame_or_head_that_dribbles_in_ends_the_connection_after_the_header_timeout() {
    let limits = Limits { head: SHORT, body: LONG, idle: LONG, ..Limits::default() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let continuations = frame(CONTINUATION, 0, 1, b"").repeat(4);
    for begun in [
        head(1, END_STREAM, &fields(&[])),
        [frame(HEADERS, END_STREAM, 1, &fields(&[])), continuations].concat(),
        frame(PING, 0, 0, &[7; 8]),
    ] {
        let mut client = Frames::connect(server.address).await;
        let started = Instant::now();
        let mut ticks = interval(SHORT / 5);
        // All but the last byte, which never comes.
        for byte in &begun[..begun.len() - 1] {
            ticks.tick().await;
            if started.elapsed() > SHORT * 3 || !client.try_send([*byte]).await {
                break;
            }
        }
        assert!(matches!(client.end_of(9_999).await, End::GoAway(_) | End::Closed));
        assert!((SHORT..SHORT * 10).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test]
async fn more_streams_than_are_allowed_are_refused_and_may_be_sent_again() {
    let server = Server::start().await;
    let mut client = Frames::connect(server.address).await;
    let wait = fields(&[(":method", "GET"), (":path", "/user/2025-1/wait")]);
    let all: Vec<u8> = (1..=201).step_by(2).flat_map(|stream| head(stream, END_STREAM, &wait)).collect();
    client.send(all).await;
    assert_eq!(client.end_of(201).await, End::Reset(7), "REFUSED_STREAM");
    while server.calls() < 100 {
        tokio::task::yield_now().await;
    }
    server.gate.add_permits(100);
    assert_eq!(client.end_of(1).await, End::Answer(STATUS_204));
}

/// Such as a phone that has left its network: nothing is going on there, and nobody acknowledges the end.
#[tokio::test]
async fn a_client_that_has_gone_without_a_word_does_not_hold_the_end_up() {
    let limits = Limits { linger: SHORT, ..Limits::default() };
    let server = Server::start_with(limits, Duration::ZERO).await;
    let mut silent = Frames::connect(server.address).await;
    silent.send(posted(1, &[], OTP)).await;
    assert_eq!(silent.end_of(1).await, End::Answer(STATUS_204));
    let mut waiting = Frames::connect(server.address).await;
    let wait = fields(&[(":method", "GET"), (":path", "/user/2025-1/wait")]);
    waiting.send(head(1, END_STREAM, &wait)).await;
    while server.calls() < 2 {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    server.shutdown.begin();
    assert_eq!(silent.end_of(9_999).await, End::GoAway(0));
    tokio::time::sleep(SHORT * 3).await; // Longer than anybody is waited for who has nothing to ask.
    server.gate.add_permits(1);
    assert_eq!(waiting.end_of(1).await, End::GoAway(0));
    assert_eq!(waiting.end_of(1).await, End::Answer(STATUS_204), "what goes on is finished");
    server.ended().await;
    assert!((SHORT * 3..SHORT * 20).contains(&started.elapsed()), "{:?}", started.elapsed());
}

/// All of them in one write: the token is sent once and named by its index in the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_streams_with_one_code_in_one_packet_exactly_one_is_accepted_5() {
    let service = Service::start().await;
    service.provision_device("alice").await;
    for _ in 0..40 {
        let body = json!({ "otp": service.code(0) }).to_string();
        let token = format!("Bearer {}", service.token("alice"));
        let path = [(":method", "POST"), (":scheme", "http"), (":path", VERIFY), (":authority", "a")];
        let path: Vec<u8> = path.iter().flat_map(|(name, value)| remembered_field(name, value)).collect();
        let token = remembered_field("authorization", &token);
        let first = [path, token, remembered_field("content-type", "application/json")].concat();
        // The newest entry is number 62.
        let repeated: Vec<u8> = (62..=67).rev().map(|index| 0x80 | index).collect();
        let streams = (1..128).step_by(2).flat_map(|stream| {
            let fields = if stream == 1 { &first } else { &repeated };
            [head(stream, 0, fields), frame(DATA, END_STREAM, stream, body.as_bytes())].concat()
        });
        let mut client = Frames::connect(service.running.address).await;
        client.send(streams.collect::<Vec<u8>>()).await;
        let mut statuses: Vec<u16> = Vec::new();
        while statuses.len() < 64 {
            let frame = client.next().await.expect("64 answers");
            if frame.kind == HEADERS {
                statuses.push(frame.payload[0].into());
            }
        }
        let count = |status: u8| statuses.iter().filter(|other| **other == u16::from(status)).count();
        assert_eq!((count(STATUS_204), count(STATUS_404)), (1, 63), "{statuses:x?}");
        service.clock.advance(30);
    }
    assert_eq!(service.failures("alice").await, 0, "those that lost are replays and no guesses");
}
