//! Guessing on and on: that the limit is there, where exactly it lies, and that nothing but a success moves it.

use super::{OTHER_SECRET, change, credential, issued, with_device, with_everything};
use crate::harness::service::Service;
use crate::harness::wire::JSON;
use serde_json::json;

#[tokio::test]
async fn a_code_that_was_guessed_at_five_times_is_dead_until_there_is_a_new_one_37() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    service.fail("alice", 5).await;
    service.clock.advance(30);
    assert_eq!(service.verify("alice", "135790").await, 404, "it is dead although it has not expired");
    service.clock.advance(60);
    assert_eq!(service.verify_as("alice", "246801", &["login"]).await, 204, "this one was not guessed at");
    let new = issued(&service, "135790");
    change(&service, "alice", move |account| account.account_code = Some(new.clone())).await;
    assert_eq!(service.verify("alice", "135790").await, 204, "the same digits, drawn again");
}

#[tokio::test]
async fn of_a_thousand_guesses_in_a_row_five_are_looked_at_however_they_are_spelled_93() {
    let service = with_device().await;
    let mut client = service.connect().await;
    let mut evaluated = 0;
    for number in 0..1_000 {
        let is_right = number >= 5 && number % 10 == 0;
        let code = if is_right { service.code(0) } else { service.wrong_code(number % 900) };
        // A limit that is kept by the text would see another one each time.
        let spelled = match number % 4 {
            0 => code,
            1 => format!("{code}{}", " ".repeat(number % 50)),
            2 => format!("{}{code}", "-".repeat(number % 50)),
            _ => code.chars().flat_map(|digit| [digit, ' ']).collect(),
        };
        let body = json!({ "otp": spelled }).to_string();
        let answer = client.request(service.verify_request("alice", &[JSON], body)).await;
        assert_eq!(answer.status, 404, "guess {number}");
        evaluated += usize::from(answer.header("retry-after").is_none());
    }
    assert_eq!(evaluated, 5);
    assert_eq!(service.failures("alice").await, 5);
    service.clock.advance(30);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn the_fifth_failure_brings_the_wait_and_a_success_before_it_starts_anew_96() {
    let service = with_device().await;
    for failures in [0, 1, 2, 3, 4, 4, 4] {
        service.fail("alice", failures).await;
        assert_eq!(
            service.answer("alice", &service.code(0)).await.told(),
            (204, None),
            "{failures} before it"
        );
        assert_eq!(service.failures("alice").await, 0);
        service.clock.advance(30);
    }
    service.fail("alice", 5).await;
    assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some("30")), "the sixth");
}

#[tokio::test]
async fn after_a_wait_there_is_one_try_and_not_five_96() {
    let service = with_device().await;
    service.fail("alice", 5).await;
    for (wait, next) in [(30, "60"), (60, "120"), (120, "240")] {
        service.clock.advance(wait);
        service.fail("alice", 1).await;
        assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some(next)));
    }
    service.clock.advance(240);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    // The count is as if nothing had been, and the first wait is the shortest again.
    service.fail("alice", 5).await;
    assert_eq!(service.answer("alice", &service.code(1)).await.told(), (404, Some("30")));
}

#[tokio::test]
async fn a_success_with_one_credential_leaves_the_budget_of_another_as_it_is_96() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    service.fail("alice", 4).await;
    for (kind, code) in
        [("totp", service.code_of(OTHER_SECRET, 0)), ("login", "246801".into()), ("account", "135790".into())]
    {
        assert_eq!(service.verify_as("alice", &code, &[kind]).await, 204);
        let spent = service
            .look("alice", |account| {
                let progress = &account.devices[0].progress;
                (progress.failures, progress.guess_units)
            })
            .await;
        assert_eq!(spent, (4, 4 * 300), "after a {kind} code");
    }
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    assert_eq!(service.look("alice", |account| account.devices[0].progress.guess_units).await, 0);
}

