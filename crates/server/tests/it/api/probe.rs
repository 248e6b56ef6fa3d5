//! Apps that use their secret in another way than they were told, and apps whose clock is off, at their confirmation.

use super::authenticators::Begun;
use crate::harness::service::Service;
use einmal::clock::Clock;
use einmal_core::otp::{Parameters, Secret, Totp};
use insta::assert_snapshot;
use serde_json::{Value, json};

impl Service {
    /// What an app shows that uses the secret in this way.
    pub(crate) fn shown_by(&self, secret: &str, uses: Parameters, offset: i64) -> String {
        let secret = Secret::from_base32(secret).unwrap();
        let digits = uses.digits().into();
        let totp = Totp::new(secret, uses.algorithm(), digits, uses.period().into()).unwrap();
        let step = totp.step_at(self.clock.now()).saturating_add_signed(offset);
        totp.code_at(step).as_str().to_owned()
    }

    async fn with_pin(settings: &str) -> Self {
        let service = Self::start_with(settings).await;
        service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
        service
    }

    async fn only_authenticator(&self) -> Value {
        let mut listed = self.listed_authenticators("alice").await;
        assert_eq!(listed.len(), 1);
        listed.remove(0)["attributes"].take()
    }
}

fn named(uses: Parameters) -> Value {
    json!({ "algorithm": uses.algorithm().name(), "digits": uses.digits(), "period": uses.period() })
}

/// Not what is told.
fn others() -> impl Iterator<Item = Parameters> {
    Parameters::of_apps()
        .filter(|one| named(*one) != json!({ "algorithm": "SHA1", "digits": 6, "period": 30 }))
}

#[tokio::test]
async fn an_app_is_taken_as_it_is_and_the_client_is_told_how_that_is() {
    let service = Service::with_pin("").await;
    for uses in others() {
        let Begun { id, secret, .. } = service.begin("alice").await;
        let code = service.shown_by(&secret, uses, 0);
        let answer = service.confirm("alice", &id, &code).await;
        assert_eq!(answer.status, 200, "{uses}: {answer:?}");
        let document = answer.document();
        assert_eq!(document["meta"], json!({ "adjusted": named(uses) }), "{uses}");
        let stored = service.only_authenticator().await;
        assert_eq!(document["data"]["attributes"], stored);
        for (name, value) in named(uses).as_object().unwrap() {
            assert_eq!(&stored[name], value, "{uses}");
        }
        assert_eq!(stored["state"], "confirmed");
        for (code, status) in [(code, 404), (service.shown_by(&secret, uses, 1), 204)] {
            assert_eq!(service.verify_as("alice", &code, &["totp"]).await, status, "{uses}");
        }
        let path = format!("/{id}");
        assert_eq!(service.authenticators("alice", "DELETE", &path, &json!({})).await.status, 204);
    }
}

#[tokio::test]
async fn the_answer_whole_and_none_where_the_app_does_as_it_was_told() {
    let service = Service::with_pin("").await;
    let Begun { id, secret, .. } = service.begin("alice").await;
    let uses = others().last().unwrap();
    let adjusted = service.confirm("alice", &id, &service.shown_by(&secret, uses, 0)).await;
    assert_snapshot!("adjusted", adjusted.whole().replace(&id, "[uuid]"));
    let Begun { id, secret, .. } = service.begin("alice").await;
    let confirmed = service.confirm("alice", &id, &service.code_of(&secret, 0)).await;
    assert_eq!((confirmed.status, confirmed.body.len()), (204, 0));
}

#[tokio::test]
async fn where_it_is_forbidden_the_client_is_told_what_the_app_uses_and_nothing_is_confirmed() {
    let service = Service::with_pin("[totp]\naccept_other_parameters = false").await;
    let Begun { id, secret, .. } = service.begin("alice").await;
    let uses = others().next().unwrap();
    let refused = service.confirm("alice", &id, &service.shown_by(&secret, uses, 0)).await;
    assert_snapshot!("forbidden", refused.whole());
    let still = service.only_authenticator().await;
    assert_eq!((&still["state"], &still["period"]), (&"pending".into(), &30.into()));
    assert_eq!(service.confirm("alice", &id, &service.code_of(&secret, 0)).await.status, 204);
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_to_the_client_and_nothing_is_confirmed() {
    let service = Service::with_pin("").await;
    let Begun { id, secret, .. } = service.begin("alice").await;
    let slow = service.confirm("alice", &id, &service.code_of(&secret, -8)).await;
    assert_snapshot!("slow", slow.whole());
    let fast = service.confirm("alice", &id, &service.code_of(&secret, 3)).await;
    assert_eq!(fast.error()["meta"], json!({ "clockOffsetSeconds": 90 }));
    let uses = others().next().unwrap();
    let both = service.confirm("alice", &id, &service.shown_by(&secret, uses, -4)).await;
    let meta = json!({ "clockOffsetSeconds": -4 * i64::from(uses.period()), "appUses": named(uses) });
    assert_eq!(both.error()["meta"], meta);
    let detail = both.error()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("another way") && detail.contains("clock is off"), "{detail}");
    assert_eq!(service.only_authenticator().await["state"], "pending");
    assert_eq!(service.confirm("alice", &id, &service.code_of(&secret, 1)).await.status, 204);
}

#[tokio::test]
async fn the_fifth_one_ends_it_whatever_was_wrong_with_the_code() {
    let service = Service::with_pin("[totp]\naccept_other_parameters = false").await;
    let Begun { id, secret, .. } = service.begin("alice").await;
    let uses = others().next().unwrap();
    for offset in [-8, 8, -2, 2] {
        assert_eq!(service.confirm("alice", &id, &service.code_of(&secret, offset)).await.status, 403);
    }
    assert_eq!(service.confirm("alice", &id, &service.shown_by(&secret, uses, 0)).await.status, 403);
    assert_eq!(service.confirm("alice", &id, &service.code_of(&secret, 0)).await.status, 404);
    assert!(service.listed_authenticators("alice").await.is_empty());
    assert_eq!((service.failures("alice").await, service.proof_failures("alice").await), (0, (0, 0)));
}

/// Nothing is looked for but at the secret that is pending.
#[tokio::test]
async fn no_other_secret_is_tried_in_other_ways() {
    let service = Service::with_pin("").await;
    service.change("alice", |account| account.devices.push(super::credential(super::OTHER_SECRET))).await;
    let Begun { id, .. } = service.begin("alice").await;
    let of_the_device = service.shown_by(super::OTHER_SECRET, others().last().unwrap(), 0);
    let answer = service.confirm("alice", &id, &of_the_device).await;
    assert_eq!((answer.status, &answer.error()["meta"]), (403, &Value::Null));
    let before = service.look("alice", |account| account.devices[0].progress.clone()).await;
    assert_eq!(before, einmal_core::account::Progress::default());
}
