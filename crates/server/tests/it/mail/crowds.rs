//! Many requests at once: one mail, one code, and all are told.

use crate::harness::mail_server::{END, MailServer, Reply};
use crate::harness::service::Service;
use crate::http::client::{Answer, Client};
use crate::races::{all_at_once, count, race};
use serde_json::json;
use std::net::SocketAddr;
use tokio::task::JoinSet;

/// All of them are sent before the mail server answers one.
async fn answers_of(requests: Vec<(SocketAddr, Vec<u8>)>, release: impl AsyncFnOnce()) -> Vec<Answer> {
    let mut waiting = JoinSet::new();
    let total = requests.len();
    let (sent, mut all_sent) = tokio::sync::mpsc::channel(total);
    for (address, request) in requests {
        let sent = sent.clone();
        waiting.spawn(async move {
            let mut client = Client::connect(address).await;
            client.send(&request).await;
            sent.send(()).await.unwrap();
            client.answer().await
        });
    }
    for _ in 0..total {
        all_sent.recv().await.unwrap();
    }
    release().await;
    waiting.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_100_requests_at_once_one_mail_is_sent_and_all_are_told_137() {
    let (service, server) = Service::start_mailing().await;
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken"))));
    let request = service.mail_request("alice", &json!({}), &[]);
    let answers = answers_of(vec![(service.running.address, request); 100], async || {
        server.until("mail", |server| server.mails().len() == 1).await;
        server.release();
    });
    let answers = answers.await;
    assert_eq!(count(&answers, 204), 100, "{answers:?}");
    assert_eq!((server.mails().len(), server.connections().0), (1, 1));
    race(&service, "alice", &server.mails()[0].code(), &["login"], 64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_100_requests_to_two_services_on_one_store_one_mail_is_sent_137() {
    let (service, server) = Service::start_mailing().await;
    one_mail_of_two_services(&service, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_100_requests_to_two_services_on_one_postgres_one_mail_is_sent_137() {
    let Some((service, server)) = Service::start_mailing_on_postgres().await else { return };
    one_mail_of_two_services(&service, &server).await;
}

async fn one_mail_of_two_services(service: &Service, server: &MailServer) {
    let beside = service.start_beside().await;
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken"))));
    let request = service.mail_request("alice", &json!({}), &[]);
    let address = |number| if number % 2 == 0 { service.running.address } else { beside.address };
    let requests = (0..100).map(|number| (address(number), request.clone())).collect();
    let answers = answers_of(requests, async || {
        server.until("mail", |server| server.mails().len() == 1).await;
        server.release();
    });
    let answers = answers.await;
    assert_eq!(count(&answers, 204), 100, "{answers:?}");
    assert_eq!(server.mails().len(), 1);
    assert_eq!(service.log_in("alice", &server.mails()[0].code()).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_for_a_mail_that_fails_is_told_so_on_both_services() {
    let (service, server) = Service::start_mailing().await;
    let beside = service.start_beside().await;
    server.reply(END, Reply::Held(Box::new(Reply::Say("451 later"))));
    let mut leader = service.connect().await;
    leader.send(service.mail_request("alice", &json!({}), &[])).await;
    server.until("mail", |server| server.mails().len() == 1).await;
    let request = service.mail_request("alice", &json!({}), &[]);
    let mut others = Vec::new();
    for address in [service.running.address, beside.address] {
        let mut client = Client::connect(address).await;
        client.send(&request).await;
        others.push(client);
    }
    server.release();
    assert_eq!(leader.answer().await.status, 503);
    for mut other in others {
        let answer = other.answer().await;
        // Who came when all was over has begun anew, and that failed as well.
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    }
    for mail in server.mails() {
        assert_eq!(service.log_in("alice", &mail.code()).await, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_uses_of_a_mailed_code_one_is_accepted_7() {
    let (service, server) = Service::start_mailing().await;
    for round in 0..20 {
        let subject = format!("alice-{round}");
        assert_eq!(service.mail(&subject).await.status, 204);
        let code = server.mails().pop().unwrap().code();
        race(&service, &subject, &code, &["login"], 64).await;
    }
}

/// An hour's mails asked for in bursts, on both services.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_caps_hold_for_bursts_on_two_services_137() {
    let (service, server) = Service::start_mailing().await;
    bursts_on_two_services(&service, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_caps_hold_for_bursts_on_two_services_on_one_postgres_137() {
    let Some((service, server)) = Service::start_mailing_on_postgres().await else { return };
    bursts_on_two_services(&service, &server).await;
}

async fn bursts_on_two_services(service: &Service, server: &MailServer) {
    let beside = service.start_beside().await;
    let mut exhausted = 0;
    for _ in 0..8 {
        let request = service.mail_request("alice", &json!({}), &[]);
        let address = |number| if number % 2 == 0 { service.running.address } else { beside.address };
        let answers = all_at_once((0..16).map(|number| (address(number), request.clone())).collect()).await;
        assert_eq!(count(&answers, 204) + count(&answers, 429), 16, "{answers:?}");
        exhausted += count(&answers, 429);
        service.clock.advance(60);
    }
    assert_eq!((server.mails().len(), exhausted), (5, 48));
}