#[tokio::test]
async fn failures_and_a_running_wait_survive_a_restart_105() {
    let service = with_device().await;
    service.fail("alice", 3).await;
    let service = service.restart().await;
    service.fail("alice", 2).await;
    let service = service.restart().await;
    assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some("30")));
    service.clock.advance(10);
    let service = service.restart().await;
    assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some("20")));
    service.clock.advance(20);
    let service = service.restart().await;
    service.fail("alice", 1).await;
    let service = service.restart().await;
    assert_eq!(service.answer("alice", &service.code(0)).await.told(), (404, Some("60")));
    let progress = service.look("alice", |account| account.devices[0].progress.clone()).await;
    assert_eq!((progress.failures, progress.guess_units), (6, 6 * 300));
}

#[tokio::test]
async fn where_429_is_wanted_a_right_code_is_answered_as_a_wrong_one_too_110() {
    let service = Service::start_with("[throttle]\nstatus = 429").await;
    service.insert("alice", with_everything(&service)).await;
    let used = service.code(-1);
    assert_eq!(service.verify("alice", &used).await, 204);
    service.fail("alice", 5).await;
    let before = service.versions("alice").await;
    let wrong = service.answer("alice", &service.wrong_code(7)).await;
    assert_eq!(wrong.told(), (429, Some("30")));
    for code in [service.code(0), service.code(1), used, "135790".to_owned(), "00000000".to_owned()] {
        let answer = service.answer("alice", &code).await;
        assert_eq!(answer.whole(), wrong.whole());
        assert_eq!(answer.body.len(), wrong.body.len());
    }
    assert_eq!(service.versions("alice").await, before);
}

/// Nor does a wait tell of a code whether it was used, is expired or belongs to another type.
#[tokio::test]
async fn during_a_wait_all_codes_of_all_types_get_one_answer_110() {
    let service = Service::start().await;
    service.insert("alice", with_everything(&service)).await;
    assert_eq!(service.verify("alice", &service.code(-1)).await, 204);
    assert_eq!(service.verify_as("alice", "246801", &["login"]).await, 204);
    service.fail("alice", 5).await;
    let wrong = service.answer("alice", &service.wrong_code(7)).await.whole();
    let codes = [
        service.code(-1),
        service.code(0),
        service.code_of(OTHER_SECRET, 0),
        "246801".to_owned(),
        "135790".to_owned(),
        "1357900".to_owned(),
    ];
    for code in codes {
        for types in [json!([]), json!(["login"]), json!(["totp"]), json!(["account", "device-totp"])] {
            let body = json!({ "otp": code, "types": types }).to_string();
            assert_eq!(service.post("alice", body).await.whole(), wrong, "{code} as {types}");
        }
    }
}

#[tokio::test]
async fn nothing_that_is_enrolled_or_issued_lifts_a_wait_112() {
    let service = with_device().await;
    service.fail("alice", 5).await;
    let (account_code, login_code) = (issued(&service, "135790"), issued(&service, "246801"));
    change(&service, "alice", move |account| {
        account.devices.push(credential(OTHER_SECRET));
        account.account_code = Some(account_code.clone());
        account.login_code = Some(login_code.clone());
    })
    .await;
    let session = service.token_with("alice", &json!({ "jti": "new", "sid": "new", "client_id": "other" }));
    let new = service.code_of(OTHER_SECRET, 0);
    for (kind, code) in [("device-totp", new.as_str()), ("account", "135790"), ("login", "246801")] {
        let body = json!({ "otp": code, "types": [kind] });
        assert_eq!(service.post("alice", body.to_string()).await.told(), (404, Some("30")), "{kind}");
        let answer = service.request_with_token(&session, &body).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (404, &"30".parse().unwrap())
        );
    }
    service.clock.advance(30);
    assert_eq!(service.verify_as("alice", "246801", &["login"]).await, 204, "it was not spoilt");
}
