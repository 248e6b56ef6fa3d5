//! Many requests at the same moment. However they fall, one code is accepted once, and guesses are counted.

mod enrolments;
mod guesses;
mod one_code;

use crate::harness::history::{self, Asked, Attempt, CodeId, Outage};
use crate::harness::service::Service;
use crate::harness::wire::JSON;
use crate::http::client::{Answer, Client};
use serde_json::json;
use std::net::SocketAddr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;

/// Sends the requests at once, each on a connection of its own. The answers are in their order.
pub(crate) async fn all_at_once(requests: Vec<(SocketAddr, Vec<u8>)>) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(requests.len()));
    let mut clients = Vec::with_capacity(requests.len());
    for (address, request) in requests {
        let start = Arc::clone(&start);
        clients.push(tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            start.wait().await;
            client.request(request).await
        }));
    }
    let mut answers = Vec::with_capacity(clients.len());
    for client in clients {
        answers.push(client.await.unwrap());
    }
    answers
}

pub(crate) fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// What the judge of histories says of answers to requests that were under way at the same time. `may_crowd`: whether
/// there may have been too many for one account.
pub(crate) fn assert_lawful(asked: impl Fn(usize) -> Asked, answers: &[Answer], may_crowd: bool) {
    let [from, until] = [0, 1].map(Duration::from_secs);
    let attempt = |(number, answer): (usize, &Answer)| Attempt {
        asked: asked(number),
        target: 0,
        started: from,
        ended: until,
        answer: history::Answer::of(answer.status, answer.header("retry-after").is_some()),
    };
    let attempts: Vec<_> = answers.iter().enumerate().map(attempt).collect();
    let crowding = Outage { target: 0, from, until };
    history::assert_lawful(&attempts, if may_crowd { slice::from_ref(&crowding) } else { &[] }, "a race");
}

/// The one code of a race.
const ONE_CODE: Asked = Asked::Right(CodeId { account: 0, step: 0 });

pub(crate) async fn race(service: &Service, subject: &str, code: &str, types: &[&str], width: usize) {
    let body = json!({ "otp": code, "types": types }).to_string();
    let request = service.verify_request(subject, &[JSON], body);
    let answers = all_at_once(vec![(service.running.address, request); width]).await;
    assert_eq!((count(&answers, 204), count(&answers, 404)), (1, width - 1), "{subject} {code} {types:?}");
    assert_lawful(|_| ONE_CODE, &answers, false);
}

/// All the answers to these PINs, offered at once.
async fn offer(service: &Service, pins: &[String]) -> Vec<Answer> {
    let request = |pin| service.create_request("alice", json!({ "pin": pin }).to_string());
    all_at_once(pins.iter().map(|pin| (service.running.address, request(pin))).collect()).await
}
