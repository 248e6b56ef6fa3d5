//! When a mail is sent, and what its code is good for.

use crate::harness::clock::NOW;
use crate::harness::issuer::{Answer, INTROSPECTION, Issuer};
use crate::harness::mail::SENDMAIL;
use crate::harness::mail_server::{END, MailServer, Reply};
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::{JSON, request};
use crate::metrics::growth;
use einmal::clock::Clock;
use einmal_core::account::CodeState;
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn a_mailed_code_is_good_once_as_a_login_code_and_as_no_other_7_26() {
    let (service, server) = Service::start_mailing().await;
    let answer = service.mail("alice").await;
    assert_snapshot!(answer.whole());
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].recipients, ["TO:<alice@example.org>"]);
    let code = mails[0].code();
    assert_eq!(service.verify_as("alice", &code, &["account", "totp", "device-totp"]).await, 404);
    assert_eq!(service.log_in("bob", &code).await, 404, "of another account");
    assert_eq!(service.log_in("alice", &code).await, 204);
    assert_eq!(service.log_in("alice", &code).await, 404);
}

#[tokio::test]
async fn a_mailed_code_sets_a_pin_once_38() {
    let (service, server) = Service::start_mailing().await;
    assert_eq!(service.mail("alice").await.status, 204);
    let code = server.mails()[0].code();
    let document = |pin| json!({ "data": { "type": "pin", "attributes": { "pin": pin, "otp": code } } });
    assert_eq!(service.send(service.pin_request("alice", &document("8299"))).await.status, 200);
    assert_eq!(service.send(service.pin_request("alice", &document("4378"))).await.status, 403);
    assert_eq!(service.log_in("alice", &code).await, 404);
    assert_eq!(service.create("alice", json!({ "pin": "8299" })).await.status, 201);
}

#[tokio::test]
async fn within_a_minute_there_is_no_second_mail_and_the_first_code_stays_good_136() {
    let (service, server) = Service::start_mailing().await;
    assert_eq!(service.mail("alice").await.told(), (204, None));
    service.clock.advance(59);
    let again = service.mail("alice").await;
    assert_eq!(again.told(), (204, Some("1")));
    assert!(again.body.is_empty());
    assert_eq!(server.mails().len(), 1);
    assert_eq!(service.mail("bob").await.told(), (204, None), "it is the account's own");
    let code = server.mails()[0].code();
    assert_eq!(service.log_in("alice", &code).await, 204);
    assert_eq!(service.mail("alice").await.told(), (204, Some("1")), "nor does using it bring another one");
}

#[tokio::test]
async fn a_young_code_is_mailed_again_and_lives_no_longer_for_it() {
    let (service, server) = Service::start_mailing().await;
    service.mail("alice").await;
    service.clock.advance(300);
    assert_eq!(service.mail("alice").await.told(), (204, None));
    let mails = server.mails();
    assert_eq!(mails[1].code(), mails[0].code());
    assert!(mails[0].data.contains("for 10 minutes") && mails[1].data.contains("for 5 minutes"));
    service.clock.advance(60);
    // Less than half of its life is left.
    assert_eq!(service.mail("alice").await.told(), (204, None));
    let latest = server.mails()[2].code();
    if latest != mails[0].code() {
        assert_eq!(service.log_in("alice", &mails[0].code()).await, 404, "it was replaced");
    }
    service.clock.advance(599);
    assert_eq!(service.log_in("alice", &latest).await, 204);
}

#[tokio::test]
async fn a_code_is_good_until_it_expires_and_not_after_a_clock_went_back_31() {
    let (service, server) = Service::start_mailing_with("[otp]\nlogin_ttl = \"2m\"\n").await;
    service.mail("alice").await;
    let code = server.mails()[0].code();
    assert!(server.mails()[0].data.contains("for 2 minutes"));
    service.clock.advance(120);
    assert_eq!(service.log_in("alice", &code).await, 404);
    service.clock.set_back(60);
    assert_eq!(service.log_in("alice", &code).await, 404);
}

#[tokio::test]
async fn five_in_an_hour_and_then_429_also_over_a_restart_and_on_another_service_137() {
    let (service, server) = Service::start_mailing().await;
    for _ in 0..5 {
        assert_eq!(service.mail("alice").await.told(), (204, None));
        service.clock.advance(60);
    }
    let refused = service.mail("alice").await;
    assert_snapshot!(refused.whole());
    assert_eq!(refused.told(), (429, Some("3300")));
    let service = service.restart().await;
    assert_eq!(service.mail("alice").await.told(), (429, Some("3300")));
    let beside = service.start_beside().await;
    let mut client = crate::http::client::Client::connect(beside.address).await;
    let request = service.mail_request("alice", &json!({}), &[]);
    assert_eq!(client.request(&request).await.told(), (429, Some("3300")));
    assert_eq!(server.mails().len(), 5);
    service.clock.advance(3_300);
    assert_eq!(service.mail("alice").await.status, 204);
}

