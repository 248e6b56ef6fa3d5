//! The generator against servers of a few lines.

use super::answer::Expected;
use super::{Load, Next, Pacing, Source, Until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const GOOD: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Answers each request on its own thread, after a pause; `answer` is told how many there were before.
fn serve(pause: Duration, answer: impl Fn(u64) -> &'static str + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicU64::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            thread::spawn(move || converse(stream, pause, &*answer, &count));
        }
    });
    address
}

fn converse(mut stream: TcpStream, pause: Duration, answer: &dyn Fn(u64) -> &'static str, count: &AtomicU64) {
    let mut request = [0; 4];
    while stream.read_exact(&mut request).is_ok() {
        // The time an answer takes is what is measured here.
        thread::park_timeout(pause);
        let answer = answer(count.fetch_add(1, Ordering::SeqCst));
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// So many requests of four bytes.
struct Pings(u64);

impl Source for Pings {
    fn next(&mut self, _: usize, request: &mut Vec<u8>) -> anyhow::Result<Next> {
        let Some(left) = self.0.checked_sub(1) else { return Ok(Next::Over) };
        self.0 = left;
        request.clear();
        request.extend_from_slice(b"ping");
        Ok(Next::Send(Expected::Status(204)))
    }
}

#[test]
fn a_closed_loop_sends_all_there_is_and_counts_every_answer() {
    let address = serve(Duration::ZERO, |_| GOOD);
    let mut load = Load::connect(&[address], &[4]).unwrap();
    let until = Until::After(Duration::from_secs(30));
    let measured = load.run(&mut [&mut Pings(1_000)], &[Pacing::Closed], until).unwrap();
    // What is on its way when the last one has been sent comes too late to be counted.
    assert!((996..=1_000).contains(&measured.answered), "{}", measured.answered);
    assert!(measured.seconds < 20.0);
}

#[test]
fn a_phase_ends_when_it_has_its_answers_and_the_next_goes_on_with_the_same_connections() {
    let address = serve(Duration::ZERO, |_| GOOD);
    let mut load = Load::connect(&[address], &[3]).unwrap();
    let mut source = Pings(10_000);
    for _ in 0..2 {
        let measured = load.run(&mut [&mut source], &[Pacing::Closed], Until::Answered(50)).unwrap();
        assert!((50..=53).contains(&measured.answered), "{}", measured.answered);
    }
}

#[test]
fn an_answer_that_is_not_the_expected_one_ends_the_run_and_is_shown() {
    let bad = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
    let address = serve(Duration::ZERO, move |count| if count == 100 { bad } else { GOOD });
    let mut load = Load::connect(&[address], &[2]).unwrap();
    let error = load.run(&mut [&mut Pings(1_000)], &[Pacing::Closed], Until::Answered(1_000)).err().unwrap();
    assert!(error.to_string().contains("503 Service Unavailable"), "{error}");
}

#[test]
fn an_open_loop_counts_waiting_for_a_connection_as_latency() {
    // One connection, 20 ms an answer, but one due every 10 ms: the last of 40 waits for some 400 ms.
    let address = serve(Duration::from_millis(20), |_| GOOD);
    let mut load = Load::connect(&[address], &[1]).unwrap();
    let (pacing, until) = (Pacing::Open { per_second: 100.0 }, Until::After(Duration::from_millis(395)));
    let measured = load.run(&mut [&mut Pings(1_000)], &[pacing], until).unwrap();
    assert_eq!(measured.answered, 40);
    let percentiles = measured.latency.percentiles();
    assert!(percentiles.longest >= 390.0 && percentiles.p50 >= 150.0, "{percentiles:?}");
}

#[test]
fn what_goes_on_beside_ends_with_the_phase_and_is_counted_apart() {
    let address = serve(Duration::ZERO, |_| GOOD);
    let mut load = Load::connect(&[address], &[2, 2]).unwrap();
    let mut sources: [&mut dyn Source; 2] = [&mut Pings(u64::MAX), &mut Pings(u64::MAX)];
    let (idle, both) = ([Pacing::Closed, Pacing::Idle], [Pacing::Closed, Pacing::Closed]);
    assert_eq!(load.run(&mut sources, &idle, Until::Answered(100)).unwrap().beside, 0);
    let measured = load.run(&mut sources, &both, Until::After(Duration::from_millis(200))).unwrap();
    assert!(measured.answered > 0 && measured.beside > 0);
}
