//! The last events of an account, as its owner and support are shown them.

use super::{bare, until_lines};
use crate::harness::back_office::ALICE;
use crate::harness::service::{SECRET, Service};
use crate::harness::wire::request;
use crate::http::client::Answer;
use insta::assert_snapshot;
use serde_json::{Value, json};

impl Service {
    async fn events(&self, token: &str) -> Answer {
        let authorization = format!("Authorization: Bearer {token}");
        self.send(request("GET /user/2025-1/user/events", &[&authorization], b"")).await
    }

    async fn listed_events(&self, subject: &str) -> Vec<Value> {
        let answer = self.events(&self.token(subject)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.document()["data"].as_array().unwrap().clone()
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["attributes"]["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_answers_whole() {
    let service = Service::start_administered().await;
    assert_snapshot!("none", service.events(&service.token("nobody")).await.whole());
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let begun = service.begin("alice").await;
    service.clock.advance(60);
    assert_eq!(service.confirm("alice", &begun.id, &service.code_of(&begun.secret, 0)).await.status, 204);
    service.told_code().await;
    let listed = service.events(&service.token("alice")).await.whole();
    assert_snapshot!("listed", listed.replace(&begun.id, "[uuid]"));
}

#[tokio::test]
async fn owner_and_support_see_the_same_the_latest_first_and_both_see_what_the_file_has() {
    let service = super::service().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    let begun = service.begin("alice").await;
    service.clock.advance(5);
    service.create("alice", json!({ "pin": "8299" })).await;
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    service.administer(&format!("POST {ALICE}/unlock"), &Value::Null).await;
    let listed = service.listed_events("alice").await;
    assert_eq!(names(&listed), ["unlocked", "code_created", "authenticator_begun"]);
    let ids: Vec<_> = listed.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["3", "2", "1"]);
    let shown = service.shown("alice").await;
    for (event, shown) in listed.iter().zip(shown["history"].as_array().unwrap()) {
        let mut attributes = event["attributes"].clone();
        attributes.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(attributes, *shown);
    }
    assert_eq!(shown["history"][2]["credential"], begun.id);
    assert_eq!(shown["history"][2]["at"], "2027-01-15T08:00:00Z");
    assert_eq!(shown["history"][1]["at"], "2027-01-15T08:00:05Z");
    let lines = until_lines(&service.directory.path().join("events.jsonl"), 6).await;
    let written: Vec<_> = lines.iter().map(|line| bare(line)["event"].clone()).collect();
    assert_eq!(
        written,
        ["proof_accepted", "authenticator_begun", "proof_accepted", "code_created", "verified", "unlocked"]
    );
}

#[tokio::test]
async fn a_replacement_keeps_the_history_and_says_that_there_was_one_and_a_deletion_takes_it_away() {
    let service = Service::start_administered().await;
    assert_eq!(service.put("alice", &json!({ "pin": "8299" })).await, 201);
    assert_eq!(names(&service.listed_events("alice").await), [""; 0], "made anew nothing was done to it yet");
    service.begin("alice").await;
    assert_eq!(service.put("alice", &json!({ "pin": "4378" })).await, 200);
    assert_eq!(names(&service.listed_events("alice").await), ["account_replaced", "authenticator_begun"]);
    service.replace(&json!({ "id": "alice" })).await;
    assert_eq!(service.listed_events("alice").await.len(), 3);
    let service = service.restart().await;
    assert_eq!(service.listed_events("alice").await.len(), 3, "it is in the store");
    service.administer(&format!("DELETE {ALICE}"), &Value::Null).await;
    assert_eq!(service.put("alice", &json!({ "pin": "8299" })).await, 201);
    assert_eq!(service.listed_events("alice").await.len(), 0);
}

#[tokio::test]
async fn everybody_sees_their_own_events_alone() {
    let service = Service::start().await;
    for subject in ["alice", "bob"] {
        service.provision(&json!({ "id": subject, "pin": "8299" })).await;
    }
    service.begin("alice").await;
    assert_eq!(names(&service.listed_events("alice").await), ["authenticator_begun"]);
    assert_eq!(service.listed_events("bob").await.len(), 0);
    let without_scope = service.token_with("alice", &json!({ "scope": "user:otp:verify" }));
    assert_eq!(service.events(&without_scope).await.status, 403);
}

/// As far as attempts go, an account with a history is as it was: no row of the vault is written.
#[tokio::test]
async fn an_attempt_leaves_the_vault_with_its_history_as_it_is() {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299", "deviceTotps": [{ "secret": SECRET }] })).await;
    service.begin("alice").await;
    let (_, vault) = service.versions("alice").await;
    assert_eq!(service.verify("alice", &service.wrong_code(0)).await, 404);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
    assert_eq!(service.versions("alice").await.1, vault);
    assert_eq!(service.listed_events("alice").await.len(), 1);
}