#[tokio::test]
async fn twenty_in_a_day_and_then_429_137() {
    let (service, server) = Service::start_mailing().await;
    for _ in 0..20 {
        assert_eq!(service.mail("alice").await.told(), (204, None));
        service.clock.advance(1_000);
    }
    assert_eq!(service.mail("alice").await.told(), (429, Some("66400")));
    let service = service.restart().await;
    service.clock.advance(66_399);
    assert_eq!(service.mail("alice").await.told(), (429, Some("1")));
    service.clock.advance(1);
    assert_eq!(service.mail("alice").await.told(), (204, None));
    assert_eq!(server.mails().len(), 21);
}

#[tokio::test]
async fn a_lock_stops_no_mail_and_no_mail_lifts_a_lock_112() {
    let (service, server) = Service::start_mailing().await;
    service.provision_device("alice").await;
    service.fail("alice", 5).await;
    assert_eq!(service.mail("alice").await.told(), (204, None));
    let code = server.mails()[0].code();
    let body = json!({ "otp": code, "types": ["login"] }).to_string();
    assert_eq!(service.post("alice", &body).await.told(), (404, Some("30")), "still waiting");
    assert_eq!(service.failures("alice").await, 5);
    service.clock.advance(30);
    assert_eq!(service.log_in("alice", &code).await, 204);
}

#[tokio::test]
async fn the_fifth_wrong_entry_kills_a_mailed_code_and_the_next_mail_has_another_37() {
    let (service, server) = Service::start_mailing_with("[throttle]\nfree_failures = 10\n").await;
    service.mail("alice").await;
    let code = server.mails()[0].code();
    for wrong in (0..).map(|number| format!("{number:06}")).filter(|wrong| *wrong != code).take(5) {
        assert_eq!(service.log_in("alice", &wrong).await, 404);
    }
    assert_eq!(service.log_in("alice", &code).await, 404);
    service.clock.advance(60);
    service.mail("alice").await;
    assert_eq!(service.log_in("alice", &server.mails()[1].code()).await, 204);
}

/// Clients send a content type with an empty body, or an empty object; whatever is there is not looked at.
#[tokio::test]
async fn a_body_is_ignored_whatever_it_is_58() {
    let (service, server) = Service::start_mailing().await;
    let bodies: [(&[&str], &[u8]); 7] = [
        (&[JSON], b""),
        (&[JSON], b"{}"),
        (&[JSON], b"{"),
        (&[], b"email=eve@example.org"),
        (&["Content-Type: text/plain"], b"\xff\xfe"),
        (&["Content-Type: application/xml", "Content-Type: application/json"], b"null"),
        (&[JSON], br#"{"email":"eve@example.org","to":"eve@example.org","subject":"x","locale":"de"}"#),
    ];
    for (number, (headers, body)) in bodies.into_iter().enumerate() {
        let subject = format!("alice-{number}");
        let token = format!("Authorization: Bearer {}", service.mail_token(&subject, &json!({})));
        let headers = [&[token.as_str()], headers].concat();
        let answer = service.send(request(&format!("POST {SENDMAIL}"), &headers, body)).await;
        assert_eq!(answer.status, 204, "{body:?}: {answer:?}");
        let mail = server.mails().pop().unwrap();
        assert_eq!(mail.recipients, [format!("TO:<{subject}@example.org>")]);
        assert_eq!(mail.header("Subject"), "Your einmal code");
    }
    assert_eq!(server.mails().len(), 7);
}

#[tokio::test]
async fn what_a_client_sends_of_itself_changes_nothing_and_a_wrong_accept_is_refused() {
    let (service, server) = Service::start_mailing().await;
    let usual = ["Accept: application/json", JSON, "API-Key: x", "uber-trace-id: 1:2:3:4", "User-Agent: app"];
    assert_eq!(service.mail_with("alice", &json!({}), &usual).await.status, 204);
    let refused = service.mail_with("bob", &json!({}), &["Accept: text/html"]).await;
    assert_eq!((refused.status, refused.code().as_str()), (406, "not-acceptable"));
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn without_a_mail_server_it_is_503_and_switched_off_404() {
    let service = Service::start().await;
    let answer = service.mail("alice").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert!(answer.header("retry-after").is_some());

    let (service, server) = Service::start_mailing_with("[otp]\nlogin_enabled = false\n").await;
    let answer = service.mail("alice").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not-set"));
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn mails_share_a_connection_until_the_server_ends_it() {
    let (service, server) = Service::start_mailing().await;
    for number in 0..5 {
        assert_eq!(service.mail(&format!("alice-{number}")).await.status, 204);
    }
    assert_eq!((server.mails().len(), server.connections()), (5, (1, 1)));
    // As a server does with a connection that was idle for too long.
    server.reply("NOOP", Reply::Say("421 idle for too long"));
    assert_eq!(service.mail("bob").await.status, 204);
    server.reply("NOOP", Reply::HangUp);
    assert_eq!(service.mail("carol").await.status, 204);
    assert_eq!((server.mails().len(), server.connections().0), (7, 3));
}

#[tokio::test]
async fn an_account_comes_into_being_and_others_codes_stay_as_they_are() {
    let (service, server) = Service::start_mailing().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let created = service.create("alice", json!({ "pin": "8299" })).await.otp();
    service.mail("alice").await;
    assert_eq!(service.verify("alice", &created).await, 204);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    service.mail("somebody").await;
    let state = service.look("somebody", |account| account.login_code.as_ref().map(|code| code.state)).await;
    assert_eq!(state, Some(CodeState::Live));
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn a_place_and_a_wait_count_from_when_a_mail_is_sent_and_not_from_when_it_was_asked_for() {
    let (asked, server) = (Issuer::start(&[]).await, MailServer::start().await);
    let introspection = format!(
        "introspection = {{ url = \"{}\", client_id = \"einmal\", client_secret = \"geheim\" }}\n{}",
        asked.introspection_url(),
        server.settings()
    );
    let service = Service::start_with(&introspection).await;
    let active = json!({
        "active": true, "sub": "alice", "aud": "einmal", "scope": "user:otp:create", "exp": NOW + 300,
        "email": "alice@example.org", "email_verified": true,
    });
    asked.answer(INTROSPECTION, Answer::Held(Box::new(Answer::Json(active))));
    server.reply(END, Reply::Held(Box::new(Reply::Say("250 taken"))));
    let mut client = service.connect().await;
    client.send(request(&format!("POST {SENDMAIL}"), &["Authorization: Bearer opaque"], b"")).await;
    server.until("question", |_| asked.count(INTROSPECTION) == 1).await;
    service.clock.advance(20);
    asked.release();
    server.until("mail", |server| server.mails().len() == 1).await;
    let since = service.look("alice", |account| account.mailing.under_way.map(|sending| sending.since)).await;
    assert_eq!(since, Some(service.clock.now()), "nobody else has its place by now");
    server.release();
    assert_eq!(client.answer().await.told(), (204, None));
    assert_eq!(service.mail("alice").await.told(), (204, Some("60")));
}

#[tokio::test]
async fn what_comes_of_asking_for_a_mail_is_counted() {
    let (service, server) = Service::start_mailing().await;
    let outcomes = ["sent", "failed", "recent", "exhausted", "no_address"];
    let series = outcomes.map(|outcome| format!("einmal_mails_total{{outcome=\"{outcome}\"}}"));
    let stage = "einmal_stage_duration_seconds_count{stage=\"mail\"}";
    let series: [&str; 6] =
        [&series[0], &series[1], &series[2], &series[3], &series[4], stage].map(|name| name as &str);
    let mail = async || drop(service.mail("alice").await);
    assert_eq!(growth(&service, series, mail).await, [1, 0, 0, 0, 0, 1]);
    assert_eq!(growth(&service, series, mail).await, [0, 0, 1, 0, 0, 0]);
    service.clock.advance(60);
    server.reply("RCPT", Reply::Say("550 no"));
    assert_eq!(growth(&service, series, mail).await, [0, 1, 0, 0, 0, 1]);
    server.behave();
    for _ in 0..4 {
        mail().await;
        service.clock.advance(60);
    }
    assert_eq!(growth(&service, series, mail).await, [0, 0, 0, 1, 0, 0]);
    let nowhere = json!({ "email": "-a@example.org" });
    let grown = growth(&service, series, async || drop(service.mail_with("bob", &nowhere, &[]).await));
    assert_eq!(grown.await, [0, 0, 0, 0, 1, 0]);
}
